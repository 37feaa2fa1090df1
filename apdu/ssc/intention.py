"""What is to be written to a card, as values to keep until it is certainly there (facts 7.5).

A value is encoded and bounded when its intention is made, before anything is sent. An intention
also holds what stood in its place, so that a card that was pulled can be asked later which of the
two it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.filespec import UNTAGGED, EfSpec, RecordSpec, Structure
from apdu.ssc.identity import OneCard
from apdu.ssc.values import Encodable, IllegalValue, Plain, ValueTooLong, encode
from apdu.tlv import RecordTlv

_ISSUER = "SSSEEF05"
_CARD_ID, _CARD_NUMBER = 0x01, 0x07


class WriteState(Enum):
    """What a card holds where something was to be written."""

    WRITTEN = "written"
    NOT_WRITTEN = "not written"  # as it was before
    REWRITE = "re-write"  # neither: in part, or not comparable; writing it again is safe


@dataclass(frozen=True, slots=True)
class RecordIntention:
    """One record of a variable file.

    `record` has tag and length. `number` addresses it where the tag alone does not, else it is
    None. `before` is the record there now, None where there is none.
    """

    card: OneCard
    file: EfSpec
    record: bytes = field(repr=False)
    number: int | None = None
    before: bytes | None = field(default=None, repr=False)

    @property
    def tag(self) -> int:
        """The record's tag."""
        return self.record[0]

    def state(self, now: bytes | None) -> WriteState:
        """What `now`, the record that the card holds, means."""
        if now == self.record:
            return WriteState.WRITTEN
        return WriteState.NOT_WRITTEN if now == self.before else WriteState.REWRITE

    def require_card(self, card: SocialSecurityCard) -> None:
        """Raise `AnotherCard` unless `card` is the one that was to be written.

        An item that is being rewritten itself does not count.
        """
        issuer = self.file.address == _ISSUER
        self.card.require(
            card,
            by_id=not (issuer and self.tag == _CARD_ID),
            by_number=not (issuer and self.tag == _CARD_NUMBER),
        )


@dataclass(frozen=True, slots=True)
class RowIntention:
    """One new row of a cyclic file. `before` are the rows there now, newest first."""

    card: OneCard
    file: EfSpec
    row: bytes = field(repr=False)
    before: tuple[bytes, ...] = field(default=(), repr=False)

    def state(self, now: tuple[bytes, ...]) -> WriteState:
        """What `now`, the rows that the card holds, means.

        In a full file the oldest row makes room; one full of equal rows looks the same afterwards.
        """
        is_full = len(self.before) >= self.file.min_records
        if now == self.before and not (is_full and set(now) == {self.row}):
            return WriteState.NOT_WRITTEN
        expected = (self.row, *self.before)
        fits = len(now) == len(expected) or (is_full and len(now) == len(self.before))
        if fits and now == expected[: len(now)]:
            return WriteState.WRITTEN
        return WriteState.REWRITE

    def require_card(self, card: SocialSecurityCard) -> None:
        """Raise `AnotherCard` unless `card` is the one that was to be written."""
        self.card.require(card)


@dataclass(frozen=True, slots=True)
class BytesIntention:
    """Bytes of a transparent file from `offset` on.

    What was there is not kept: a photograph takes seconds to read, and writing it twice does no
    harm.
    """

    card: OneCard
    file: EfSpec
    offset: int
    data: bytes = field(repr=False)

    def state(self, now: bytes) -> WriteState:
        """What `now`, the bytes that the card holds there, means."""
        return WriteState.WRITTEN if now == self.data else WriteState.REWRITE

    def require_card(self, card: SocialSecurityCard) -> None:
        """Raise `AnotherCard` unless `card` is the one that was to be written."""
        self.card.require(card)


Intention: TypeAlias = RecordIntention | RowIntention | BytesIntention


def encoded_record(file: EfSpec, tag: int, value: Encodable) -> bytes:
    """The record of this tag, with tag and length. Raises `IllegalValue` or `ValueTooLong`."""
    _require(file, Structure.VARIABLE)
    spec = record_spec(file, tag)
    return bytes(RecordTlv(tag, encode(value, spec)))


def encoded_row(file: EfSpec, values: Sequence[Plain]) -> bytes:
    """A row of these values, one a field. Raises `IllegalValue` or `ValueTooLong`."""
    _require(file, Structure.CYCLIC)
    if len(values) != len(file.records):
        raise IllegalValue(f"a row of {file.address} takes {len(file.records)} values")
    row = b""
    for spec, value in zip(file.records, values, strict=True):
        try:
            row += encode(value, spec)
        except IllegalValue as error:
            # Fields have no tag to be named by.
            raise type(error)(f"item {spec.name_en!r} of {file.address}: {error}") from None
    return row


def bounded_bytes(file: EfSpec, offset: int, data: bytes) -> bytes:
    """`data`, which fits from `offset` on. Raises `IllegalValue` or `ValueTooLong`."""
    _require(file, Structure.TRANSPARENT)
    if offset < 0 or not data:
        raise IllegalValue(f"{file.address} takes at least one byte, from 0 on")
    if offset + len(data) > file.total:
        raise ValueTooLong(f"{file.address} takes {file.total} bytes")
    return data


def record_spec(file: EfSpec, tag: int) -> RecordSpec:
    """The definition of this tag. Raises `IllegalValue` when the file has none."""
    spec = None if tag == UNTAGGED else file.record(tag)
    if spec is None:
        raise IllegalValue(f"item {tag:02X} is not defined in {file.address}")
    return spec


def _require(file: EfSpec, structure: Structure) -> None:
    if file.structure is not structure:
        raise IllegalValue(f"{file.address} is a {file.structure.value} file")
