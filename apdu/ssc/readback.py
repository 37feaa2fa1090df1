"""Asking a card what it holds where something is to be written, or was (facts 7.5).

Nothing is taken from memory. What the files' rules for reading ask for must have been done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from apdu.command import SHORT_DATA_MAX
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.filespec import EfSpec
from apdu.ssc.intention import (
    Intention,
    RecordIntention,
    RowIntention,
    WriteState,
    record_spec,
)
from apdu.ssc.reading import ask
from apdu.ssc.rows import RowReader
from apdu.status import MalformedApdu, StatusError, StatusWord
from apdu.tlv import RecordTlv

_Read = TypeVar("_Read")


class ReadBack:
    """What one card holds. Methods raise `StatusError`, `MalformedApdu` or `MalformedData`."""

    def __init__(self, card: SocialSecurityCard) -> None:
        self._card = card

    def state(self, intention: Intention) -> WriteState:
        """Whether `intention` stands on the card."""
        if isinstance(intention, RowIntention):
            return intention.state(self.rows(intention.file))
        if isinstance(intention, RecordIntention):
            return intention.state(self.record(intention.file, intention.tag, intention.number))
        return intention.state(self.content(intention.file, intention.offset, len(intention.data)))

    def record(self, file: EfSpec, tag: int, number: int | None) -> bytes | None:
        """The record of this tag, or of this number, with tag and length; None without one."""
        channel = self._card.channel
        channel.select_fid(file.fid)

        def read(le: int) -> bytes:
            if number is None:
                return channel.read_record_by_tag(tag, le=le)
            return channel.read_record_by_number(number, le=le)

        return _unless_missing(lambda: ask(read, record_spec(file, tag).size), None)

    def rows(self, file: EfSpec) -> tuple[bytes, ...]:
        """The rows of a cyclic file, newest first."""
        reader = RowReader(self._card.channel, self._card.reader.reading)
        return _unless_missing(lambda: reader.read(file), ())

    def count(self, file: EfSpec) -> int:
        """How many records a variable file has, those that no specification knows too."""
        reader = self._card.reader
        nothing: tuple[RecordTlv, ...] = ()
        return len(_unless_missing(lambda: reader.read_all(file, beyond=True), nothing))

    def content(self, file: EfSpec, offset: int, length: int) -> bytes:
        """`length` bytes of a transparent file from `offset` on."""
        channel = self._card.channel
        channel.select_fid(file.fid)
        content = b""
        while len(content) < length:
            size = min(SHORT_DATA_MAX, length - len(content))
            chunk = channel.read_binary(offset + len(content), size)
            if not chunk:
                raise MalformedApdu("READ BINARY answered without data")
            content += chunk
        return content


def _unless_missing(read: Callable[[], _Read], nothing: _Read) -> _Read:
    """What `read` gives, or `nothing` where the card has no such record (6A83)."""
    try:
        return read()
    except StatusError as error:
        if error.sw == StatusWord.RECORD_NOT_FOUND:
            return nothing
        raise
