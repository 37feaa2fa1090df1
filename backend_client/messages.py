"""The typed messages between terminal and back office: the mirror of `schemas/*.json`.

The schemas are the definition; a test holds the two equal. `schema` names the schema of a class.
Money is whole fen (`_fen`), instants are timezone-aware, bytes travel as lower-case hex, a tuple
is a JSON array and None is null. A field with a default may be left out. Whatever identifies a
card is kept out of `repr`, and so out of logs.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from backend_client.certificate_messages import TerminalCertificate
from backend_client.codec import Message, decode, dump, encode, load

__all__ = [
    "AccountOverview",
    "Action",
    "ActivationRequest",
    "ActivationResult",
    "Band",
    "Bill",
    "BillLine",
    "BillList",
    "CardRef",
    "CardState",
    "CardStatus",
    "ConfirmRequest",
    "Contribution",
    "Enrolment",
    "EnrolmentRequest",
    "Insurance",
    "InsuranceKind",
    "InsuranceStatus",
    "ListingReason",
    "Message",
    "OperationOutcome",
    "OperationQuery",
    "OperationState",
    "Problem",
    "Profile",
    "ProvisionalVisit",
    "PublicKey",
    "Reversal",
    "ReversalRequest",
    "Role",
    "Scheme",
    "Scope",
    "ServerTime",
    "Settlement",
    "Split",
    "Trial",
    "TrialRequest",
    "decode",
    "dump",
    "encode",
    "load",
]

Profile = Literal["developer", "kiosk", "point-of-use"]
Role = Literal["developer", "kiosk", "hospital", "gate"]
CardState = Literal[
    "not_activated", "active", "temporarily_lost", "formally_lost", "void", "stopped"
]
InsuranceKind = Literal["pension", "medical", "work_injury", "unemployment", "maternity"]
InsuranceStatus = Literal["insured", "suspended", "ended"]
Scheme = Literal["employee", "resident"]
OperationOutcome = Literal["unknown", "confirmed", "refused", "reversed"]
Scope = Literal["social_security", "financial", "transport"]
ListingReason = Literal["temporary_loss", "formal_loss", "void", "stopped", "freeze", "fraud"]
Action = Literal["refuse", "refuse_and_call_staff"]


@dataclass(frozen=True, slots=True)
class CardRef(Message):
    """Which card: 卡识别码 as 32 hex digits and 卡号, 9 characters. The back office knows whose."""

    schema: ClassVar[str] = "card-ref:1"
    card_id: str = field(repr=False)
    card_number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerTime(Message):
    """The back office's clock, to confirm the terminal's."""

    schema: ClassVar[str] = "server-time:1"
    now: dt.datetime


@dataclass(frozen=True, slots=True)
class PublicKey(Message):
    """An Ed25519 key (32 bytes) that signs blacklists, and when it may be used (None: open)."""

    schema: ClassVar[str] = "enrolment:1#/$defs/public_key"
    key_id: str
    key: bytes
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class EnrolmentRequest(Message):
    """A new terminal presents the one-time code it was given.

    `previous_token` is the token of its last enrolment, if it had one: operation numbers belong to
    the terminal that used them, and with it they stay its own. One unknown to the back office is
    refused (PREVIOUS_TOKEN_UNKNOWN, the code stays good), one of another institution has no effect.
    `certificate_request` is as in `CertificateRequest`, for a back office that issues certificates.
    """

    schema: ClassVar[str] = "enrolment-request:1"
    code: str = field(repr=False)
    profile: Profile
    terminal_public_key: bytes | None = None
    previous_token: str | None = field(default=None, repr=False)
    certificate_request: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Enrolment(Message):
    """Who the terminal is from now on, and whose blacklist it believes.

    `statement_keys` sign the statements that change `blacklist_keys`.
    """

    schema: ClassVar[str] = "enrolment:1"
    terminal_id: str
    token: str = field(repr=False)
    institution: str
    institution_name: str
    blacklist_issuer: str
    blacklist_keys: tuple[PublicKey, ...]
    issued_at: dt.datetime
    role: Role | None = None
    certificate: TerminalCertificate | None = None
    statement_keys: tuple[PublicKey, ...] = ()


@dataclass(frozen=True, slots=True)
class CardStatus(Message):
    """The card's life as the back office sees it; `state_until` ends a temporary loss (Art. 18)."""

    schema: ClassVar[str] = "card-status:1"
    card: CardRef
    state: CardState
    state_until: dt.datetime | None
    social_active: bool
    financial_active: bool
    replaced: bool
    as_of: dt.datetime


@dataclass(frozen=True, slots=True)
class Insurance(Message):
    """One insurance the holder has, with the months paid in all."""

    schema: ClassVar[str] = "account-overview:1#/$defs/insurance"
    kind: InsuranceKind
    name_zh: str
    name_en: str
    status: InsuranceStatus
    since: dt.date
    months_paid: int


@dataclass(frozen=True, slots=True)
class Contribution(Message):
    """What was paid into one insurance for one month ("YYYY-MM")."""

    schema: ClassVar[str] = "account-overview:1#/$defs/contribution"
    month: str
    kind: InsuranceKind
    person_fen: int
    employer_fen: int


@dataclass(frozen=True, slots=True)
class AccountOverview(Message):
    """Insurances, medical account (this year's and past years' money) and contributions."""

    schema: ClassVar[str] = "account-overview:1"
    card: CardRef
    insurances: tuple[Insurance, ...]
    current_account_fen: int
    past_accounts_fen: int
    contributions: tuple[Contribution, ...]
    as_of: dt.datetime


@dataclass(frozen=True, slots=True)
class ActivationRequest(Message):
    """Switch the social security function on (Art. 12); says whether the initial PIN is gone."""

    schema: ClassVar[str] = "activation-request:1"
    number: str
    card: CardRef
    pin_changed: bool


@dataclass(frozen=True, slots=True)
class ActivationResult(Message):
    """The card's status after an activation."""

    schema: ClassVar[str] = "activation-result:1"
    number: str
    status: CardStatus


@dataclass(frozen=True, slots=True)
class BillLine(Message):
    """One item of a bill. `amount_fen` counts; a reduction is a line below zero."""

    schema: ClassVar[str] = "bill-list:1#/$defs/bill_line"
    code: str
    name: str
    quantity: int
    unit_price_fen: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Bill(Message):
    """What an institution asks for one visit."""

    schema: ClassVar[str] = "bill-list:1#/$defs/bill"
    bill_id: str
    visit_id: str
    institution: str
    department: str
    date: dt.date
    lines: tuple[BillLine, ...]
    total_fen: int

    def adds_up(self) -> bool:
        """True when the lines' amounts make the total."""
        return sum(line.amount_fen for line in self.lines) == self.total_fen


@dataclass(frozen=True, slots=True)
class ProvisionalVisit(Message):
    """A visit that was registered while the centre was away, and what was paid then (fen).

    `number` is that of the registration; `paid_fen` is what the holder said, 0 for nothing.
    """

    schema: ClassVar[str] = "bill-list:1#/$defs/provisional_visit"
    number: str
    institution: str
    visited_at: dt.datetime
    paid_fen: int


@dataclass(frozen=True, slots=True)
class BillList(Message):
    """The open bills of a card, and its provisional visits that no settlement belongs to yet."""

    schema: ClassVar[str] = "bill-list:1"
    card: CardRef
    bills: tuple[Bill, ...]
    provisional: tuple[ProvisionalVisit, ...] = ()


@dataclass(frozen=True, slots=True)
class Band(Message):
    """One band of the payment rules (当年账户段, 自负段, 共负段 ...) and who pays what of it."""

    schema: ClassVar[str] = "split:1#/$defs/band"
    name_zh: str
    name_en: str
    amount_fen: int
    fund_fen: int
    account_fen: int
    cash_fen: int

    def adds_up(self) -> bool:
        """True when fund, account and cash make the band's amount."""
        return self.amount_fen == self.fund_fen + self.account_fen + self.cash_fen


@dataclass(frozen=True, slots=True)
class Split(Message):
    """Who pays what of a bill, and how each band contributes to that."""

    schema: ClassVar[str] = "split:1"
    total_fen: int
    current_account_fen: int
    past_accounts_fen: int
    fund_fen: int
    supplementary_fen: int
    other_fund_fen: int
    cash_fen: int
    bands: tuple[Band, ...]

    def adds_up(self) -> bool:
        """True when the payers' parts make the total and the bands make those parts.

        The bands cover the whole bill: their fund parts are all three funds, their account parts
        both accounts, their cash parts the cash to collect.
        """
        accounts = self.current_account_fen + self.past_accounts_fen
        funds = self.fund_fen + self.supplementary_fen + self.other_fund_fen
        return (
            self.total_fen == accounts + funds + self.cash_fen
            and all(band.adds_up() for band in self.bands)
            and sum(band.account_fen for band in self.bands) == accounts
            and sum(band.fund_fen for band in self.bands) == funds
            and sum(band.cash_fen for band in self.bands) == self.cash_fen
        )


@dataclass(frozen=True, slots=True)
class TrialRequest(Message):
    """预结算: asks who would pay what of this bill. Nothing is booked.

    `provisional_number` names the provisional visit that the bill is for, None for none.
    """

    schema: ClassVar[str] = "trial-request:1"
    number: str
    card: CardRef
    bill_id: str
    total_fen: int
    provisional_number: str | None = None


@dataclass(frozen=True, slots=True)
class Trial(Message):
    """The answer to a trial, good for a confirm until `valid_until`."""

    schema: ClassVar[str] = "trial:1"
    number: str
    bill_id: str
    split: Split
    valid_until: dt.datetime
    provisional: ProvisionalVisit | None = None


@dataclass(frozen=True, slots=True)
class ConfirmRequest(Message):
    """结算: book exactly the split the holder saw, under the number of its trial."""

    schema: ClassVar[str] = "confirm-request:1"
    number: str
    card: CardRef
    bill_id: str
    split: Split
    provisional_number: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement(Message):
    """A booked settlement, with the accounts' balances after it and the insurance that paid."""

    schema: ClassVar[str] = "settlement:1"
    number: str
    settlement_id: str
    bill_id: str
    split: Split
    settled_at: dt.datetime
    current_account_after_fen: int
    past_accounts_after_fen: int
    scheme: Scheme = "employee"
    provisional_number: str | None = None


@dataclass(frozen=True, slots=True)
class OperationQuery(Message):
    """Asks what became of the operation of this number."""

    schema: ClassVar[str] = "operation-query:1"
    number: str


@dataclass(frozen=True, slots=True)
class OperationState(Message):
    """What became of it. "unknown": the back office never saw this number.

    "confirmed" carries the settlement or the activation; "refused" carries the reason's code.
    """

    schema: ClassVar[str] = "operation-state:1"
    number: str
    state: OperationOutcome
    settlement: Settlement | None = None
    activation: ActivationResult | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReversalRequest(Message):
    """冲正: undo the operation of this number, or forbid it if it has not arrived yet.

    A reversal has no number of its own; repeating it changes nothing.
    """

    schema: ClassVar[str] = "reversal-request:1"
    number: str


@dataclass(frozen=True, slots=True)
class Reversal(Message):
    """Undone. `found` is False where there was nothing yet: a late confirm will be refused."""

    schema: ClassVar[str] = "reversal:1"
    number: str
    found: bool
    reversed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Problem(Message):
    """Why a request was refused (RFC 9457), with our stable code and the holder's sentences.

    `not_processed` in a 5xx answer promises that nothing was done and nothing will be.
    """

    schema: ClassVar[str] = "problem:1"
    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    zh: str = ""
    en: str = ""
    not_processed: bool = False
