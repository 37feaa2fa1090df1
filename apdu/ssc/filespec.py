"""The words the file map is written in: files, records, items, access rules (facts 3.1).

The tables in `apdu/ssc/maps/` are made of these values and nothing else; `apdu/ssc/files.py` is
where to look a file up. Tags and lengths are written in hexadecimal, as the specification does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from apdu.ssc.keys import KeyName

UNTAGGED = 0
"""The tag of a field that stands without one: in cyclic and transparent files (facts 3.1)."""


class ItemType(Enum):
    """How an item is encoded (facts 3.1)."""

    CN = "cn"  # packed BCD, left aligned, filled with nibble F
    AN = "an"  # ASCII or GBK, left aligned, filled with 00
    B = "b"  # raw bytes
    BTLV = "B-TLV"  # items of its own inside, with one-byte tags and lengths


class Meaning(Enum):
    """What an item's value stands for, where the encoding alone does not say it."""

    TEXT = "text"
    CODE = "code"  # of the code list the item names
    DATE = "date"  # YYYYMMDD
    MONTH = "month"  # YYYYMM
    YEAR = "year"  # YYYY
    TIME = "time"  # YYYYMMDDhhmmss, Shanghai time
    FEN = "fen"  # money: digits in cn, big-endian binary in b
    COUNT = "count"  # a whole number, as digits in an, big-endian binary in b
    REGION = "region"  # GB/T 2260, six digits
    BYTES = "bytes"  # kept as they are


class Structure(Enum):
    """How a file is organised (facts 3.1)."""

    VARIABLE = "variable"  # records of tag, length, value
    CYCLIC = "cyclic"  # records of one fixed form, newest first
    TRANSPARENT = "transparent"


class Rule(Enum):
    """What must have happened before a file may be read or written (facts 3.5, 6.3)."""

    FREE = "free"
    PIN = "PIN"
    KEY = "key"
    PIN_OR_KEY = "PIN or key"
    PIN_AND_KEY = "PIN and key"
    NEVER = "never"  # the card's own operating system only


class FileClass(Enum):
    """Whether cards use the file (V2.0, 5): active, defined but not yet active, or reserved."""

    ACTIVE = "active"
    PRESET = "preset"
    RESERVED = "reserved"


@dataclass(frozen=True, slots=True)
class Access:
    """An access rule, with the key of an external authentication where it needs one."""

    rule: Rule
    key: KeyName | None = None

    def __str__(self) -> str:
        return f"{self.rule.value} {self.key.name}" if self.key else self.rule.value


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """One record of a variable file, or one field of a record (facts 3.6).

    `length` is the value's, in bytes, without tag and length byte. `count` records of this tag
    stand one after the other. `sub` are the items inside a B-TLV value. `codes` names a list in
    `apdu/ssc/codes.py`. `renewed` is the V2.0 definition that a 1.0 card may hold in this record
    instead, and `renewed_by` the tag whose nibble-E fill says so (facts 3.7).
    """

    tag: int
    type: ItemType
    length: int
    name_zh: str
    name_en: str
    meaning: Meaning = Meaning.TEXT
    codes: str = ""
    count: int = 1
    sub: tuple[RecordSpec, ...] = ()
    renewed: RecordSpec | None = None
    renewed_by: int = UNTAGGED

    @property
    def size(self) -> int:
        """The bytes one such record takes, with tag and length byte if it has them."""
        return self.length + (2 if self.tag else 0)


@dataclass(frozen=True, slots=True)
class EfSpec:
    """One elementary file.

    `df` is the directory's name (SSSE, DF01 ... DF07). The `records` of a cyclic file are the
    fields of one record, and it holds at least `min_records` of these; a transparent file has one
    field.
    """

    df: str
    fid: int
    name_zh: str
    name_en: str
    structure: Structure
    read: Access
    write: Access
    records: tuple[RecordSpec, ...]
    min_records: int = 1
    file_class: FileClass = FileClass.ACTIVE

    @property
    def sfi(self) -> int:
        """The short file identifier: the low five bits of the file identifier (facts 3.1)."""
        return self.fid & 0x1F

    @property
    def address(self) -> str:
        """The file in the address language of LD/T 33, such as DF01EF0A (facts 6.3)."""
        return f"{self.df}EF{self.fid & 0xFF:02X}"

    @property
    def record_length(self) -> int:
        """The bytes of all records or fields once: a cyclic file's record, another file's whole."""
        return sum(record.size * record.count for record in self.records)

    @property
    def total(self) -> int:
        """The bytes of the full file, in a cyclic one with the least number of records."""
        return self.record_length * self.min_records

    def numbered(self) -> Iterator[tuple[int, RecordSpec]]:
        """The records of a variable file with their record numbers, repeats one by one."""
        number = 0
        for record in self.records:
            for _ in range(record.count):
                number += 1
                yield number, record

    def record(self, tag: int) -> RecordSpec | None:
        """The record with this tag, None when the file has none."""
        return next((record for record in self.records if record.tag == tag), None)


@dataclass(frozen=True, slots=True)
class DfSpec:
    """One directory: its file identifier, and the name or label that selects it (facts 2)."""

    name: str
    fid: int
    aid: bytes
    name_zh: str
    name_en: str


# The short forms that the tables use.

FREE = Access(Rule.FREE)
PIN = Access(Rule.PIN)
NEVER = Access(Rule.NEVER)


def by_key(key: KeyName) -> Access:
    """Only after external authentication with `key`."""
    return Access(Rule.KEY, key)


def pin_or(key: KeyName) -> Access:
    """After the PIN, or after external authentication with `key`."""
    return Access(Rule.PIN_OR_KEY, key)


def pin_and(key: KeyName) -> Access:
    """After both the PIN and external authentication with `key`."""
    return Access(Rule.PIN_AND_KEY, key)


def an(tag: int, length: int, zh: str, en: str) -> RecordSpec:
    """Text."""
    return RecordSpec(tag, ItemType.AN, length, zh, en)


def cn(tag: int, length: int, zh: str, en: str) -> RecordSpec:
    """Digits that are not a number: identifiers."""
    return RecordSpec(tag, ItemType.CN, length, zh, en)


def code(tag: int, length: int, zh: str, en: str, codes: str = "") -> RecordSpec:
    """A code in ASCII, of the list `codes` if we have it."""
    return RecordSpec(tag, ItemType.AN, length, zh, en, Meaning.CODE, codes)


def code_cn(tag: int, length: int, zh: str, en: str, codes: str = "") -> RecordSpec:
    """A code in BCD."""
    return RecordSpec(tag, ItemType.CN, length, zh, en, Meaning.CODE, codes)


def opaque(tag: int, length: int, zh: str, en: str) -> RecordSpec:
    """A cn item in which hexadecimal digits occur all the same: kept as bytes (facts 3.3, T3)."""
    return RecordSpec(tag, ItemType.CN, length, zh, en, Meaning.BYTES)


def date(tag: int, zh: str, en: str) -> RecordSpec:
    """A date, cn 4."""
    return RecordSpec(tag, ItemType.CN, 4, zh, en, Meaning.DATE)


def month(tag: int, zh: str, en: str) -> RecordSpec:
    """A month, cn 3."""
    return RecordSpec(tag, ItemType.CN, 3, zh, en, Meaning.MONTH)


def year(tag: int, zh: str, en: str) -> RecordSpec:
    """A year, cn 2."""
    return RecordSpec(tag, ItemType.CN, 2, zh, en, Meaning.YEAR)


def time(tag: int, zh: str, en: str) -> RecordSpec:
    """A point in time, cn 7."""
    return RecordSpec(tag, ItemType.CN, 7, zh, en, Meaning.TIME)


def region(tag: int, zh: str, en: str) -> RecordSpec:
    """A region code, cn 3."""
    return RecordSpec(tag, ItemType.CN, 3, zh, en, Meaning.REGION)


def fen(tag: int, zh: str, en: str) -> RecordSpec:
    """An amount in fen, cn 4."""
    return RecordSpec(tag, ItemType.CN, 4, zh, en, Meaning.FEN)


def fen_b(tag: int, zh: str, en: str) -> RecordSpec:
    """An amount in fen, four bytes binary."""
    return RecordSpec(tag, ItemType.B, 4, zh, en, Meaning.FEN)


def count(tag: int, length: int, zh: str, en: str) -> RecordSpec:
    """A whole number as ASCII digits."""
    return RecordSpec(tag, ItemType.AN, length, zh, en, Meaning.COUNT)


def count_b(tag: int, length: int, zh: str, en: str) -> RecordSpec:
    """A whole number, binary."""
    return RecordSpec(tag, ItemType.B, length, zh, en, Meaning.COUNT)


def b(tag: int, length: int, zh: str, en: str) -> RecordSpec:
    """Bytes."""
    return RecordSpec(tag, ItemType.B, length, zh, en, Meaning.BYTES)


def btlv(tag: int, length: int, times: int, zh: str, en: str, *sub: RecordSpec) -> RecordSpec:
    """`times` records with items inside; `length` is the published one, with inner headers."""
    return RecordSpec(tag, ItemType.BTLV, length, zh, en, count=times, sub=sub)
