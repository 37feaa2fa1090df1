"""The basic data of a card: who issued it and whose it is (EF05 and EF06; facts 3.2 to 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from apdu.sam import CardIdentity
from apdu.ssc.files import EfSpec, Generation, file_map
from apdu.ssc.values import decode, is_card_number, read_text

CARD_NUMBER_LENGTH = 9

_FIRST_YEAR, _LAST_YEAR = 1900, 2999


@dataclass(frozen=True, slots=True)
class BasicData:
    """What EF05 and EF06 say. Empty text or None stands for an item that the card leaves empty.

    `region`: six digits, from the card id. `ssn`: 18 characters. `card_number`: 9 characters.
    `version`: as on the card, "1.0" for an empty one. `initialiser`: 12 bytes. `card_class`,
    `sex` and `ethnicity` are codes of the lists in `apdu/ssc/codes.py`. `historical`: 13 bytes.
    `raw` holds every record's value by tag, `warnings` what was wrong with them, by tag, without
    the values. Only what is not personal shows in the `repr`.
    """

    region: str
    ssn: str = field(repr=False)
    card_number: str = field(repr=False)
    card_id: bytes = field(repr=False)
    name: str = field(repr=False)
    card_class: str
    version: str
    initialiser: bytes
    issued: date | None
    expires: date | None
    sex: str = field(repr=False)
    ethnicity: str = field(repr=False)
    birthplace: str = field(repr=False)
    birth_date: date | None = field(repr=False)
    historical: bytes = field(repr=False)
    raw: Mapping[int, bytes] = field(repr=False)
    warnings: tuple[str, ...]


def basic_data(identity: CardIdentity, raw: Mapping[int, bytes]) -> BasicData:
    """The basic data that these records hold, given as values by tag."""
    files = file_map(Generation.V2)
    items = _Items(raw, (files["SSSE", 0xEF05], files["SSSE", 0xEF06]))
    return BasicData(
        region=identity.region,
        ssn=items.text(0x08),
        card_number=_card_number(items),
        card_id=identity.card_id,
        name=_name(items),
        card_class=items.text(0x02),
        version=items.text(0x03) or Generation.V1.value,
        initialiser=raw.get(0x04, b""),
        issued=items.date(0x05, lambda year: date(year, 1, 1)),
        expires=items.date(0x06, lambda year: date(year, 12, 31)),
        sex=items.text(0x0A),
        ethnicity=items.text(0x0B),
        birthplace=items.text(0x0C),
        birth_date=items.date(0x0D, lambda _: None),
        historical=identity.historical,
        raw=dict(raw),
        warnings=tuple(items.warnings),
    )


class _Items:
    """Decodes items by tag and gathers their warnings."""

    def __init__(self, raw: Mapping[int, bytes], files: tuple[EfSpec, ...]) -> None:
        self.raw = raw
        self.warnings: list[str] = []
        self._specs = {record.tag: record for file in files for record in file.records}

    def warn(self, tag: int, warning: str) -> None:
        self.warnings.append(f"{tag:02X}: {warning}")

    def text(self, tag: int) -> str:
        value = self._value(tag)
        return value if isinstance(value, str) else ""

    def date(self, tag: int, of_year: Callable[[int], date | None]) -> date | None:
        """A date; of a year alone, what `of_year` makes of it."""
        value = self._value(tag)
        if isinstance(value, int):
            return of_year(value) if _FIRST_YEAR <= value <= _LAST_YEAR else None
        return value if isinstance(value, date) else None

    def _value(self, tag: int) -> object:
        raw = self.raw.get(tag)
        if raw is None:
            return None
        decoded = decode(raw, self._specs[tag])
        for warning in decoded.warnings:
            self.warn(tag, warning)
        return decoded.value


def _card_number(items: _Items) -> str:
    """Exactly nine characters, even where the card holds more (facts 3.4)."""
    number = items.text(0x07)[:CARD_NUMBER_LENGTH]
    if number and not is_card_number(number):
        items.warn(0x07, "wrong check character")
    return number


def _name(items: _Items) -> str:
    """Name and extension are one text: a character may begin in one and end in the other."""
    raw = items.raw.get(0x09, b"").rstrip(b"\x00\xff") + items.raw.get(0x4E, b"")
    return read_text(raw, lambda warning: items.warn(0x09, warning))
