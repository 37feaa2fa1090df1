"""The file address language of LD/T 33 (facts 6.3).

`DF01EF0A|37|$DF01EF15|2A|40:2|$` names two files and three items. The strings to write, and those
that were read, have the same frame with values in the place of tags. Some vendors say MF for SSSE,
and put the number of a record behind a colon (`DF04EF08:01$`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from apdu.ssc.driver.result import DriverRefusal, ResultCode
from apdu.ssc.driver.text import BAR, END
from apdu.ssc.files import file_map
from apdu.ssc.filespec import EfSpec, RecordSpec

LONGEST_ADDRESS = 1024
LONGEST_DATA = 20 * 1024

_FILE = re.compile(r"(SSSE|MF|DF[0-9A-F]{2})EF([0-9A-F]{2})(?::([0-9]{1,3}))?")
_ITEM = re.compile(r"([0-9A-F]{2})(?::([0-9]{1,2}))?")
_NUMBER = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class ItemAddress:
    """One item of a variable file; `instance` counts those that share its tag."""

    spec: RecordSpec
    instance: int


@dataclass(frozen=True, slots=True)
class FileAddress:
    """One file as it is named, with what stands between its bars."""

    text: str
    df: str
    fid: int
    elements: tuple[str, ...]

    def file(self, version: str) -> EfSpec:
        """The file on a card of this version. Raises -27266 where there is none."""
        file = file_map(version).get((self.df, self.fid))
        if file is None:
            raise DriverRefusal(ResultCode.FILE_NOT_FOUND, self.text)
        return file

    def items(self, file: EfSpec) -> tuple[ItemAddress, ...]:
        """The items of a variable file. Raises -14, or -27267 for one that it has not got."""
        if not self.elements:
            raise DriverRefusal(ResultCode.BAD_PARAMETER, f"{self.text} without items")
        return tuple(self._item(file, element) for element in self.elements)

    def row(self) -> int | None:
        """The number of a record of a cyclic file, None for all of them. Raises -14."""
        if not self.elements:
            return None
        number = self.elements[0]
        if len(self.elements) > 1 or not _NUMBER.fullmatch(number) or not 0 < int(number) < 255:
            raise DriverRefusal(ResultCode.BAD_PARAMETER, f"{self.text} record number")
        return int(number)

    def require_whole(self) -> None:
        """Raise -14 unless the file is named without items."""
        if self.elements:
            raise DriverRefusal(ResultCode.BAD_PARAMETER, f"{self.text} has no items")

    def _item(self, file: EfSpec, element: str) -> ItemAddress:
        match = _ITEM.fullmatch(element)
        if match is None:
            raise DriverRefusal(ResultCode.BAD_PARAMETER, f"{self.text} item")
        tag, instance = int(match[1], 16), int(match[2] or 1)
        spec = file.record(tag) if tag else None
        if spec is None or not 1 <= instance <= spec.count:
            raise DriverRefusal(ResultCode.RECORD_NOT_FOUND, f"{self.text} item {element}")
        return ItemAddress(spec, instance)


@dataclass(frozen=True, slots=True)
class FileData:
    """What is to be written into one file: a value an item, a record, or a whole content."""

    address: FileAddress
    values: tuple[str, ...] = field(repr=False)


def parse_addresses(text: str) -> tuple[FileAddress, ...]:
    """The files that `text` names, at least one. Raises -14."""
    if len(text) > LONGEST_ADDRESS:
        raise DriverRefusal(ResultCode.BAD_PARAMETER, "pFileAddr is too long")
    return tuple(_address(part) for part in _parts(text, ResultCode.BAD_PARAMETER))


def parse_data(text: str, addresses: Sequence[FileAddress]) -> tuple[FileData, ...]:
    """The values for the files of `addresses`, in the same order. Raises -23."""
    if len(text) > LONGEST_DATA:
        raise DriverRefusal(ResultCode.ILLEGAL_DATA, "pWriteData is too long")
    parts = _parts(text, ResultCode.ILLEGAL_DATA)
    if len(parts) != len(addresses):
        raise DriverRefusal(ResultCode.ILLEGAL_DATA, "pWriteData does not mirror pFileAddr")
    return tuple(_data(part, address) for part, address in zip(parts, addresses, strict=True))


def _parts(text: str, otherwise: ResultCode) -> list[str]:
    parts = text.removesuffix(END).split(END)
    if not all(parts):
        raise DriverRefusal(otherwise, "a file without a name")
    return parts


def _address(part: str) -> FileAddress:
    name, *elements = _fields(part)
    match = _FILE.fullmatch(name.upper())
    if match is None:
        raise DriverRefusal(ResultCode.BAD_PARAMETER, "pFileAddr names no file")
    if match[3]:
        elements.insert(0, match[3])
    df = "SSSE" if match[1] == "MF" else match[1]
    fid = 0xEF00 | int(match[2], 16)
    return FileAddress(name.upper(), df, fid, tuple(element.upper() for element in elements))


def _data(part: str, address: FileAddress) -> FileData:
    name, *values = _fields(part)
    if name.upper() != address.text:
        raise DriverRefusal(ResultCode.ILLEGAL_DATA, "pWriteData names another file")
    return FileData(address, tuple(values))


def _fields(part: str) -> list[str]:
    """What stands between the bars; there is one after the last field."""
    return part.removesuffix(BAR).split(BAR)
