"""A file's content in words: labelled rows in Chinese and English, for people to look at.

Personal data are in the rows, though not in their `repr`: whoever shows them decides to whom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from apdu.ssc.codes import Label, label
from apdu.ssc.file_content import FileContent
from apdu.ssc.filespec import Meaning, Structure
from apdu.ssc.values import Item

_LONGEST_HEX = 32


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One item in words.

    `place` is where it stands: its tag, "40:2" for the second record that has the tag, "40:2.57"
    for an item inside, "3.5" for field 5 of row 3 of a cyclic file. An empty item has empty texts.
    """

    place: str
    name: Label
    value: Label = field(repr=False)
    raw: bytes = field(repr=False)
    warnings: tuple[str, ...] = ()


def labelled(content: FileContent) -> tuple[LabelledRow, ...]:
    """The rows of one file, in its order; an item made of items is followed by these."""
    return tuple(
        row
        for place, item in _placed(content)
        for row in (_row(place, item), *_inner_rows(place, item))
    )


def in_words(item: Item) -> Label:
    """The value of one item in Chinese and English; for an item made of items, how many."""
    value, spec = item.value.value, item.spec
    if value is None or value in ("", b""):
        return Label("", "")
    if isinstance(value, tuple):
        return Label(f"{len(value)} 项", f"{len(value)} items")
    if isinstance(value, bytes):
        return _bytes(value)
    if isinstance(value, datetime):
        return _both(f"{value:%Y-%m-%d %H:%M:%S}")
    if isinstance(value, date):
        return _both(value.isoformat())
    if spec.meaning is Meaning.FEN and isinstance(value, int):
        amount = f"{value // 100:,}.{value % 100:02}"
        return Label(f"{amount} 元", f"CNY {amount}")
    if spec.meaning is Meaning.CODE and isinstance(value, str):
        return _code(spec.codes, value)
    return _both(str(value))


def _placed(content: FileContent) -> Iterator[tuple[str, Item]]:
    if content.file.structure is not Structure.VARIABLE:
        for number, row in enumerate(content.rows, 1):
            for index, item in enumerate(row, 1):
                yield f"{number}.{index}", item
        return
    seen: dict[int, int] = {}
    for item in content.items:
        tag = item.spec.tag
        seen[tag] = seen.get(tag, 0) + 1
        yield f"{tag:02X}:{seen[tag]}" if item.spec.count > 1 else f"{tag:02X}", item


def _row(place: str, item: Item) -> LabelledRow:
    name = Label(item.spec.name_zh, item.spec.name_en)
    return LabelledRow(place, name, in_words(item), item.value.raw, item.value.warnings)


def _inner_rows(place: str, item: Item) -> Iterator[LabelledRow]:
    if isinstance(item.value.value, tuple):
        for inner in item.value.value:
            yield _row(f"{place}.{inner.spec.tag:02X}", inner)


def _code(codes: str, code: str) -> Label:
    meaning = label(codes, code)
    if meaning is None:
        return _both(code)
    return Label(f"{meaning.zh}（{code}）", f"{meaning.en} ({code})")


def _bytes(value: bytes) -> Label:
    if len(value) <= _LONGEST_HEX:
        return _both(value.hex().upper())
    return Label(f"{len(value)} 字节", f"{len(value)} bytes")


def _both(text: str) -> Label:
    return Label(text, text)
