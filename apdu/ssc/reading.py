"""Reading record files with as few commands as the card allows (facts 3.9).

A whole file comes in one READ RECORD, one of more than 256 bytes in as many as it takes. Cards
differ in what they accept, so a card that refuses is read in the next simpler way, and the reader
remembers that for its other files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import IntEnum
from itertools import accumulate
from typing import TypeVar

from apdu.channel import CardChannel
from apdu.ssc.filespec import EfSpec, RecordSpec
from apdu.status import MalformedApdu, MalformedData, StatusError, StatusWord
from apdu.tlv import RecordTlv, leading_records, parse_records

LONGEST_ANSWER = 256
"""The most bytes that a short command brings back."""

BY_NUMBER, FROM_NUMBER_ON = 4, 5
"""How the low bits of P2 say what P1 means."""

LAST_NUMBER = 0xFE
_Read = TypeVar("_Read")
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
    """Reads the record files of one card, below its current DF."""

    def __init__(self, channel: CardChannel, reading: Reading = Reading.WHOLE_BY_SFI) -> None:
        self._channel = channel
        self.reading = reading

    def read(self, file: EfSpec) -> dict[int, bytes]:
        """The values of a variable file by tag; of records that share a tag, the first.

        Raises `StatusError` when the card does not let us read, `MalformedData` or
        `MalformedApdu` when it answers garbage.
        """
        return _by_tag(self.read_all(file))

    def read_all(self, file: EfSpec, *, beyond: bool = False) -> tuple[RecordTlv, ...]:
        """The records of a variable file in their order. Raises as `read` does.

        With `beyond`, also records that the file map does not know, wherever the card reads whole
        files; that costs a T=0 card a second command a file.
        """

        def read(reading: Reading) -> tuple[RecordTlv, ...]:
            p2 = address(self._channel, file, reading)
            if reading is Reading.BY_RECORD:
                return self._records(_single(file))
            return self._forward(file, p2, beyond=beyond)

        self.reading, records = in_some_way(read, self.reading)
        return records

    def read_items(self, file: EfSpec, tags: tuple[int, ...]) -> Mapping[int, bytes]:
        """The values of these tags alone, one command each; a tag the card lacks is left out."""
        self._channel.select_fid(file.fid)
        specs = (spec for tag in tags if (spec := file.record(tag)) is not None)
        return _by_tag(self._records((spec, None) for spec in specs))

    def salvage(self, file: EfSpec) -> tuple[RecordTlv, ...]:
        """What a damaged variable file still gives: the records that are whole.

        First those at the start of the file, then, one by one, those behind. Raises `StatusError`
        when the card refuses everything, `MalformedData` when nothing is left.
        """
        kept = self._undamaged_start(file)
        self._channel.select_fid(file.fid)
        for spec, number in _single(file)[len(kept) :]:
            with suppress(StatusError, MalformedData, MalformedApdu):
                kept.append(self._record(spec, number))
        if not kept:
            raise MalformedData(f"nothing in file {file.address} is a record")
        return tuple(kept)

    def _undamaged_start(self, file: EfSpec) -> list[RecordTlv]:
        p2 = address(self._channel, file, Reading.WHOLE_BY_SFI) | FROM_NUMBER_ON
        with suppress(StatusError, MalformedApdu):
            data = self._channel.read_record(1, p2, LONGEST_ANSWER)
            return list(leading_records(data)[0])
        return []

    def _forward(self, file: EfSpec, p2: int, *, beyond: bool) -> tuple[RecordTlv, ...]:
        """From record 1 to the last, as many at a time as an answer holds."""
        sizes = [spec.size for _, spec in file.numbered()]
        records: list[RecordTlv] = []
        most = LONGEST_ANSWER if beyond else _fitting(sizes)
        while len(records) < (LAST_NUMBER if beyond else len(sizes)):
            data = self._more(len(records) + 1, p2 | FROM_NUMBER_ON, most)
            if data is None:
                break
            more, rest = leading_records(data)
            if not records:
                _check_start(more, sizes)
            records += more
            if _is_filler(rest):
                break
            if rest and (len(data) < most or (not more and most == LONGEST_ANSWER)):
                raise MalformedData(f"file {file.address} goes on with what is no record")
            if len(data) < most:
                break
            # A record that was cut off is longer than it should be, and so may be the others.
            most = LONGEST_ANSWER if rest or beyond else _fitting(sizes[len(records) :])
        return tuple(records)

    def _more(self, number: int, p2: int, most: int) -> bytes | None:
        """What the file holds from record `number` on; None when it ends before."""
        try:
            return ask(lambda le: self._channel.read_record(number, p2, le), most)
        except StatusError as error:
            if error.sw == StatusWord.RECORD_NOT_FOUND and number > 1:
                return None
            raise

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
            data = ask(lambda le: channel.read_record_by_tag(spec.tag, le=le), spec.size)
        else:
            data = ask(lambda le: channel.read_record_by_number(number, le=le), spec.size)
        records = parse_records(data, lenient=True)
        if len(records) != 1 or records[0].tag != spec.tag:
            raise MalformedData(f"the card answered something else than record {spec.tag:02X}")
        return records[0]


def in_some_way(read: Callable[[Reading], _Read], reading: Reading) -> tuple[Reading, _Read]:
    """What `read` answers in this way of reading or the next simpler one that works, and which.

    Raises the `MalformedData` or `StatusError` of the last way; `MalformedData` of one before it
    counts more than that the simpler ones are refused.
    """
    damaged: MalformedData | None = None
    while True:
        try:
            return reading, read(reading)
        except MalformedData as error:
            # Part of a file, or something else: piece by piece it may make sense.
            if reading is Reading.BY_RECORD:
                raise
            damaged = error
        except StatusError as error:
            if error.sw not in _CANNOT:
                raise
            # A file that is not found though it was named in full is not there.
            is_missing = error.sw == StatusWord.FILE_NOT_FOUND and reading is Reading.WHOLE
            if reading is Reading.BY_RECORD or is_missing:
                raise damaged or error from None
        reading = Reading(reading + 1)


def _single(file: EfSpec) -> list[tuple[RecordSpec, int | None]]:
    """The records of a variable file, with their numbers where several share a tag."""
    return [(spec, number if spec.count > 1 else None) for number, spec in file.numbered()]


def address(channel: CardChannel, file: EfSpec, reading: Reading) -> int:
    """The file's part of P2: its short identifier, or nothing once it is selected here."""
    if reading is Reading.WHOLE_BY_SFI:
        return file.sfi << 3
    channel.select_fid(file.fid)
    return 0


def ask(read: Callable[[int], bytes], length: int) -> bytes:
    """Read what should have this length, or all of it where the card holds more.

    Asking for too much at once would cost every T=0 card a second command (6Cxx).
    """
    try:
        return read(length)
    except MalformedApdu:
        return read(LONGEST_ANSWER)


def _fitting(sizes: list[int]) -> int:
    """The bytes of as many of these records, from the first on, as one answer holds."""
    return next(
        (total for total in reversed(list(accumulate(sizes))) if total <= LONGEST_ANSWER),
        LONGEST_ANSWER,
    )


def _check_start(records: tuple[RecordTlv, ...], sizes: list[int]) -> None:
    """Raise `MalformedData` for one record where the whole file was asked for."""
    if len(records) == 1 and len(sizes) > 1 and sum(sizes[:2]) <= LONGEST_ANSWER:
        raise MalformedData("one record where the whole file was asked for")


def _is_filler(rest: bytes) -> bool:
    return bool(rest) and rest in (bytes(len(rest)), b"\xff" * len(rest))


def _by_tag(records: Iterable[RecordTlv]) -> dict[int, bytes]:
    values: dict[int, bytes] = {}
    for record in records:
        values.setdefault(record.tag, record.value)
    return values
