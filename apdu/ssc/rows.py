"""Reading cyclic files: rows of one length without tags, newest first (facts 3.1, 3.9).

How many rows there are, and on some cards how long they are, only the card knows.
"""

from __future__ import annotations

from apdu.atr import is_contactless
from apdu.channel import CardChannel
from apdu.ssc.filespec import EfSpec
from apdu.ssc.reading import (
    BY_NUMBER,
    FROM_NUMBER_ON,
    LAST_NUMBER,
    LONGEST_ANSWER,
    Reading,
    address,
    ask,
    in_some_way,
)
from apdu.status import MalformedData, StatusError, StatusWord


class RowReader:
    """Reads the cyclic files of one card, below its current DF."""

    def __init__(self, channel: CardChannel, reading: Reading = Reading.WHOLE_BY_SFI) -> None:
        self._channel = channel
        self._reading = reading
        self._contactless = is_contactless(channel.atr)

    def read(self, file: EfSpec, length: int = 0) -> tuple[bytes, ...]:
        """The rows of `file`, newest first.

        `length` is that of a row where the card's is not the one in the file map. Raises
        `StatusError` when the card does not let us read, `MalformedData` or `MalformedApdu` when
        it answers garbage.
        """
        size = length or file.record_length

        def read(reading: Reading) -> tuple[bytes, ...]:
            p2 = address(self._channel, file, reading)
            if reading is Reading.BY_RECORD:
                return self._rows(p2 | BY_NUMBER, size, size)
            # A contactless card sends what there is. A T=0 card wants to be asked for no more
            # than that, and a row that is cut off would be sent for nothing.
            most = LONGEST_ANSWER if self._contactless else LONGEST_ANSWER // size * size
            return self._rows(p2 | FROM_NUMBER_ON, size, most)

        self._reading, rows = in_some_way(read, self._reading)
        return rows

    def row(self, file: EfSpec, number: int) -> bytes:
        """One row of `file`, the newest for `number` 1. Raises as `read` does."""

        def read(reading: Reading) -> bytes:
            p2 = address(self._channel, file, reading) | BY_NUMBER
            return ask(lambda le: self._channel.read_record(number, p2, le), file.record_length)

        self._reading, row = in_some_way(read, self._reading)
        return row

    def row_length(self, file: EfSpec) -> int:
        """How long this card's rows of `file` are, by its newest one. Raises as `read` does."""
        p2 = address(self._channel, file, self._reading)
        return len(self._channel.read_record(1, p2 | BY_NUMBER, LONGEST_ANSWER))

    def _rows(self, p2: int, size: int, most: int) -> tuple[bytes, ...]:
        """Rows from the newest on, in answers of up to `most` bytes, until there are no more."""
        rows: list[bytes] = []
        while len(rows) < LAST_NUMBER:
            try:
                data = self._channel.read_record(len(rows) + 1, p2, most)
            except StatusError as error:
                if error.sw == StatusWord.RECORD_NOT_FOUND:
                    break
                raise
            count, rest = divmod(len(data), size)
            rows += (data[at * size : (at + 1) * size] for at in range(count))
            if len(data) < most:
                if rest:
                    raise MalformedData(f"{rest} bytes are left behind the last row")
                break
        return tuple(rows)
