"""Strings of LD/T 33 that tell what a card holds (facts 6.2, 6.3).

Text and digits stand as on the card without their filler, bytes in upper-case hexadecimal. Bars,
carets and dollar signs frame the strings; where a card holds one it becomes U+FFFD.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from apdu.ssc.basic import BasicData
from apdu.ssc.file_content import FileContent
from apdu.ssc.files import Generation, file_map
from apdu.ssc.filespec import ItemType, Meaning
from apdu.ssc.values import Item, decode, read_digits, read_text

BAR, CARET, END = "|", "^", "$"

_ISSUER = ("SSSE", 0xEF05)
_ISSUED, _EXPIRES = 0x05, 0x06
_FRAMING = str.maketrans(dict.fromkeys(BAR + CARET + END, "\ufffd"))


def basic_line(basic: BasicData, terminal_number: str, device_number: str) -> str:
    """The eleven fields of a basic read, each with its bar (facts 6.2)."""
    return barred(
        basic.region,
        basic.ssn,
        basic.card_number,
        _hex(basic.card_id),
        basic.name,
        _hex(basic.historical),
        basic.version,
        _date(basic, _ISSUED),
        _date(basic, _EXPIRES),
        terminal_number,
        device_number,
    )


def barred(*fields: str) -> str:
    """Fields, each ended by a bar."""
    return "".join(f"{clean(field)}{BAR}" for field in fields)


def clean(text: str) -> str:
    """`text` without the characters that frame strings."""
    return text.translate(_FRAMING)


def item_text(item: Item | None) -> str:
    """One item; those inside a B-TLV are joined by carets. A missing one is empty."""
    if item is None:
        return ""
    spec, value, raw = item.spec, item.value.value, item.value.raw
    if spec.type is ItemType.BTLV:
        inside = {one.spec.tag: one for one in value} if isinstance(value, tuple) else {}
        return CARET.join(item_text(inside.get(sub.tag)) for sub in spec.sub)
    if spec.type is ItemType.B or spec.meaning is Meaning.BYTES:
        return _hex(raw)
    if spec.type is ItemType.CN:
        return read_digits(raw)
    return clean(value if isinstance(value, str) else read_text(raw))


def row_text(items: Iterable[Item]) -> str:
    """One record of a cyclic file: its items ended by carets, the record by a bar."""
    return "".join(f"{item_text(item)}{CARET}" for item in items) + BAR


def rows_text(content: FileContent) -> str:
    """All records of a cyclic file, newest first."""
    return "".join(map(row_text, content.rows))


def _date(basic: BasicData, tag: int) -> str:
    """Eight digits; the year alone where the card gives no more (facts 3.1)."""
    raw = basic.raw.get(tag, b"")
    spec = file_map(Generation.V2)[_ISSUER].record(tag)
    value = decode(raw, spec).value if spec else None
    if isinstance(value, date):
        return read_digits(raw)
    return str(value) if isinstance(value, int) else ""


def _hex(data: bytes) -> str:
    return data.hex().upper()
