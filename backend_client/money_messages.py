"""The messages about money beyond trial and confirm: cancellations, statements, records, upload.

As `messages.py`: the schemas are the definition, a test holds the two equal. Money is whole fen.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from backend_client.codec import Message
from backend_client.messages import CardRef, InsuranceKind, OperationOutcome, Scheme, Split

__all__ = [
    "Benefit",
    "BenefitConfirmation",
    "BenefitList",
    "BenefitReceipt",
    "CancelRequest",
    "Cancellation",
    "ContributionBill",
    "ContributionBills",
    "ContributionPayment",
    "ContributionRequest",
    "DayTotal",
    "DebitRecord",
    "DebitUpload",
    "MoneyRecords",
    "MoneyState",
    "ProvisionalUpload",
    "Scope",
    "SettlementRecord",
    "Statement",
    "StatementLine",
    "StatementRequest",
    "UploadReceipt",
]

Scope = Literal["terminal", "institution"]
"""Whose bookings are compared: those of one terminal, or of every terminal of its institution."""


@dataclass(frozen=True, slots=True)
class CancelRequest(Message):
    """结算撤销: take back a whole settlement that this terminal made."""

    schema: ClassVar[str] = "cancel-request:1"
    number: str
    card: CardRef
    settlement_number: str
    settlement_id: str


@dataclass(frozen=True, slots=True)
class Cancellation(Message):
    """A settlement taken back; `split` is what was given back to each payer."""

    schema: ClassVar[str] = "cancellation:1"
    number: str
    cancellation_id: str
    settlement_id: str
    split: Split
    cancelled_at: dt.datetime
    current_account_after_fen: int
    past_accounts_after_fen: int
    scheme: Scheme = "employee"


@dataclass(frozen=True, slots=True)
class StatementRequest(Message):
    """对账: asks what the centre has booked on that day, with lines or not.

    `skip` is how many lines the answer leaves out at the beginning: lines come in pages.
    """

    schema: ClassVar[str] = "statement-request:1"
    day: dt.date
    lines: bool
    scope: Scope = "terminal"
    skip: int = 0


@dataclass(frozen=True, slots=True)
class DayTotal(Message):
    """The sums of one day by type (settlements or refunds) and insurance. All are positive."""

    schema: ClassVar[str] = "statement:1#/$defs/day_total"
    refund: bool
    scheme: Scheme
    count: int
    total_fen: int
    fund_fen: int
    account_fen: int
    cash_fen: int


@dataclass(frozen=True, slots=True)
class StatementLine(Message):
    """One settlement or refund of a day, as one side has booked it. Amounts are positive.

    `terminal` is whose it is, where that is told; `visit_id` and `person_id` are what a channel
    calls visit and person, where its own statement asks for them (3202). None of these makes two
    lines differ.
    """

    schema: ClassVar[str] = "statement:1#/$defs/statement_line"
    number: str
    settlement_id: str
    refund: bool
    scheme: Scheme
    total_fen: int
    fund_fen: int
    account_fen: int
    cash_fen: int
    terminal: str | None = field(default=None, compare=False)
    visit_id: str | None = field(default=None, compare=False)
    person_id: str | None = field(default=None, compare=False, repr=False)

    @property
    def booking(self) -> tuple[str, str, bool]:
        """What tells it from every other booking: two terminals may have given the same number."""
        return self.number, self.settlement_id, self.refund


@dataclass(frozen=True, slots=True)
class Statement(Message):
    """The centre's ledger of one day, by totals of the whole day and a page of its lines."""

    schema: ClassVar[str] = "statement:1"
    day: dt.date
    totals: tuple[DayTotal, ...]
    lines: tuple[StatementLine, ...]


@dataclass(frozen=True, slots=True)
class SettlementRecord(Message):
    """One settlement of a holder, newest first. `cancelled_at` None while it stands."""

    schema: ClassVar[str] = "money-records:1#/$defs/settlement_record"
    settlement_id: str
    settled_at: dt.datetime
    institution_name: str
    total_fen: int
    fund_fen: int
    account_fen: int
    cash_fen: int
    cancelled_at: dt.datetime | None
    provisional_number: str | None = None


@dataclass(frozen=True, slots=True)
class DebitRecord(Message):
    """One debit of the medical account on the card that was uploaded, newest first."""

    schema: ClassVar[str] = "money-records:1#/$defs/debit_record"
    number: str
    debited_at: dt.datetime
    institution_name: str
    account_fen: int


@dataclass(frozen=True, slots=True)
class MoneyRecords(Message):
    """What was settled and debited for the holder of a card."""

    schema: ClassVar[str] = "money-records:1"
    card: CardRef
    settlements: tuple[SettlementRecord, ...]
    debits: tuple[DebitRecord, ...]


@dataclass(frozen=True, slots=True)
class ContributionBill(Message):
    """One contribution that a holder is to pay for one month ("YYYY-MM")."""

    schema: ClassVar[str] = "contribution-bills:1#/$defs/contribution_bill"
    bill_id: str
    kind: InsuranceKind
    month: str
    amount_fen: int
    due: dt.date


@dataclass(frozen=True, slots=True)
class ContributionBills(Message):
    """The contributions that a holder has not paid, oldest first."""

    schema: ClassVar[str] = "contribution-bills:1"
    card: CardRef
    bills: tuple[ContributionBill, ...]


@dataclass(frozen=True, slots=True)
class ContributionRequest(Message):
    """缴费: pay exactly this bill from the card's bank account (Art. 5)."""

    schema: ClassVar[str] = "contribution-request:1"
    number: str
    card: CardRef
    bill_id: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class ContributionPayment(Message):
    """A paid contribution, with the months of that insurance paid in all."""

    schema: ClassVar[str] = "contribution-payment:1"
    number: str
    payment_id: str
    bill_id: str
    kind: InsuranceKind
    month: str
    amount_fen: int
    paid_at: dt.datetime
    months_paid: int


@dataclass(frozen=True, slots=True)
class Benefit(Message):
    """One benefit paid to a holder; `confirmed_at` None until receipt was confirmed."""

    schema: ClassVar[str] = "benefit-list:1#/$defs/benefit"
    benefit_id: str
    kind: InsuranceKind
    name_zh: str
    name_en: str
    period: str
    amount_fen: int
    paid_on: dt.date
    confirmed_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class BenefitList(Message):
    """The benefits of a holder, newest first."""

    schema: ClassVar[str] = "benefit-list:1"
    card: CardRef
    benefits: tuple[Benefit, ...]


@dataclass(frozen=True, slots=True)
class BenefitConfirmation(Message):
    """待遇领取确认: the holder says that exactly this benefit was received (Art. 5)."""

    schema: ClassVar[str] = "benefit-confirmation:1"
    number: str
    card: CardRef
    benefit_id: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class BenefitReceipt(Message):
    """A confirmed receipt of a benefit."""

    schema: ClassVar[str] = "benefit-receipt:1"
    number: str
    benefit_id: str
    amount_fen: int
    confirmed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class DebitUpload(Message):
    """A debit of the medical account on the card, with the card's proof of it (TAC, 4 bytes hex).

    `terminal_number` is the security module's, `sequence` the card's offline counter, and
    `psam_sequence` the module's. `paid_at` is what the TAC is computed over. `algorithm` and the
    13 `historical` bytes say with which of its keys the card made it. `tac` is None where a later
    transaction had replaced it on the card before it could be asked.
    """

    schema: ClassVar[str] = "debit-upload:1"
    number: str
    card: CardRef
    account_fen: int
    self_pay_fen: int
    fund_fen: int
    balance_after_fen: int
    terminal_number: str
    sequence: int
    psam_sequence: str
    paid_at: dt.datetime
    algorithm: str
    historical: str = field(repr=False)
    tac: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProvisionalUpload(Message):
    """A visit that was registered while the centre was away, to be settled with the card there.

    `paid_fen` is what the holder says he has paid then himself.
    """

    schema: ClassVar[str] = "provisional-upload:1"
    number: str
    card: CardRef
    visited_at: dt.datetime
    paid_fen: int = 0


@dataclass(frozen=True, slots=True)
class UploadReceipt(Message):
    """The centre has it; `verdict` says whether the card's proof was good."""

    schema: ClassVar[str] = "upload-receipt:1"
    number: str
    verdict: Literal["accepted", "proof_wrong", "not_checked"]
    received_at: dt.datetime


@dataclass(frozen=True, slots=True)
class MoneyState(Message):
    """What became of an operation about money that is no settlement.

    "unknown": the back office never saw this number. "confirmed" carries what it made, "refused"
    the reason's code.
    """

    schema: ClassVar[str] = "money-state:1"
    number: str
    state: OperationOutcome
    cancellation: Cancellation | None = None
    payment: ContributionPayment | None = None
    benefit: BenefitReceipt | None = None
    reason: str | None = None
