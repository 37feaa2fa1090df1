"""The tables of the back office.

Whatever names a person or a card is sealed (`LargeBinary` columns called `sealed`), and found by a
blind index. Money is whole fen. Nothing is deleted: what has ended says when.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from simulator.backoffice.days import local

SCHEMA_VERSION = 9
"""Counts up with every change of a table; a database of another version is refused."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """A timezone-aware instant, stored as microseconds since 1970; read in Shanghai time."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        """Microseconds of an instant. A naive one raises `TypeError`."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        """The instant of stored microseconds, in Shanghai time."""
        return None if value is None else local(_EPOCH + value * _MICROSECOND)


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy's own form
        datetime: Instant,
        bytes: LargeBinary,
        str: String(200),
        int: BigInteger().with_variant(Integer, "sqlite"),
    }


class Meta(Base):
    """What the database says of itself: schema version, signing key (sealed)."""

    __tablename__ = "meta"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes]


class Holder(Base):
    """A holder. `sealed` is name and SSN; `insured_as` names a group of the payment rules."""

    __tablename__ = "holders"
    id: Mapped[int] = mapped_column(primary_key=True)
    ssn_index: Mapped[bytes] = mapped_column(unique=True)
    sealed: Mapped[bytes]
    insured_as: Mapped[str]


class Account(Base):
    """A holder's medical account; `medical_year` is the first day of the current money's year."""

    __tablename__ = "accounts"
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), primary_key=True)
    medical_year: Mapped[date]
    current_fen: Mapped[int]
    past_fen: Mapped[int]


class Accumulator(Base):
    """What a holder has used of the payment rules' sums in one medical year."""

    __tablename__ = "accumulators"
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), primary_key=True)
    medical_year: Mapped[date] = mapped_column(primary_key=True)
    deductible_fen: Mapped[int]
    shared_fen: Mapped[int]


class InsuranceRow(Base):
    """One insurance of a holder."""

    __tablename__ = "insurances"
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    since: Mapped[date]
    months_paid: Mapped[int]


class ContributionRow(Base):
    """What was paid into one insurance for one month ("YYYY-MM")."""

    __tablename__ = "contributions"
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), primary_key=True)
    month: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    person_fen: Mapped[int]
    employer_fen: Mapped[int]


class Card(Base):
    """A card and where it stands; `sealed` is card id and card number.

    `state`, `until` and `resumes` are a `lifecycle.Life`, `bank` a `BankFunction`. `replaced_by` is
    the card that took its place, `service_bank` the code of the bank its holder chose (Article 14).
    """

    __tablename__ = "cards"
    id: Mapped[int] = mapped_column(primary_key=True)
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), index=True)
    id_index: Mapped[bytes] = mapped_column(unique=True)
    number_index: Mapped[bytes] = mapped_column(unique=True)
    sealed: Mapped[bytes]
    state: Mapped[str]
    until: Mapped[datetime | None] = mapped_column(index=True)
    resumes: Mapped[str | None]
    bank: Mapped[str]
    service_bank: Mapped[str | None]
    replaced_by: Mapped[int | None] = mapped_column(ForeignKey("cards.id"))
    registered_at: Mapped[datetime]


class LifeEvent(Base):
    """The audit trail of the cards' lives: what, when, where, by whom and why (Articles 7, 27)."""

    __tablename__ = "life_events"
    id: Mapped[int] = mapped_column(primary_key=True)
    card: Mapped[int] = mapped_column(ForeignKey("cards.id"), index=True)
    at: Mapped[datetime]
    event: Mapped[str]
    article: Mapped[int]
    channel: Mapped[str]
    actor: Mapped[str]
    reason: Mapped[str]
    before: Mapped[str]
    after: Mapped[str]
    until: Mapped[datetime | None]


class Access(Base):
    """Which terminal looked at whose data, and what for (Articles 25, 27)."""

    __tablename__ = "accesses"
    id: Mapped[int] = mapped_column(primary_key=True)
    card: Mapped[int] = mapped_column(ForeignKey("cards.id"), index=True)
    at: Mapped[datetime]
    terminal: Mapped[str]
    what: Mapped[str]


class Institution(Base):
    """A hospital or other designated institution; `tier` 1 to 3 decides the fund's share."""

    __tablename__ = "institutions"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    tier: Mapped[int]


class BillRow(Base):
    """A bill; `sealed` is department and visit. `settled_by` is the settlement in force, if any."""

    __tablename__ = "bills"
    id: Mapped[int] = mapped_column(primary_key=True)
    bill_id: Mapped[str] = mapped_column(unique=True)
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), index=True)
    institution: Mapped[str] = mapped_column(ForeignKey("institutions.code"))
    date: Mapped[date]
    total_fen: Mapped[int]
    sealed: Mapped[bytes]
    settled_by: Mapped[int | None]


class BillLineRow(Base):
    """One item of a bill; `sealed` is its code and name."""

    __tablename__ = "bill_lines"
    bill: Mapped[int] = mapped_column(ForeignKey("bills.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    quantity: Mapped[int]
    unit_price_fen: Mapped[int]
    amount_fen: Mapped[int]
    is_covered: Mapped[bool]


class Operation(Base):
    """One terminal's operation number: what was asked under it and what became of it, for good.

    `owner` is a `Terminal.owner`: two terminals may use the same number and do not meet.
    `terminal` is the one that used it first. `kind` is the schema of the answer, None for a number
    that was reversed before it was used.
    `request_hash` is of the request that ended it, `sealed` the answer to it; `reason`, `article`
    and `detail` are of a refusal, `reversal` is the answer to a reversal.
    """

    __tablename__ = "operations"
    __table_args__ = (UniqueConstraint("owner", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[int] = mapped_column(ForeignKey("terminals.id"))
    number: Mapped[str]
    kind: Mapped[str | None]
    state: Mapped[str]
    terminal: Mapped[str]
    request_hash: Mapped[bytes | None]
    sealed: Mapped[bytes | None]
    reason: Mapped[str | None]
    article: Mapped[int | None]
    detail: Mapped[str]
    at: Mapped[datetime]
    reversal: Mapped[bytes | None]


class TrialRow(Base):
    """A trial that was answered; `sealed` is the answer."""

    __tablename__ = "trials"
    operation: Mapped[int] = mapped_column(ForeignKey("operations.id"), primary_key=True)
    request_hash: Mapped[bytes]
    card: Mapped[int] = mapped_column(ForeignKey("cards.id"))
    bill: Mapped[int] = mapped_column(ForeignKey("bills.id"))
    valid_until: Mapped[datetime]
    sealed: Mapped[bytes]


class SettlementRow(Base):
    """A booked settlement in figures, for undoing and for reconciling.

    `scheme` is the insurance that paid. `reversed_at` is when it was undone, `cancelled_by` the
    operation that took it back, None for a reversal. `provisional` is the upload of the provisional
    visit that it settles, if any.
    """

    __tablename__ = "settlements"
    id: Mapped[int] = mapped_column(primary_key=True)
    operation: Mapped[int] = mapped_column(ForeignKey("operations.id"), unique=True)
    card: Mapped[int] = mapped_column(ForeignKey("cards.id"))
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"))
    bill: Mapped[int] = mapped_column(ForeignKey("bills.id"))
    institution: Mapped[str]
    medical_year: Mapped[date]
    total_fen: Mapped[int]
    current_account_fen: Mapped[int]
    past_accounts_fen: Mapped[int]
    fund_fen: Mapped[int]
    supplementary_fen: Mapped[int]
    other_fund_fen: Mapped[int]
    cash_fen: Mapped[int]
    deductible_fen: Mapped[int]
    shared_fen: Mapped[int]
    scheme: Mapped[str]
    provisional: Mapped[int | None] = mapped_column(ForeignKey("uploads.id"))
    settled_at: Mapped[datetime]
    reversed_at: Mapped[datetime | None]
    cancelled_by: Mapped[int | None] = mapped_column(ForeignKey("operations.id"))


class Terminal(Base):
    """An enrolled terminal. Its token is kept as a blind index only.

    `succeeds` is what the same device was enrolled as before. `owner` is the first of that line:
    all of a line share their operation numbers. One that was stopped is not known any more.
    """

    __tablename__ = "terminals"
    id: Mapped[int] = mapped_column(primary_key=True)
    terminal_id: Mapped[str | None] = mapped_column(unique=True)
    succeeds: Mapped[int | None] = mapped_column(ForeignKey("terminals.id"))
    owner: Mapped[int | None] = mapped_column(ForeignKey("terminals.id"))
    token_index: Mapped[bytes] = mapped_column(unique=True)
    institution: Mapped[str] = mapped_column(ForeignKey("institutions.code"))
    profile: Mapped[str]
    role: Mapped[str]
    public_key: Mapped[bytes | None]
    enrolled_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    list_version: Mapped[int | None]


class CertificateRow(Base):
    """A certificate that was issued to a terminal; `fingerprint` is SHA-256 of its DER."""

    __tablename__ = "certificates"
    fingerprint: Mapped[bytes] = mapped_column(primary_key=True)
    terminal: Mapped[int] = mapped_column(ForeignKey("terminals.id"), index=True)
    issued_at: Mapped[datetime]
    not_after: Mapped[datetime]


class EnrolmentCode(Base):
    """A one-time code, kept as a blind index. `profile` and `role` None: for any, by profile."""

    __tablename__ = "enrolment_codes"
    code_index: Mapped[bytes] = mapped_column(primary_key=True)
    institution: Mapped[str] = mapped_column(ForeignKey("institutions.code"))
    profile: Mapped[str | None]
    role: Mapped[str | None]
    valid_until: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ListingRow(Base):
    """One entry of the blacklist, of a card, of a range of card numbers, or of a transport purse.

    `purse` is the purse's number, sealed, and `purse_index` its blind index. `origin` tells what
    the entry follows from: a card's life, or a freeze. `added_in` and `removed_in` are list
    versions; None as long as that has not been published.
    """

    __tablename__ = "listings"
    id: Mapped[int] = mapped_column(primary_key=True)
    card: Mapped[int | None] = mapped_column(ForeignKey("cards.id"), index=True)
    number_from: Mapped[str | None]
    number_to: Mapped[str | None]
    purse_index: Mapped[bytes | None] = mapped_column(index=True)
    purse: Mapped[bytes | None]
    origin: Mapped[str]
    reason: Mapped[str]
    scope: Mapped[str]
    action: Mapped[str]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    is_removed: Mapped[bool]
    added_in: Mapped[int | None]
    removed_in: Mapped[int | None]


class FreezeEvent(Base):
    """The audit trail of freezes: what happened to a listing, when, where, by whom and why."""

    __tablename__ = "freeze_events"
    id: Mapped[int] = mapped_column(primary_key=True)
    listing: Mapped[int] = mapped_column(ForeignKey("listings.id"), index=True)
    at: Mapped[datetime]
    event: Mapped[str]
    channel: Mapped[str]
    actor: Mapped[str]
    why: Mapped[str]


class MisuseRow(Base):
    """A listed card that was presented at a terminal (Article 26); `sealed` is the report."""

    __tablename__ = "misuse"
    __table_args__ = (UniqueConstraint("terminal", "report_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    terminal: Mapped[str]
    institution: Mapped[str]
    report_id: Mapped[str]
    card_index: Mapped[bytes] = mapped_column(index=True)
    received_at: Mapped[datetime]
    sealed: Mapped[bytes]


class ListVersion(Base):
    """One published version of the blacklist; the signed documents are sealed (they name cards).

    `size` and `snapshot_size` are the bytes of the documents. Few versions keep a snapshot.
    """

    __tablename__ = "list_versions"
    version: Mapped[int] = mapped_column(primary_key=True)
    set_hash: Mapped[bytes]
    entry_count: Mapped[int]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    size: Mapped[int]
    delta: Mapped[bytes]
    snapshot: Mapped[bytes | None]
    snapshot_size: Mapped[int | None]
