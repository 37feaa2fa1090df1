"""The medical account on the card: balance, purchase, load, proof, log (DF04, CLA B0; facts 5.1).

Money moves with one command, DEBIT or CREDIT. Before it leaves, the caller is handed what it must
keep to find out later; when the answer is lost the transaction is *uncertain*, and `resolve` asks
the same card whether it booked (facts 7.5). Nothing is ever begun again by itself.

INITIALIZE, balances and log want the PIN (`SocialSecurityCard.verify_pin`); the proof does not.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from apdu.command import Command
from apdu.crypto import Load, Purchase
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.sam import KeyName, MessageModule, PurchaseModule, SecureAccessModule
from apdu.ssc.account_errors import (
    NOT_BOOKED,
    AccountError,
    CardCryptogramWrong,
    ProofNotAvailable,
    WrongTransactionState,
    account_error,
)
from apdu.ssc.account_log import AccountRecord, log_rows
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.identity import OneCard
from apdu.ssc.transactions import (
    APPLICATION,
    DebitNotProved,
    Done,
    DoneEarlier,
    NotDone,
    Pending,
    PendingCredit,
    PendingDebit,
    PurchaseOrder,
    TransactionKind,
    TransactionUncertain,
    bcd_time,
    check_amount,
    check_key_index,
)
from apdu.ssc.values import IllegalValue
from apdu.status import (
    CardError,
    MalformedApdu,
    MalformedData,
    SecurityModuleError,
    StatusError,
    StatusWord,
)

_CLA = 0xB0
_GET_BALANCE, _INITIALIZE, _CREDIT, _DEBIT, _PROOF, _STARTING_DAY = (
    0x26, 0x28, 0x2A, 0x2C, 0x2E, 0x56,
)  # fmt: skip
_ASCII = 0x30


@dataclass(frozen=True, slots=True)
class YearSum:
    """What was booked in a payment year so far. `year` is four digits, "0000" before the first."""

    fen: int = field(repr=False)
    year: str


@dataclass(frozen=True, slots=True)
class BegunPurchase:
    """What the card answered to INITIALIZE FOR PURCHASE, with its balance in fen before it."""

    request: PurchaseRequest
    balance_fen: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """What GET TRANSACTION PROOF answers: the cryptograms of the last change of the balance."""

    mac: bytes
    tac: bytes


class MedicalAccount:
    """The account of one card whose environment is selected.

    Every method raises the `AccountError` that the card's status word means, `PinNeeded`,
    `MalformedApdu` or `MalformedData` for garbage, `StatusError` for any other word, and the
    errors of the line.
    """

    def __init__(self, card: SocialSecurityCard) -> None:
        self._card = card

    def balance(self) -> int:
        """The balance in fen."""
        return _number(self._call(_GET_BALANCE, 0, 1, le=4))

    def year_self_pay(self) -> YearSum:
        """What the holder paid himself in the payment year."""
        return self._year_sum(2)

    def year_fund(self) -> YearSum:
        """What the pooled fund paid in the payment year."""
        return self._year_sum(3)

    def starting_day(self) -> tuple[int, int]:
        """The month and the day on which a payment year begins."""
        digits = self._call(_STARTING_DAY, 1, 0, le=2).hex()
        if not digits.isdecimal():
            raise MalformedData("the starting day is not made of digits")
        return int(digits[:2]), int(digits[2:])

    def set_starting_day(
        self, month: int, day: int, module: SecureAccessModule, *, key_number: int
    ) -> None:
        """Change the day on which a payment year begins, after authentication with DSK.

        `key_number` is DSK's on this card: its issuer tells it, no source publishes it. Raises
        `IllegalValue` for a day that is none, and what `SocialSecurityCard.authorise` raises.
        """
        try:
            start = bytes.fromhex(f"{date(2000, month, day):%m%d}")
        except ValueError:
            raise IllegalValue("item starting_day takes a month and one of its days") from None
        self._card.authorise(module, KeyName.DSK, number=key_number)
        self._call(_STARTING_DAY, 0, 0, start, le=None)

    def records(self) -> tuple[AccountRecord, ...]:
        """The log of loads and purchases (EF08), newest first."""
        return tuple(map(AccountRecord.parse, self._log()))

    def purchase(
        self,
        order: PurchaseOrder,
        module: PurchaseModule,
        *,
        keep: Callable[[PendingDebit], None],
    ) -> Done:
        """Debit the account, and let card and module prove it to each other.

        `keep` must have stored what it is given when it returns; DEBIT leaves after it. Raises
        `TransactionUncertain` when the answer to DEBIT is lost, `DebitNotProved` when the module
        does not confirm the card's MAC2, and the module's own errors before anything is debited.
        """
        begun = self.begin_purchase(order, module.terminal_number)
        permit = module.permit_purchase(self._card.identity, begun.request)
        return _confirmed(self.debit(begun, permit, keep=keep), module)

    def begin_purchase(self, order: PurchaseOrder, terminal_number: str) -> BegunPurchase:
        """INITIALIZE FOR PURCHASE: the card says what a module needs for MAC1.

        For a module that is asked by somebody else; `purchase` does all of it.
        """
        terminal = bytes.fromhex(terminal_number)
        purchase = Purchase(
            order.account_fen, order.self_pay_fen, order.fund_fen, terminal, bcd_time(order.at)
        )
        data = bytes((order.key_index,)) + purchase.amounts + terminal
        answer = self._initialize(1, data, 0x16)
        request = PurchaseRequest(purchase, answer[18:22], answer[14:16], answer[16])
        return BegunPurchase(request, _number(answer[:4]))

    def debit(
        self,
        begun: BegunPurchase,
        permit: PurchasePermit,
        *,
        keep: Callable[[PendingDebit], None],
    ) -> Done:
        """DEBIT FOR PURCHASE with the module's permit; MAC2 is in the answer, unchecked.

        Raises as `purchase` does, except `DebitNotProved`.
        """
        request = begun.request
        pending = PendingDebit(
            OneCard.of(self._card),
            replace(request.purchase, time=permit.time),
            begun.balance_fen,
            request.sequence,
            permit.sequence,
            permit.mac1,
        )
        keep(pending)
        answer = self._book(_DEBIT, 1, 8, pending)
        return Done(pending, answer[:4], answer[4:])

    def load(
        self,
        amount_fen: int,
        at: datetime,
        module: MessageModule,
        *,
        keep: Callable[[PendingCredit], None],
        key_index: int = 1,
    ) -> Done:
        """Credit the account, which `module`, holding the load key, allows.

        Raises `CardCryptogramWrong` when the card does not prove its balance; otherwise as
        `purchase`.
        """
        check_amount("amount_fen", amount_fen)
        check_key_index(key_index)
        terminal, time = _terminal(module), bcd_time(at)
        data = bytes((key_index,)) + amount_fen.to_bytes(4, "big") + terminal
        begun = self._initialize(0, data, 0x10)
        load = Load(_number(begun[:4]), amount_fen, terminal, time)
        factor = begun[8:12] + begun[4:6] + b"\x80\x00"
        card = self._card.identity
        expected = module.message_mac(card, KeyName.DLK, factor, load.mac1_fields)
        if not hmac.compare_digest(expected, begun[12:16]):
            raise CardCryptogramWrong("MAC1 of the load is wrong")
        mac2 = module.message_mac(card, KeyName.DLK, factor, load.mac2_fields)
        pending = PendingCredit(OneCard.of(self._card), load, begun[4:6], mac2)
        keep(pending)
        return Done(pending, self._book(_CREDIT, 0, 4, pending))

    def prove(self, kind: TransactionKind, sequence: bytes) -> Proof:
        """The proof of the transaction with this counter, if it was the last of its account.

        The kind is sent as a number, and in ASCII to a card that knows only that form (facts 9).
        Raises `ProofNotAvailable`.
        """
        try:
            answer = self._call(_PROOF, 0, kind, sequence, le=8)
        except StatusError as error:
            if error.sw != StatusWord.WRONG_P1_P2:
                raise
            answer = self._call(_PROOF, 0, _ASCII | kind, sequence, le=8)
        return Proof(answer[:4], answer[4:])

    def resolve(
        self, pending: Pending, module: PurchaseModule | None = None
    ) -> Done | DoneEarlier | NotDone:
        """Whether the card has booked what was interrupted; the card's answer decides (facts 7.5).

        With `module`, the one that allowed the purchase and has allowed none since, MAC2 is
        checked too. The card keeps one proof, and a counter that was not used up goes to the next
        transaction, wherever that is: where the proof alone does not tell whose it is, the log
        does, which takes the PIN. Raises `PinNeeded` then, `AnotherCard`, `DebitNotProved`, or
        `ProofNotAvailable` when the log does not reach back so far.
        """
        pending.card.require(self._card)
        try:
            proof = self.prove(pending.kind, pending.sequence)
        except ProofNotAvailable:
            logged = self._is_logged(pending, otherwise=False)
            return DoneEarlier(pending) if logged else NotDone(pending)
        done = Done(pending, proof.tac, proof.mac)
        if isinstance(pending, PendingCredit):
            is_ours = hmac.compare_digest(proof.mac, pending.mac2)
            return done if is_ours else NotDone(pending)
        fault: DebitNotProved | None = None
        if module is not None:
            try:
                return _confirmed(done, module)
            except DebitNotProved as error:
                fault = error
        if not self._is_logged(pending, otherwise=True):
            return NotDone(pending)
        if fault is not None:
            raise fault
        return done

    def _year_sum(self, p2: int) -> YearSum:
        answer = self._call(_GET_BALANCE, 0, p2, le=6)
        return YearSum(_number(answer[:4]), answer[4:].hex())

    def _initialize(self, p1: int, data: bytes, le: int) -> bytes:
        """Begin a transaction. One that an earlier visitor left open is ended by this (6901)."""
        try:
            return self._call(_INITIALIZE, p1, 1, data, le=le)
        except WrongTransactionState:
            return self._call(_INITIALIZE, p1, 1, data, le=le)

    def _book(self, ins: int, p1: int, le: int, pending: Pending) -> bytes:
        """DEBIT or CREDIT. Raises `TransactionUncertain` unless the card certainly refused."""
        command = Command(_CLA, ins, p1, 0, pending.command_data, le=le)
        try:
            answer = self._card.channel.call(command, _what(ins))
        except StatusError as error:
            if error.sw in NOT_BOOKED:
                raise account_error(error) from error
            raise TransactionUncertain(pending) from error
        except CardError as error:
            raise TransactionUncertain(pending) from error
        if len(answer) != le:
            raise TransactionUncertain(pending)
        return answer

    def _call(self, ins: int, p1: int, p2: int, data: bytes = b"", *, le: int | None) -> bytes:
        what = _what(ins)
        try:
            self._card.enter(APPLICATION.name)
            answer = self._card.channel.call(Command(_CLA, ins, p1, p2, data, le=le), what)
        except StatusError as error:
            raise account_error(error) from error
        if len(answer) != (le or 0):
            raise MalformedApdu(f"{what}: {len(answer)} bytes instead of {le}")
        return answer

    def _log(self) -> tuple[bytes, ...]:
        try:
            return log_rows(self._card)
        except StatusError as error:
            raise account_error(error) from error

    def _is_logged(self, pending: Pending, *, otherwise: bool) -> bool:
        """Whether the log has it; `otherwise` where the proof is the last word: it does not open.

        Raises `PinNeeded`, or `ProofNotAvailable` when the row of its counter was overwritten.
        """
        try:
            rows = self._log()
        except (AccountError, StatusError, MalformedData, MalformedApdu):
            return otherwise
        if any(map(pending.is_row, rows)):
            return True
        kind = bytes((_ASCII | pending.kind,))
        counters = [row[:2] for row in rows if row[2:3] == kind]
        if pending.sequence not in counters and pending.sequence < max(counters, default=b""):
            raise ProofNotAvailable("the log does not reach back to this transaction")
        return False


def _confirmed(done: Done, module: PurchaseModule) -> Done:
    try:
        module.complete_purchase(done.mac)
    except SecurityModuleError as error:
        raise DebitNotProved(done) from error
    return done


def _terminal(module: PurchaseModule | MessageModule) -> bytes:
    return bytes.fromhex(module.terminal_number)


def _what(ins: int) -> str:
    return f"medical account command {ins:02X}"


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")
