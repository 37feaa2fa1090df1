"""Values of the card's items: from the card's bytes to typed values, and back.

Facts 3.1 (encodings), 3.3 (card id), 3.4 (card number). Decoding reads what can be read: faults
that real cards have (ASCII years, wrong padding, values too long) give a value and a warning,
never an exception. Encoding is strict, and refuses what does not fit.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import ClassVar, TypeAlias
from zoneinfo import ZoneInfo

from apdu.ssc.filespec import ItemType, Meaning, RecordSpec
from apdu.status import CardError
from apdu.tlv import leading_records

SHANGHAI = ZoneInfo("Asia/Shanghai")
APPLICATION_IDENTIFIER = bytes.fromhex("D156000005")

_CHECK_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Control and format characters (escape sequences, direction overrides) and line separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

Decoded: TypeAlias = "str | int | date | datetime | bytes | tuple[Item, ...] | None"
"""Text, digits and codes are str; counts, years and fen int; items inside a B-TLV a tuple.

A date of which the card gives the year alone is an int. None is an empty item.
"""

Plain: TypeAlias = "str | int | date | datetime | bytes | None"
Encodable: TypeAlias = "Plain | Sequence[Plain] | Mapping[int, Plain]"


class CardIdFormat(CardError):
    """The card id is not of the form that facts 3.3 prescribes (LD/T 33 code -20)."""

    code: ClassVar[str] = "CARD_ID_FORMAT"
    zh: ClassVar[str] = "卡识别码格式错误，不能使用。请到社区受理网点办理换领。"
    en: ClassVar[str] = "The card's identification code is malformed. Please have it exchanged."
    remedy: ClassVar[str] = "The card was personalised wrongly; the holder needs an exchange."


class IllegalValue(CardError):
    """A value that the item's encoding cannot hold (LD/T 33 code -41)."""

    code: ClassVar[str] = "CARD_VALUE_ILLEGAL"
    remedy: ClassVar[str] = "Correct the value to write; the message names the item."


class ValueTooLong(IllegalValue):
    """A value longer than its item (LD/T 33 code -42)."""

    code: ClassVar[str] = "CARD_VALUE_TOO_LONG"


@dataclass(frozen=True, slots=True)
class Value:
    """An item's value as read, the bytes it came from, and what was wrong with them.

    Warnings name the fault, never the value.
    """

    value: Decoded = field(repr=False)
    raw: bytes = field(repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """A value together with the definition it was read by."""

    spec: RecordSpec
    value: Value


def decode(raw: bytes, spec: RecordSpec) -> Value:
    """The value that `raw` holds by the definition `spec`."""
    warnings: list[str] = []
    if len(raw) != spec.length:
        warnings.append(f"{len(raw)} bytes where {spec.length} are defined")
    value = _decode(raw, spec, warnings.append)
    return Value(value, raw, tuple(warnings))


def encode(value: Encodable, spec: RecordSpec) -> bytes:
    """The bytes of `value` by the definition `spec`, padded to its length (facts 3.1).

    None or an empty text makes an empty item: FF in cn, 00 elsewhere. Text that is digits already
    is taken for dates, amounts and counts too; bytes are taken as they are. The items of a B-TLV
    are given in order, or by tag; those left out are empty. Raises `IllegalValue` or
    `ValueTooLong`.
    """
    if spec.type is ItemType.BTLV:
        return _encode_items(value, spec)
    if value is not None and not isinstance(value, str | int | date | bytes):
        raise IllegalValue(f"item {spec.tag:02X} takes one value")
    raw = value if isinstance(value, bytes) else _encode_plain(value, spec)
    if len(raw) > spec.length:
        raise ValueTooLong(f"item {spec.tag:02X} takes {spec.length} bytes, not {len(raw)}")
    filler = b"\xff" if spec.type is ItemType.CN else b"\x00"
    return raw.ljust(spec.length, filler)


def read_text(raw: bytes, warn: Callable[[str], None] = lambda _: None) -> str:
    """Text in ASCII or GBK (GB 18030, for names beyond GBK), up to its padding of 00 or FF.

    What cannot be decoded or printed becomes U+FFFD.
    """
    end = min((at for at in (raw.find(0x00), raw.find(0xFF)) if at >= 0), default=len(raw))
    if raw[end:].strip(b"\x00\xff "):
        warn("bytes after the end of the text")
    try:
        text = raw[:end].decode("gb18030")
    except UnicodeDecodeError:
        warn("bytes that are not text")
        text = raw[:end].decode("gb18030", "replace")
    if not text.isprintable():
        shown = "".join("�" if unicodedata.category(c) in _UNPRINTABLE else c for c in text)
        if shown != text:
            warn("characters that cannot be shown")
        text = shown
    return text.strip()


def read_digits(raw: bytes, warn: Callable[[str], None] = lambda _: None) -> str:
    """The digits of a cn item without its fill of nibble F; upper-case hex if they are not all."""
    digits = raw.hex().upper().rstrip("F")
    if digits and not digits.isdecimal():
        warn("digits that are not decimal")
    return digits


def check_character(body: str) -> str:
    """The check character of a card number whose first eight characters are `body` (facts 3.4).

    Raises `ValueError` when `body` is not eight digits or capital letters.
    """
    if len(body) != len(_CHECK_WEIGHTS):
        raise ValueError("a card number has eight characters before its check character")
    total = sum(
        _CHECK_ALPHABET.index(character) * weight
        for character, weight in zip(body, _CHECK_WEIGHTS, strict=True)
    )
    return {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))


def is_card_number(number: str) -> bool:
    """Whether a card number has nine characters and the right check character (facts 3.4).

    Cards with a wrong one are in use: warn, do not reject.
    """
    try:
        return check_character(number[:8]) == number[8:]
    except ValueError:
        return False


def check_card_id(card_id: bytes) -> None:
    """Raise `CardIdFormat` unless this is a card id by form (facts 3.3): 16 bytes, region decimal.

    Its authentication code cannot be checked by a terminal.
    """
    if len(card_id) != 16 or card_id[3:8] != APPLICATION_IDENTIFIER:
        raise CardIdFormat("not a card identification code")
    if not card_id[:3].hex().isdecimal():
        raise CardIdFormat("the card identification code does not start with a region")


def _decode(raw: bytes, spec: RecordSpec, warn: Callable[[str], None]) -> Decoded:
    if spec.type is ItemType.BTLV:
        return _read_items(raw, spec, warn)
    if spec.meaning is Meaning.BYTES:
        return raw
    if spec.type is ItemType.B:
        return None if raw.strip(b"\xff") == b"" else int.from_bytes(raw, "big")
    text = read_text(raw, warn) if spec.type is ItemType.AN else read_digits(raw, warn)
    reader = _READERS.get(spec.meaning)
    return reader(text, raw, warn) if reader else text


def _read_items(raw: bytes, spec: RecordSpec, warn: Callable[[str], None]) -> tuple[Item, ...]:
    records, rest = leading_records(raw)
    if rest.strip(b"\x00") and rest.strip(b"\xff"):
        warn("items that are not tag, length, value")
    by_tag = {item.tag: item for item in spec.sub}
    items = []
    for record in records:
        known = by_tag.get(record.tag)
        if known is None:
            warn(f"item {record.tag:02X} is not defined here")
            continue
        items.append(Item(known, decode(record.value, known)))
    return tuple(items)


def _read_date(digits: str, raw: bytes, warn: Callable[[str], None]) -> date | int | None:
    if not digits.strip("0"):
        return None
    try:
        if len(digits) == 8:
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        pass  # not a date in BCD: it may still be a year
    year = raw.decode("ascii", "ignore")
    if len(raw) == 4 and len(year) == 4 and year.isdecimal():
        warn("the year alone, in ASCII")
        return int(year)
    if len(digits) == 4 and digits.isdecimal():
        warn("the year alone")
        return int(digits)
    warn("not a date")
    return None


def _read_month(digits: str, raw: bytes, warn: Callable[[str], None]) -> str | None:  # noqa: ARG001  # one form for all readers
    if not digits.strip("0"):
        return None
    if len(digits) == 6 and digits.isdecimal() and "01" <= digits[4:] <= "12":
        return f"{digits[:4]}-{digits[4:]}"
    warn("not a month")
    return None


def _read_time(digits: str, raw: bytes, warn: Callable[[str], None]) -> datetime | None:  # noqa: ARG001  # see _read_month
    if not digits.strip("0"):
        return None
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        warn("not a time")
        return None


def _read_number(text: str, raw: bytes, warn: Callable[[str], None]) -> int | None:  # noqa: ARG001  # see _read_month
    if text.isascii() and text.isdecimal():
        return int(text)
    if text:
        warn("not a number")
    return None


_READERS: Mapping[Meaning, Callable[[str, bytes, Callable[[str], None]], Decoded]] = {
    Meaning.DATE: _read_date,
    Meaning.MONTH: _read_month,
    Meaning.YEAR: _read_number,
    Meaning.TIME: _read_time,
    Meaning.FEN: _read_number,
    Meaning.COUNT: _read_number,
}


def _encode_items(value: Encodable, spec: RecordSpec) -> bytes:
    if isinstance(value, bytes):
        raise IllegalValue(f"item {spec.tag:02X} is made of items, not of bytes")
    if value is None or isinstance(value, str | int | date):
        given: list[Plain] = [] if value is None else [value]
    elif isinstance(value, Mapping):
        given = [value.get(item.tag) for item in spec.sub]
    else:
        given = list(value)
    if len(given) > len(spec.sub):
        raise IllegalValue(f"item {spec.tag:02X} has {len(spec.sub)} items, not {len(given)}")
    given += [None] * (len(spec.sub) - len(given))
    return b"".join(
        bytes((item.tag, item.length)) + encode(one, item)
        for item, one in zip(spec.sub, given, strict=True)
    )


def _encode_plain(value: str | int | date | None, spec: RecordSpec) -> bytes:
    if value is None or value == "":
        return b""
    text = _as_text(value, spec)
    if spec.meaning is Meaning.BYTES:
        return _from_hex(text, spec)
    if spec.type is ItemType.B:
        try:
            return int(text).to_bytes(spec.length, "big")
        except (ValueError, OverflowError):
            raise IllegalValue(f"item {spec.tag:02X} takes a whole number") from None
    if spec.type is ItemType.CN:
        if not (text.isascii() and text.isdecimal()):
            raise IllegalValue(f"item {spec.tag:02X} takes digits only")
        return _from_hex(text + "F" * (len(text) % 2), spec)
    try:
        return text.encode("gb18030")
    except UnicodeEncodeError:
        raise IllegalValue(f"item {spec.tag:02X} takes text of GB 18030 only") from None


def _as_text(value: str | int | date, spec: RecordSpec) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise IllegalValue(f"item {spec.tag:02X} takes a time with its zone")
        return value.astimezone(SHANGHAI).strftime("%Y%m%d%H%M%S")
    if isinstance(value, date):
        return f"{value.year:04}{value.month:02}{value.day:02}"
    if isinstance(value, str) and spec.meaning in (Meaning.DATE, Meaning.MONTH):
        return value.replace("-", "")
    # Numbers stand right-aligned with leading zeros; in BCD two digits go into a byte.
    numeric = spec.meaning in (Meaning.FEN, Meaning.COUNT) or isinstance(value, int)
    if numeric and spec.type is not ItemType.B:
        return str(value).zfill(spec.length * 2 if spec.type is ItemType.CN else spec.length)
    return str(value)


def _from_hex(text: str, spec: RecordSpec) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise IllegalValue(f"item {spec.tag:02X} takes hexadecimal digits") from None
