"""Writing files by their addresses, once their rules have been met (facts 6.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from apdu.command import SHORT_DATA_MAX
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.driver.address import FileData
from apdu.ssc.driver.result import DriverRefusal, ResultCode
from apdu.ssc.driver.text import CARET
from apdu.ssc.filespec import EfSpec, ItemType, RecordSpec, Structure
from apdu.ssc.intention import encoded_record, encoded_row
from apdu.ssc.values import Encodable, IllegalValue, Plain, ValueTooLong
from apdu.ssc.writing import WriteNotConfirmed
from apdu.status import StatusError, StatusWord


@dataclass(frozen=True, slots=True)
class _Record:
    """A record with tag and length; `number` where its tag is not enough to find it."""

    data: bytes = field(repr=False)
    number: int | None


@dataclass(frozen=True, slots=True)
class FileWrite:
    """What is to be written into one file, encoded and bounded before anything is sent."""

    file: EfSpec
    records: tuple[_Record, ...] = field(default=(), repr=False)
    row: bytes = field(default=b"", repr=False)
    content: bytes = field(default=b"", repr=False)

    def carry_out(self, card: SocialSecurityCard) -> None:
        """Write, and read back what the card lets us read.

        The file's key has been presented. Raises `WriteNotConfirmed` when something else stands
        there, and `StatusError` for what the card objects to.
        """
        channel = card.channel
        channel.select_fid(self.file.fid)
        for record in self.records:
            self._write_record(card, record)
        if self.row:
            channel.append_record(self.row)
            size = len(self.row)
            self._confirm(lambda: channel.read_record_by_number(1, le=size), self.row)
        for start in range(0, len(self.content), SHORT_DATA_MAX):
            self._write_bytes(card, start, self.content[start : start + SHORT_DATA_MAX])

    def _write_record(self, card: SocialSecurityCard, record: _Record) -> None:
        channel, data, number = card.channel, record.data, record.number
        if number is None:
            channel.update_record_by_tag(data[0], data)
            self._confirm(lambda: channel.read_record_by_tag(data[0], le=len(data)), data)
            return
        channel.update_record_by_number(number, data)
        self._confirm(lambda: channel.read_record_by_number(number, le=len(data)), data)

    def _write_bytes(self, card: SocialSecurityCard, at: int, chunk: bytes) -> None:
        card.channel.update_binary(at, chunk)
        self._confirm(lambda: card.channel.read_binary(at, len(chunk)), chunk)

    def _confirm(self, read: Callable[[], bytes], written: bytes) -> None:
        """A write key does not open a file to reading: one that stays closed is not compared."""
        try:
            held = read()
        except StatusError as error:
            if error.sw == StatusWord.SECURITY_STATUS_NOT_SATISFIED:
                return
            raise
        if held != written:
            raise WriteNotConfirmed(f"file {self.file.address}")


def prepare_write(file: EfSpec, data: FileData) -> FileWrite:
    """The write that `data` asks for.

    Raises -14 or -23 for data that do not fit the file, `IllegalValue` (-41) and `ValueTooLong`
    (-42) for values that do not fit their items.
    """
    return _WRITERS[file.structure](file, data)


def _record_write(file: EfSpec, data: FileData) -> FileWrite:
    items = data.address.items(file)
    if len(items) != len(data.values):
        raise DriverRefusal(ResultCode.ILLEGAL_DATA, f"{data.address.text} values")
    records = []
    for item, text in zip(items, data.values, strict=True):
        encoded = encoded_record(file, item.spec.tag, _encodable(item.spec, text))
        number = None
        if item.spec.count > 1:
            first = next(n for n, spec in file.numbered() if spec.tag == item.spec.tag)
            number = first + item.instance - 1
        records.append(_Record(encoded, number))
    return FileWrite(file, records=tuple(records))


def _row_write(file: EfSpec, data: FileData) -> FileWrite:
    """A new record: all its items, each ended by a caret."""
    data.address.require_whole()
    if len(data.values) != 1:
        raise DriverRefusal(ResultCode.ILLEGAL_DATA, f"{data.address.text} takes one record")
    texts = data.values[0].removesuffix(CARET).split(CARET)
    if len(texts) != len(file.records):
        raise DriverRefusal(ResultCode.ILLEGAL_DATA, f"{data.address.text} items")
    values = [_plain(spec, text) for spec, text in zip(file.records, texts, strict=True)]
    return FileWrite(file, row=encoded_row(file, values))


def _content_write(file: EfSpec, data: FileData) -> FileWrite:
    """The whole content, in hexadecimal."""
    data.address.require_whole()
    if len(data.values) != 1:
        raise DriverRefusal(ResultCode.ILLEGAL_DATA, f"{data.address.text} takes one content")
    content = _bytes(file.records[0], data.values[0])
    if len(content) != file.total:
        raise ValueTooLong(f"{file.address} takes {file.total} bytes, not {len(content)}")
    return FileWrite(file, content=content)


_WRITERS: dict[Structure, Callable[[EfSpec, FileData], FileWrite]] = {
    Structure.VARIABLE: _record_write,
    Structure.CYCLIC: _row_write,
    Structure.TRANSPARENT: _content_write,
}


def _encodable(spec: RecordSpec, text: str) -> Encodable:
    if spec.type is not ItemType.BTLV or not text:
        return _plain(spec, text)
    texts = text.split(CARET)
    if len(texts) != len(spec.sub):
        raise DriverRefusal(ResultCode.ILLEGAL_DATA, f"item {spec.tag:02X} parts")
    return [_plain(sub, one) for sub, one in zip(spec.sub, texts, strict=True)]


def _plain(spec: RecordSpec, text: str) -> Plain:
    """A value as `encode` takes it: bytes in hexadecimal, everything else as it is written."""
    return _bytes(spec, text) if spec.type is ItemType.B else text


def _bytes(spec: RecordSpec, text: str) -> bytes:
    try:
        if text and not text.isalnum():  # fromhex would let spaces pass
            raise ValueError
        return bytes.fromhex(text)
    except ValueError:
        raise IllegalValue(f"item {spec.name_en!r} takes hexadecimal digits") from None
