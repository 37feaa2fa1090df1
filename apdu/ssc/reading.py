"""Reading record files with as few commands as the card allows (facts 3.9).

A whole file comes in one READ RECORD. Cards differ in what they accept, so a card that refuses is
read in the next simpler way, and the reader remembers that for its other files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum

from apdu.channel import CardChannel
from apdu.ssc.filespec import EfSpec, RecordSpec
from apdu.status import MalformedApdu, MalformedData, StatusError, StatusWord
from apdu.tlv import RecordTlv, parse_records

_LONGEST_ANSWER = 256
_CANNOT = frozenset(
    {
        StatusWord.WRONG_LENGTH,
        StatusWord.INCOMPATIBLE_FILE,
        StatusWord.CONDITIONS_NOT_SATISFIED,
        StatusWord.NO_CURRENT_EF,
        StatusWord.WRONG_DATA,
        StatusWord.NOT_SUPPORTED_OR_LOCKED,
        StatusWord.FILE_NOT_FOUND,
        StatusWord.RECORD_NOT_FOUND,
        StatusWord.WRONG_P1_P2,
        StatusWord.OFFSET_OUTSIDE_FILE,
        StatusWord.INS_NOT_SUPPORTED,
        StatusWord.UNKNOWN_FAILURE,
    }
)
"""Refusals of the form of a command. Others (6982 above all) would meet any other form too."""


class Reading(IntEnum):
    """How a record file is read, the cheapest way first."""

    WHOLE_BY_SFI = 0  # one command, the file named in it
    WHOLE = 1  # SELECT the file, then one command
    BY_RECORD = 2  # SELECT the file, then one command a record


class RecordReader:
    """Reads the variable files of one card, below its current DF."""

    def __init__(self, channel: CardChannel, reading: Reading = Reading.WHOLE_BY_SFI) -> None:
        self._channel = channel
        self.reading = reading

    def read(self, file: EfSpec) -> dict[int, bytes]:
        """The values of `file` by tag; of records that share a tag, the first.

        Raises `StatusError` when the card does not let us read, `MalformedData` or
        `MalformedApdu` when it answers garbage.
        """
        return _by_tag(self.read_all(file))

    def read_all(self, file: EfSpec) -> tuple[RecordTlv, ...]:
        """The records of `file` in their order. Raises as `read` does."""
        reading = self.reading if file.total <= _LONGEST_ANSWER else Reading.BY_RECORD
        while True:
            try:
                records = self._read(file, reading)
            except StatusError as error:
                if reading is Reading.BY_RECORD or error.sw not in _CANNOT:
                    raise
            except MalformedData:
                # Part of a file: piece by piece it may make sense.
                if reading is Reading.BY_RECORD:
                    raise
            else:
                if file.total <= _LONGEST_ANSWER:
                    self.reading = reading
                return records
            reading = Reading(reading + 1)

    def read_items(self, file: EfSpec, tags: tuple[int, ...]) -> Mapping[int, bytes]:
        """The values of these tags alone, one command each; a tag the card lacks is left out."""
        self._channel.select_fid(file.fid)
        specs = (spec for tag in tags if (spec := file.record(tag)) is not None)
        return _by_tag(self._records((spec, None) for spec in specs))

    def _read(self, file: EfSpec, reading: Reading) -> tuple[RecordTlv, ...]:
        channel = self._channel
        if reading is Reading.WHOLE_BY_SFI:
            data = _ask(lambda le: channel.read_file_records(file.sfi, le), file.total)
            return _records_of(data, file)
        channel.select_fid(file.fid)
        if reading is Reading.WHOLE:
            data = _ask(lambda le: channel.read_file_records(0, le), file.total)
            return _records_of(data, file)
        return self._records(
            (spec, number if spec.count > 1 else None) for number, spec in file.numbered()
        )

    def _records(self, wanted: Iterable[tuple[RecordSpec, int | None]]) -> tuple[RecordTlv, ...]:
        """The records the card gives us; one that it refuses is left out, all of them is an error.

        By tag wherever that is enough, for record numbers differ between versions (facts 3.2).
        """
        records = []
        refusal: StatusError | None = None
        for spec, number in wanted:
            try:
                records.append(self._record(spec, number))
            except StatusError as error:
                if error.sw not in _CANNOT:
                    raise
                refusal = error
        if refusal is not None and not records:
            raise refusal
        return tuple(records)

    def _record(self, spec: RecordSpec, number: int | None) -> RecordTlv:
        channel = self._channel
        if number is None:
            data = _ask(lambda le: channel.read_record_by_tag(spec.tag, le=le), spec.size)
        else:
            data = _ask(lambda le: channel.read_record_by_number(number, le=le), spec.size)
        records = parse_records(data, lenient=True)
        if len(records) != 1 or records[0].tag != spec.tag:
            raise MalformedData(f"the card answered something else than record {spec.tag:02X}")
        return records[0]


def _ask(read: Callable[[int], bytes], length: int) -> bytes:
    """Read what should have this length, or all of it where the card holds more.

    Asking for too much at once would cost every T=0 card a second command (6Cxx).
    """
    try:
        return read(length)
    except MalformedApdu:
        return read(_LONGEST_ANSWER)


def _records_of(data: bytes, file: EfSpec) -> tuple[RecordTlv, ...]:
    records = parse_records(data, lenient=True)
    if len(records) == 1 and len(file.records) > 1:
        raise MalformedData("one record where the whole file was asked for")
    return records


def _by_tag(records: Iterable[RecordTlv]) -> dict[int, bytes]:
    values: dict[int, bytes] = {}
    for record in records:
        values.setdefault(record.tag, record.value)
    return values
