"""A dumped card served again: the profile of a simulated card that answers what the real one did.

`apdu/ssc/dump.schema.json` defines the dump. What could not be read is closed on the simulated
card and answers 6982; what the card did not have, it does not have either. Keys and PIN are never
in a dump: the simulated card has the development keys and the PIN 123456.

Files are as large as the file map says: a shorter one is filled up, and what a transparent file
holds beyond, or a cyclic file's row, is cut off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from apdu.atr import historical_bytes, is_contactless
from apdu.crypto import Algorithm
from apdu.ssc.files import file_map
from apdu.ssc.filespec import EfSpec, Structure
from apdu.ssc.values import check_card_id
from apdu.status import CardError, StatusWord
from apdu.tlv import RecordTlv, parse_record
from simulator.card.description import CardData, CardProfile, Holder, PinState
from simulator.card.profile import INITIAL_PIN, ProfileError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

_ISSUER = "SSSEEF05"
_NAMES_ALGORITHM = bytes.fromhex("9F0C")
_NO_DATE = date(2000, 1, 1)  # dates are in the file, not here
_PIN_RETRIES = 3
_KEY_RETRIES = 3


def profile_of_dump(document: object) -> CardProfile:
    """The profile of a card with the content of this dump.

    Raises `ProfileError` naming the field that breaks the schema, or for a dump without the data
    that make a card: an ATR with 13 historical bytes and a readable EF05.
    """
    dump = _checked(document)
    try:
        specs = {spec.address: spec for spec in file_map(dump["card_version"]).values()}
        card = _card(dump)
    except CardError as error:
        raise ProfileError("$", str(error)) from None
    dumped = {file["file"]: file for file in dump["files"] if file["file"] in specs}
    readable = {name: file for name, file in dumped.items() if "unreadable" not in file}
    absent = frozenset(specs) - frozenset(dumped) | frozenset(_missing(dumped))
    return CardProfile(
        title_zh="由导出文件生成的模拟卡",
        title_en="A card served from a dump",
        holder=Holder(),
        card=card,
        pin=PinState(INITIAL_PIN, initial=True, retries=_PIN_RETRIES, tries_left=_PIN_RETRIES),
        keys="wrong" if dump["authentic"] is False else "development",
        files={name: _content(specs[name], file) for name, file in readable.items()},
        closed=frozenset(dumped) - frozenset(readable) - absent,
        absent=absent,
    )


def _checked(document: object) -> Mapping[str, Any]:
    """The document, which the schema allows. Raises `ProfileError` naming the field otherwise."""
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]  # has no types

    error = best_match(_validator().iter_errors(document))
    if error is not None or not isinstance(document, Mapping):
        path, rule = (error.json_path, error.validator) if error else ("$", "type")
        raise ProfileError(path, f"breaks the dump schema's rule {rule!r}")
    return document


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    text = resources.files("apdu.ssc").joinpath("dump.schema.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))


def _card(dump: Mapping[str, Any]) -> CardData:
    """The chip: card id and algorithm count, the rest of EF05 is served from the file."""
    atr = bytes.fromhex(dump["atr"])
    historical = historical_bytes(atr)
    if len(historical) != 13:
        raise ProfileError("$.atr", "not 13 historical bytes")
    card_id = next((r.value for r in _records(dump, _ISSUER) if r.tag == 0x01), b"")
    check_card_id(card_id)
    return CardData(
        region=card_id[:3].hex(),
        serial=card_id[8:12],
        authentication_code=card_id[12:],
        number="",
        card_class="",
        version=dump["card_version"],
        algorithm=Algorithm[dump["algorithm"]],
        initialiser="",
        issued=_NO_DATE,
        expires=_NO_DATE,
        historical=historical,
        contactless=is_contactless(atr),
        fci_names_algorithm=_NAMES_ALGORITHM in bytes.fromhex(dump["fci"]),
        bank_card_number=None,
        key_retries=_KEY_RETRIES,
    )


def _records(dump: Mapping[str, Any], address: str) -> Iterator[RecordTlv]:
    for file in dump["files"]:
        if file["file"] == address:
            yield from (parse_record(bytes.fromhex(record)) for record in file.get("records", ()))


def _missing(dumped: Mapping[str, Any]) -> Iterator[str]:
    """The files that the card said it does not have."""
    for name, file in dumped.items():
        if file.get("unreadable", {}).get("sw") == f"{StatusWord.FILE_NOT_FOUND:04X}":
            yield name


def _content(spec: EfSpec, file: Mapping[str, Any]) -> Any:  # noqa: ANN401  # as profiles have it
    """The file as a profile gives it."""
    if spec.structure.value != file["structure"]:
        raise ProfileError(f"$.files.{spec.address}", f"this file is {spec.structure.value}")
    if spec.structure is Structure.VARIABLE:
        return {"hex": "".join(file["records"])}
    if spec.structure is Structure.TRANSPARENT:
        return {"hex": file["content"][: 2 * spec.total]}
    size = 2 * spec.record_length
    return [{"hex": row[:size].ljust(size, "0")} for row in file["rows"]]
