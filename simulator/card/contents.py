"""File contents from a profile: values into bytes as the file map prescribes (facts 3.1).

What a profile leaves out is empty as on a blank card: digits FF, text 00. Errors name the place
in the profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apdu.ssc.filespec import EfSpec, ItemType, RecordSpec
from apdu.ssc.values import IllegalValue, encode
from apdu.status import MalformedData
from apdu.tlv import parse_records
from simulator.card.profile import CardProfile, ProfileError

_RECORD_MAX = 0xFF


def records(profile: CardProfile, spec: EfSpec) -> list[bytes]:
    """The records of a variable file, in the order of the file map, extra tags behind."""
    given = profile.files.get(spec.address, {})
    where = f"$.files.{spec.address}"
    if not isinstance(given, Mapping):
        raise ProfileError(where, "this file holds records by tag")
    if "hex" in given:
        return _split(bytes.fromhex(given["hex"]), where)
    values = {**_own_values(profile, spec), **given}
    made = []
    for record in spec.records:
        made += _instances(record, values.pop(f"{record.tag:02X}", ""), where)
    for tag, value in values.items():
        extra = RecordSpec(int(tag, 16), ItemType.B, 0, "", "")
        made += _instances(extra, value, where)
    return made


def rows(profile: CardProfile, spec: EfSpec) -> list[bytes]:
    """The rows of a cyclic file, newest first."""
    given = profile.files.get(spec.address, [])
    where = f"$.files.{spec.address}"
    if not isinstance(given, list):
        raise ProfileError(where, "this file holds a list of rows")
    return [_row(spec, row, f"{where}[{number}]") for number, row in enumerate(given)]


def plain(profile: CardProfile, spec: EfSpec) -> bytes:
    """The whole content of a transparent file, filled with FF to its size."""
    given = profile.files.get(spec.address, {"hex": ""})
    where = f"$.files.{spec.address}"
    if not isinstance(given, Mapping) or "hex" not in given:
        raise ProfileError(where, "this file holds plain bytes, given as hex")
    content = bytes.fromhex(given["hex"])
    if len(content) > spec.total:
        raise ProfileError(where, f"longer than the file, which has {spec.total} bytes")
    return content.ljust(spec.total, b"\xff")


def _own_values(profile: CardProfile, spec: EfSpec) -> dict[str, Any]:
    """What holder and card of the profile say about EF05 and EF06 of SSSE (facts 3.2)."""
    card, holder = profile.card, profile.holder
    if spec.address == "SSSEEF05":
        return {
            "01": card.card_id.hex().upper(),
            "02": card.card_class,
            "03": card.version,
            "04": card.initialiser,
            "05": f"{card.issued:%Y%m%d}",
            "06": f"{card.expires:%Y%m%d}",
            "07": card.number,
        }
    if spec.address == "SSSEEF06":
        name, extension = holder.encoded_name
        own: dict[str, Any] = {
            "08": holder.ssn,
            "09": {"hex": name.ljust(30, b"\x00").hex()},
            "4E": {"hex": extension.ljust(20, b"\x00").hex()},
            "0A": holder.sex,
            "0B": holder.ethnicity,
            "0C": holder.birthplace,
            "0D": f"{holder.birth_date:%Y%m%d}" if holder.birth_date else "",
        }
        return {tag: value for tag, value in own.items() if spec.record(int(tag, 16))}
    return {}


def _instances(spec: RecordSpec, value: object, where: str) -> list[bytes]:
    """All records of one tag; none for null."""
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    values = values + [""] * (spec.count - len(values))
    place = f"{where}.{spec.tag:02X}"
    return [_tagged(spec.tag, _content(spec, item, place), place) for item in values]


def _tagged(tag: int, content: bytes, where: str) -> bytes:
    if len(content) > _RECORD_MAX:
        raise ProfileError(where, f"a record holds {_RECORD_MAX} bytes at most")
    return bytes((tag, len(content))) + content


def _content(spec: RecordSpec, value: object, where: str) -> bytes:
    """One value as long as the file map says. Raw hex stays as long as it is."""
    plain = _plain(value)
    if isinstance(plain, bytes):
        return plain
    if isinstance(plain, Mapping):
        plain = {int(tag, 16): _plain(item) for tag, item in plain.items()}
    try:
        return encode(plain, spec)
    except IllegalValue as error:
        raise ProfileError(where, str(error)) from None


def _plain(value: Any) -> Any:  # noqa: ANN401  # JSON in, a value to encode out
    """Raw hex as bytes, anything else as it is."""
    if isinstance(value, Mapping) and "hex" in value:
        return bytes.fromhex(value["hex"])
    return value


def _row(spec: EfSpec, row: Any, where: str) -> bytes:  # noqa: ANN401  # JSON
    content = _plain(row)
    if not isinstance(content, bytes):
        if len(row) != len(spec.records):
            raise ProfileError(where, f"a row of this file has {len(spec.records)} fields")
        fields = zip(spec.records, row, strict=True)
        content = b"".join(_content(field, value, where) for field, value in fields)
    if len(content) != spec.record_length:
        raise ProfileError(where, f"a row of this file has {spec.record_length} bytes")
    return content


def _split(content: bytes, where: str) -> list[bytes]:
    """Records out of raw bytes. Raises `ProfileError` when tags and lengths do not add up."""
    try:
        return [bytes(record) for record in parse_records(content)]
    except MalformedData:
        problem = "the bytes are not records of tag, length and value"
        raise ProfileError(where, problem) from None
