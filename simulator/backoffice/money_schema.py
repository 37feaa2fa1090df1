"""The tables about money beyond bills and settlements: visits, contributions, benefits, uploads."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from simulator.backoffice.schema import Base


class NationalSignInRow(Base):
    """A terminal's sign-in at the national interface on one day (9001, 9002)."""

    __tablename__ = "national_sign_ins"
    owner: Mapped[int] = mapped_column(ForeignKey("terminals.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    sign_no: Mapped[str] = mapped_column(unique=True)
    signed_in_at: Mapped[datetime]
    signed_out_at: Mapped[datetime | None]


class VisitRow(Base):
    """A registered visit (2201). `visit_index` finds the hospital's own number of it."""

    __tablename__ = "visits"
    id: Mapped[int] = mapped_column(primary_key=True)
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), index=True)
    card: Mapped[int] = mapped_column(ForeignKey("cards.id"))
    institution: Mapped[str]
    visit_index: Mapped[bytes] = mapped_column(index=True)
    described: Mapped[bool]
    registered_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class FeeBatchRow(Base):
    """The fee lines of one bill, uploaded for a visit (2204)."""

    __tablename__ = "fee_batches"
    visit: Mapped[int] = mapped_column(ForeignKey("visits.id"), primary_key=True)
    bill: Mapped[int] = mapped_column(ForeignKey("bills.id"), primary_key=True)
    uploaded_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class VisitSettlementRow(Base):
    """Which visit an operation of the national interface belongs to: 2207 or 2208."""

    __tablename__ = "visit_settlements"
    operation: Mapped[int] = mapped_column(ForeignKey("operations.id"), primary_key=True)
    visit: Mapped[int] = mapped_column(ForeignKey("visits.id"), index=True)
    settlement: Mapped[int] = mapped_column(ForeignKey("settlements.id"))
    is_refund: Mapped[bool]


class StatementFileRow(Base):
    """A file of the reconciliation (9101, 3202), sealed, until it can no longer be fetched."""

    __tablename__ = "statement_files"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[int] = mapped_column(ForeignKey("terminals.id"))
    name: Mapped[str]
    sealed: Mapped[bytes]
    until: Mapped[datetime]


class ContributionBillRow(Base):
    """A contribution that is due; `paid_by` is the operation that paid it."""

    __tablename__ = "contribution_bills"
    bill_id: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), index=True)
    kind: Mapped[str]
    month: Mapped[str]
    amount_fen: Mapped[int]
    due: Mapped[date]
    paid_by: Mapped[int | None] = mapped_column(ForeignKey("operations.id"))
    paid_at: Mapped[datetime | None]


class BenefitRow(Base):
    """A benefit that was paid; `confirmed_at` is when its holder confirmed the receipt."""

    __tablename__ = "benefits"
    benefit_id: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), index=True)
    kind: Mapped[str]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    period: Mapped[str]
    amount_fen: Mapped[int]
    paid_on: Mapped[date]
    confirmed_at: Mapped[datetime | None]


class UploadRow(Base):
    """A record that a terminal made offline and sent later; `sealed` is the record itself.

    A debit of a card is accepted once by the terminal's number and once by the card's own counter.
    `paid_fen` is what was paid at a provisional visit, `settled_by` the settlement of it in force.
    """

    __tablename__ = "uploads"
    __table_args__ = (UniqueConstraint("owner", "number"), UniqueConstraint("card", "sequence"))
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[int] = mapped_column(ForeignKey("terminals.id"))
    number: Mapped[str]
    kind: Mapped[str]
    card: Mapped[int] = mapped_column(ForeignKey("cards.id"))
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), index=True)
    institution: Mapped[str]
    sequence: Mapped[int | None]
    account_fen: Mapped[int]
    paid_fen: Mapped[int] = mapped_column(default=0)
    settled_by: Mapped[int | None]
    happened_at: Mapped[datetime]
    verdict: Mapped[str]
    request_hash: Mapped[bytes]
    sealed: Mapped[bytes]
    received_at: Mapped[datetime]
