"""What was read from one file of the card: typed values, raw bytes, and what was wrong there."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from apdu.ssc.contents import decode_records, decode_row
from apdu.ssc.filespec import EfSpec, Structure
from apdu.ssc.values import Item, Value, is_card_number, read_text
from apdu.status import CardError, StatusError
from apdu.tlv import RecordTlv

_ISSUER = "SSSEEF05"
_NAME, _NAME_EXTENSION = 0x09, 0x4E
_CARD_NUMBER, _CARD_NUMBER_LENGTH = 0x07, 9


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of one file.

    `raw` is what the card gave: the records of a variable file with tag and length, the rows of a
    cyclic one (newest first), or the one content of a transparent one. `rows` are the decoded
    items: of a cyclic file one row each, of another all in one. Records of a tag that the file
    map does not know are in `raw` only. `warnings` name the fault and its place, never the value.
    """

    file: EfSpec
    raw: tuple[bytes, ...] = field(repr=False)
    rows: tuple[tuple[Item, ...], ...] = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def items(self) -> Iterator[Item]:
        """All items in the order of the file; those of a cyclic file row after row."""
        return (item for row in self.rows for item in row)

    def item(self, tag: int, number: int = 1) -> Item | None:
        """The item of this tag; `number` counts those that share it from 1 (LD/T 33: "40:2")."""
        same = [item for item in self.items if item.spec.tag == tag]
        return same[number - 1] if 0 < number <= len(same) else None

    def value(self, tag: int, number: int = 1) -> Value | None:
        """The value of `item`, None where there is none."""
        item = self.item(tag, number)
        return item.value if item else None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be read, and why."""

    file: EfSpec
    error: CardError

    @property
    def sw(self) -> int | None:
        """The card's status word, None when the card was not asked or gave no reason."""
        error: BaseException | None = self.error
        if not isinstance(error, StatusError):
            error = self.error.__cause__
        return error.sw if isinstance(error, StatusError) else None


def variable_content(
    file: EfSpec, records: Iterable[RecordTlv], warnings: Iterable[str] = ()
) -> FileContent:
    """The content of a variable file."""
    records = tuple(records)
    items = _with_whole_characters(decode_records(file, records))
    found = [*warnings, *_unknown(file, records)]
    for item in items:
        found += _located(f"{item.spec.tag:02X}", item)
    found += _facts(file, items)
    return FileContent(file, tuple(map(bytes, records)), (items,), tuple(found))


def cyclic_content(file: EfSpec, rows: Iterable[bytes]) -> FileContent:
    """The content of a cyclic file, newest row first."""
    raw = tuple(rows)
    decoded = tuple(decode_row(file, row) for row in raw)
    warnings = [
        warning
        for number, row in enumerate(decoded, 1)
        for place, item in enumerate(row, 1)
        for warning in _located(f"row {number} field {place}", item)
    ]
    return FileContent(file, raw, decoded, tuple(warnings))


def transparent_content(file: EfSpec, content: bytes) -> FileContent:
    """The content of a transparent file."""
    spec = file.records[0]
    warnings = () if len(content) == file.total else (f"{len(content)} bytes of {file.total}",)
    item = Item(spec, Value(content, content))
    return FileContent(file, (content,), ((item,),), warnings)


def empty_content(file: EfSpec) -> FileContent:
    """The content of a record file in which there is no record."""
    if file.structure is Structure.VARIABLE:
        return FileContent(file, (), ((),), ("the file is empty",))
    return FileContent(file, (), ())


def _unknown(file: EfSpec, records: Iterable[RecordTlv]) -> Iterator[str]:
    for record in records:
        if file.record(record.tag) is None:
            yield f"{record.tag:02X}: not defined in this file"


def _located(place: str, item: Item) -> Iterator[str]:
    """The warnings of an item and those inside it, each with its place."""
    for warning in item.value.warnings:
        yield f"{place}: {warning}"
    if isinstance(item.value.value, tuple):
        for inner in item.value.value:
            yield from _located(f"{place} {inner.spec.tag:02X}", inner)


def _facts(file: EfSpec, items: Iterable[Item]) -> Iterator[str]:
    """What is wrong with items that decode well (facts 3.4)."""
    if file.address != _ISSUER:
        return
    for item in items:
        number = item.value.value
        if item.spec.tag != _CARD_NUMBER or not isinstance(number, str) or not number:
            continue
        if not is_card_number(number[:_CARD_NUMBER_LENGTH]):
            yield f"{_CARD_NUMBER:02X}: wrong check character"


def _with_whole_characters(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """A character of the name that begins in 09 and ends in 4E counts as part of 4E."""
    by_tag = {item.spec.tag: item for item in items}
    name, rest = by_tag.get(_NAME), by_tag.get(_NAME_EXTENSION)
    if name is None or rest is None:
        return items
    decoder = getincrementaldecoder("gb18030")("replace")
    decoder.decode(name.value.raw)
    begun = decoder.getstate()[0]
    if not begun:
        return items
    parts = {
        _NAME: _text(name, name.value.raw[: -len(begun)]),
        _NAME_EXTENSION: _text(rest, begun + rest.value.raw),
    }
    return tuple(parts.get(item.spec.tag, item) for item in items)


def _text(item: Item, encoded: bytes) -> Item:
    warnings: list[str] = []
    text = read_text(encoded, warnings.append)
    return Item(item.spec, Value(text, item.value.raw, tuple(warnings)))
