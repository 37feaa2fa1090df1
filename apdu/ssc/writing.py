"""Writing the card's application files, so that a card pulled in between leaves no doubt.

Facts 3.9 (forms), 3.5 and 4.1 (who may write), 7.5 (tearing). A write goes in three steps: make the
intention, which encodes the value and reads what is there; store it; carry it out. After each
UPDATE the card is asked for what it holds now. When the card leaves in the middle, `resume_write`
tells from the same card whether the value is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from apdu.command import SHORT_DATA_MAX
from apdu.pin import Pin
from apdu.sam import MessageModule, SecureAccessModule
from apdu.secure import DATA_MAX, SecureMessaging
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.entitlement import LINE_ERRORS, Entitlement
from apdu.ssc.filespec import EfSpec, Rule
from apdu.ssc.identity import OneCard
from apdu.ssc.intention import (
    BytesIntention,
    Intention,
    RecordIntention,
    RowIntention,
    WriteState,
    bounded_bytes,
    encoded_record,
    encoded_row,
    record_spec,
)
from apdu.ssc.keys import KeyName
from apdu.ssc.readback import ReadBack
from apdu.ssc.values import Encodable, IllegalValue, Plain
from apdu.status import (
    CardError,
    KeyNotAvailable,
    MalformedApdu,
    MalformedData,
    StatusError,
    StatusWord,
)

Progress = Callable[[int, int], object]
"""Is told the bytes written and the bytes to write in all."""

_ISSUER = "SSSEEF05"
_MESSAGE_KEYS = {key.spec.df: key for key in KeyName if key.spec.short}
_LAST_NUMBER = 0xFE


class NotWritable(CardError):
    """The file map says that only the card itself writes this file."""

    code: ClassVar[str] = "CARD_FILE_NOT_WRITABLE"
    remedy: ClassVar[str] = "Choose another file; no key opens this one for writing."


class FileFull(CardError):
    """6A84: there is no space for another record. Nothing was written."""

    code: ClassVar[str] = "CARD_FILE_FULL"
    remedy: ClassVar[str] = "Replace a record of this file instead of adding one."


class WriteNotConfirmed(CardError):
    """The card accepted an UPDATE, but holds something else."""

    code: ClassVar[str] = "CARD_WRITE_NOT_CONFIRMED"
    zh: ClassVar[str] = "卡片写入校验未通过，请联系工作人员。"
    en: ClassVar[str] = "What was written to the card does not read back. Please ask the staff."
    remedy: ClassVar[str] = "Write again; if it fails again the holder needs an exchange."


class WriteUncertain(CardError):
    """The card left while it was being written. `intention` finds out, with the same card."""

    code: ClassVar[str] = "CARD_WRITE_UNCERTAIN"
    zh: ClassVar[str] = "卡片被提前取出，写入未完成。请重新放回原卡。"
    en: ClassVar[str] = "The card left before it was written. Please put the same card back."
    remedy: ClassVar[str] = "Present the same card again; it tells what it holds."

    def __init__(self, intention: Intention) -> None:
        super().__init__(f"file {intention.file.address}")
        self.intention = intention


class _Updates(Protocol):
    """UPDATE in the current file: what the plain channel and secure messaging have in common."""

    def update_record_by_tag(self, tag: int, record: bytes) -> None: ...

    def update_record_by_number(self, number: int, record: bytes) -> None: ...

    def append_record(self, record: bytes) -> None: ...

    def update_binary(self, offset: int, data: bytes) -> None: ...


class CardWriter:
    """Writes the files of one card with one security module.

    `pin` is the holder's, for files that cannot be read back without it; `pin_verified` says that
    the card has seen it. With `secured`, a message module, every UPDATE carries a MAC.

    Methods raise `NotWritable`, `IllegalValue` or `ValueTooLong` naming the item, `PinNeeded`,
    `KeyNotAvailable`, `KeyRefused`, `NotAuthentic`, `StatusError` and the errors of the line.
    """

    def __init__(
        self,
        card: SocialSecurityCard,
        sam: SecureAccessModule,
        *,
        pin: Pin | None = None,
        pin_verified: bool = False,
        secured: MessageModule | None = None,
    ) -> None:
        self._card = card
        self._sam = sam
        self._entitlement = Entitlement(card, sam, pin, pin_verified=pin_verified)
        self._held = ReadBack(card)
        self._secured = secured

    # Intentions

    def record(
        self,
        file: EfSpec,
        tag: int,
        value: Encodable,
        *,
        instance: int = 1,
        by_number: bool = False,
    ) -> RecordIntention:
        """To write `value` over the record of this tag, or into a new one where there is none.

        `instance` counts records that share the tag, as the file map has them; those, and all with
        `by_number`, are addressed by their number. Raises `MalformedData` when the card has
        another record at that number.
        """
        record = encoded_record(file, tag, value)
        repeats = record_spec(file, tag).count
        if not 1 <= instance <= repeats:
            raise IllegalValue(f"item {tag:02X} stands {repeats} times in {file.address}")
        number = None
        if by_number or repeats > 1:
            number = next(n for n, spec in file.numbered() if spec.tag == tag) + instance - 1
        return self._record_intention(file, record, number)

    def new_record(self, file: EfSpec, tag: int, value: Encodable) -> RecordIntention:
        """To add a record behind the last one (facts 3.9: a number beyond the end)."""
        record = encoded_record(file, tag, value)
        self._open_to_read(file)
        return self._record_intention(file, record, self._held.count(file) + 1)

    def row(self, file: EfSpec, values: Sequence[Plain]) -> RowIntention:
        """To make a row of these values the newest one of a cyclic file."""
        row = encoded_row(file, values)
        self._require_writable(file)
        self._open_to_read(file)
        return RowIntention(OneCard.of(self._card), file, row, self._held.rows(file))

    def content(self, file: EfSpec, data: bytes, offset: int = 0) -> BytesIntention:
        """To write `data` into a transparent file from `offset` on."""
        bounded_bytes(file, offset, data)
        self._require_writable(file)
        return BytesIntention(OneCard.of(self._card), file, offset, data)

    # Carrying them out

    def write(
        self, intention: Intention, *, progress: Progress = lambda _done, _total: None
    ) -> None:
        """Write, and read back. Writing an intention again is safe, except for a row.

        Raises `WriteUncertain` when the card leaves in the middle, `FileFull` or
        `WriteNotConfirmed`.
        """
        intention.require_card(self._card)
        self._open_to_read(intention.file)
        self._entitlement.meet(intention.file.write)
        self._card.channel.select_fid(intention.file.fid)
        try:
            self._carry_out(intention, progress)
        except (*LINE_ERRORS, MalformedApdu) as error:
            raise WriteUncertain(intention) from error
        except StatusError as error:
            if error.sw == StatusWord.NO_SPACE:
                raise FileFull(f"file {intention.file.address}") from error
            if error.sw == StatusWord.MEMORY_FAILURE:
                raise WriteUncertain(intention) from error
            raise
        self._remember(intention)

    def resume(self, intention: Intention) -> WriteState:
        """What the card holds where `intention` was to write. Raises `AnotherCard`."""
        intention.require_card(self._card)
        self._open_to_read(intention.file)
        return self._held.state(intention)

    def _carry_out(self, intention: Intention, progress: Progress) -> None:
        if isinstance(intention, BytesIntention):
            self._write_bytes(intention, progress)
            return
        updates = self._updates(intention.file)
        if isinstance(intention, RowIntention):
            updates.append_record(intention.row)
        elif intention.number is None:
            updates.update_record_by_tag(intention.tag, intention.record)
        else:
            updates.update_record_by_number(intention.number, intention.record)
        if self._held.state(intention) is not WriteState.WRITTEN:
            raise WriteNotConfirmed(f"file {intention.file.address}")
        progress(1, 1)

    def _write_bytes(self, intention: BytesIntention, progress: Progress) -> None:
        updates, total = self._updates(intention.file), len(intention.data)
        size = DATA_MAX if self._secured else SHORT_DATA_MAX
        for start in range(0, total, size):
            chunk = intention.data[start : start + size]
            at = intention.offset + start
            updates.update_binary(at, chunk)
            if self._card.channel.read_binary(at, len(chunk)) != chunk:
                raise WriteNotConfirmed(f"file {intention.file.address} from {at}")
            progress(start + len(chunk), total)

    def _record_intention(self, file: EfSpec, record: bytes, number: int | None) -> RecordIntention:
        if number is not None and number > _LAST_NUMBER:
            raise IllegalValue(f"{file.address} has no record {number}")
        self._require_writable(file)
        self._open_to_read(file)
        before = self._held.record(file, record[0], number)
        if before is not None and before[:1] != record[:1]:
            raise MalformedData(f"record {number} of {file.address} is not item {record[0]:02X}")
        return RecordIntention(OneCard.of(self._card), file, record, number, before)

    # Who may

    def _require_writable(self, file: EfSpec) -> None:
        if file.write.rule is Rule.NEVER:
            raise NotWritable(f"file {file.address}")
        self._entitlement.require_means(file.write)

    def _open_to_read(self, file: EfSpec) -> None:
        """Meet the file's rule for reading: nothing is written that cannot be read back."""
        self._entitlement.require_means(file.read)
        self._card.enter(file.df)
        self._entitlement.meet(file.read)
        self._card.enter(file.df)

    def _updates(self, file: EfSpec) -> _Updates:
        if self._secured is None:
            return self._card.channel
        key = _MESSAGE_KEYS.get(file.df)
        if key is None:
            raise KeyNotAvailable(f"a card has no message key for {file.df}")
        return SecureMessaging(self._card.channel, self._card.identity, self._secured, key)

    def _remember(self, intention: Intention) -> None:
        """Keep what is known of EF05 in step with the card."""
        if isinstance(intention, RecordIntention) and intention.file.address == _ISSUER:
            value = intention.record[2:]
            self._card.issuer = {**self._card.issuer, intention.tag: value}


def resume_write(
    card: SocialSecurityCard,
    intention: Intention,
    sam: SecureAccessModule,
    *,
    pin: Pin | None = None,
    pin_verified: bool = False,
) -> WriteState:
    """After a card was pulled: what the same card holds now (facts 7.5).

    `WRITTEN` needs nothing more, `NOT_WRITTEN` and `REWRITE` another `write`. Raises `AnotherCard`.
    """
    return CardWriter(card, sam, pin=pin, pin_verified=pin_verified).resume(intention)
