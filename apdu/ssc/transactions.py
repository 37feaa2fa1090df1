"""Transactions of the medical account as values: ordered, pending, done (facts 5.1, 7.5).

Amounts are whole fen. A `PendingDebit` or `PendingCredit` is what the terminal must keep before the
command that moves the money leaves: with it, and the same card, it can always be found out whether
the money moved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import ClassVar, TypeAlias

from apdu.crypto import Load, Purchase
from apdu.ssc.files import DIRECTORIES
from apdu.ssc.filespec import DfSpec
from apdu.ssc.identity import OneCard
from apdu.ssc.values import SHANGHAI, IllegalValue
from apdu.status import CardError

APPLICATION: DfSpec = DIRECTORIES["DF04"]
AMOUNT_MAX = 0xFFFFFFFF

_SHORTEST_ROW = 20


class TransactionKind(IntEnum):
    """What GET TRANSACTION PROOF is asked about; the log writes the same in ASCII (31, 32)."""

    LOAD = 1
    PURCHASE = 2


@dataclass(frozen=True, slots=True)
class PurchaseOrder:
    """What a purchase takes: from the account, and for the year's sums of self-pay and fund.

    `at` is when, with its zone. `key_index` (1 to 3) chooses the purchase key. Raises
    `IllegalValue`.
    """

    account_fen: int
    at: datetime
    self_pay_fen: int = 0
    fund_fen: int = 0
    key_index: int = 1

    def __post_init__(self) -> None:
        for name in ("account_fen", "self_pay_fen", "fund_fen"):
            check_amount(name, getattr(self, name))
        check_key_index(self.key_index)
        bcd_time(self.at)


@dataclass(frozen=True, slots=True)
class PendingDebit:
    """A purchase that the security module has allowed, and the card may have booked.

    `application` is the AID, `sequence` the card's offline counter (2 bytes) and `psam_sequence`
    the module's (4 bytes).
    """

    card: OneCard
    purchase: Purchase
    balance_before_fen: int = field(repr=False)
    sequence: bytes
    psam_sequence: bytes
    mac1: bytes = field(repr=False)
    application: bytes = APPLICATION.aid

    kind: ClassVar[TransactionKind] = TransactionKind.PURCHASE

    @property
    def command_data(self) -> bytes:
        """The data of DEBIT FOR PURCHASE."""
        return self.psam_sequence + self.purchase.time + self.mac1

    def is_row(self, row: bytes) -> bool:
        """Whether a row of the card's log (DF04 EF08) tells of this purchase."""
        purchase = self.purchase
        head = self.sequence + purchase.kind + purchase.terminal + purchase.time
        return _same_row(row, head + purchase.amounts)

    @property
    def tac_fields(self) -> bytes:
        """What the TAC is computed over."""
        return self.purchase.tac_fields(self.psam_sequence)

    @property
    def balance_after_fen(self) -> int:
        """What the account holds when it is done."""
        return self.balance_before_fen - self.purchase.account


@dataclass(frozen=True, slots=True)
class PendingCredit:
    """A load that the host has allowed, and the card may have booked.

    `sequence` is the card's online counter before the load (2 bytes), `mac2` the host's.
    """

    card: OneCard
    load: Load
    sequence: bytes
    mac2: bytes = field(repr=False)
    application: bytes = APPLICATION.aid

    kind: ClassVar[TransactionKind] = TransactionKind.LOAD

    @property
    def command_data(self) -> bytes:
        """The data of CREDIT FOR LOAD."""
        return self.load.time + self.mac2

    def is_row(self, row: bytes) -> bool:
        """Whether a row of the card's log tells of this load."""
        load = self.load
        head = self.sequence + load.kind + load.terminal + load.time
        return _same_row(row, head + load.amount.to_bytes(4, "big"))

    @property
    def tac_fields(self) -> bytes:
        """What the TAC is computed over."""
        return self.load.tac_fields(self.sequence)

    @property
    def balance_after_fen(self) -> int:
        """What the account holds when it is done."""
        return self.load.balance + self.load.amount


Pending: TypeAlias = PendingDebit | PendingCredit


@dataclass(frozen=True, slots=True)
class Done:
    """The card has booked `transaction`: its cryptograms say so.

    `mac` is MAC2 of a purchase, b"" of a load whose CREDIT was answered. `tac` goes to the centre.
    """

    transaction: Pending
    tac: bytes
    mac: bytes = b""

    @property
    def balance_after_fen(self) -> int:
        """What the account holds after it."""
        return self.transaction.balance_after_fen


@dataclass(frozen=True, slots=True)
class DoneEarlier:
    """The card's log has the transaction, but a later one has replaced its cryptograms."""

    transaction: Pending


@dataclass(frozen=True, slots=True)
class NotDone:
    """The card has not booked the transaction: it may begin again, as a new one (facts 7.5)."""

    transaction: Pending


class TransactionUncertain(CardError):
    """The card left, or answered garbage, while it booked. `pending` finds out, with this card."""

    code: ClassVar[str] = "ACCOUNT_TRANSACTION_UNCERTAIN"
    zh: ClassVar[str] = "交易结果未确认，请重新放回原卡，以免重复扣款。"
    en: ClassVar[str] = "It is not yet known whether the card was charged. Please put it back."
    remedy: ClassVar[str] = "Do not begin again: ask the same card for its proof (`resolve`)."

    def __init__(self, pending: Pending) -> None:
        super().__init__(f"{pending.kind.name} of counter {pending.sequence.hex()}")
        self.pending = pending


class DebitNotProved(CardError):
    """The card has booked, but the security module did not confirm its MAC2.

    `done` is kept and uploaded all the same; the cause says what the module found.
    """

    code: ClassVar[str] = "ACCOUNT_DEBIT_NOT_PROVED"
    zh: ClassVar[str] = "卡片已扣款，但终端校验未通过。请联系工作人员核实。"
    en: ClassVar[str] = "The card was charged, but its proof was not confirmed. Ask the staff."
    remedy: ClassVar[str] = "Keep the TAC for the centre, which decides; do not charge again."

    def __init__(self, done: Done) -> None:
        super().__init__(f"MAC2 of counter {done.transaction.sequence.hex()} was not confirmed")
        self.done = done


def bcd_time(at: datetime) -> bytes:
    """YYYYMMDDhhmmss in BCD, in Shanghai. Raises `IllegalValue` for a time without its zone."""
    if at.tzinfo is None:
        raise IllegalValue("item time takes a time with its zone")
    return bytes.fromhex(f"{at.astimezone(SHANGHAI):%Y%m%d%H%M%S}")


def check_amount(name: str, fen: int) -> None:
    """Raise `IllegalValue` for an amount that four bytes do not hold."""
    if not 0 <= fen <= AMOUNT_MAX:
        raise IllegalValue(f"item {name} takes 0 to {AMOUNT_MAX} fen")


def check_key_index(index: int) -> None:
    """Raise `IllegalValue` for an index that no card has."""
    if not 1 <= index <= 3:
        raise IllegalValue("item key_index takes 1 to 3")


def _same_row(row: bytes, expected: bytes) -> bool:
    """Whether `row` begins with `expected`, or is its start: some cards log one amount only."""
    length = min(len(row), len(expected))
    return length >= _SHORTEST_ROW and row[:length] == expected[:length]
