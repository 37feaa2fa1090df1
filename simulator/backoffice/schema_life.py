"""The tables behind applications and electronic cards; see schema.py for what holds for all."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from simulator.backoffice.schema import Base


class ApplicationRow(Base):
    """An application for a card; the columns up to `closed_at` are an `application.Application`.

    `holder` is None until the first card of a new holder is issued; `ssn_index` finds both. `card`
    is the card there was, None for a first one. `sealed` is what the applicant said and, once the
    card is made, which card it is; while that one waits for its holder the blind indexes of its id
    and number are there. `due_at` is the next instant at which a duty may be overdue.
    """

    __tablename__ = "applications"
    id: Mapped[int] = mapped_column(primary_key=True)
    cause: Mapped[str]
    channel: Mapped[str]
    received_at: Mapped[datetime]
    stage: Mapped[str] = mapped_column(index=True)
    verified_at: Mapped[datetime | None]
    made_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    holder: Mapped[int | None] = mapped_column(ForeignKey("holders.id"), index=True)
    ssn_index: Mapped[bytes] = mapped_column(index=True)
    card: Mapped[int | None] = mapped_column(ForeignKey("cards.id"))
    bank: Mapped[str | None]
    point: Mapped[str | None]
    sealed: Mapped[bytes]
    made_id_index: Mapped[bytes | None] = mapped_column(unique=True)
    made_number_index: Mapped[bytes | None] = mapped_column(unique=True)
    due_at: Mapped[datetime | None] = mapped_column(index=True)


class VerdictRow(Base):
    """What one department found (Article 10)."""

    __tablename__ = "verdicts"
    application: Mapped[int] = mapped_column(ForeignKey("applications.id"), primary_key=True)
    department: Mapped[str] = mapped_column(primary_key=True)
    passed: Mapped[bool]
    reason: Mapped[str]
    at: Mapped[datetime]


class ApplicationEvent(Base):
    """The audit trail of applications: what, when, where, by whom and why."""

    __tablename__ = "application_events"
    id: Mapped[int] = mapped_column(primary_key=True)
    application: Mapped[int] = mapped_column(ForeignKey("applications.id"), index=True)
    at: Mapped[datetime]
    event: Mapped[str]
    article: Mapped[int]
    channel: Mapped[str]
    actor: Mapped[str]
    reason: Mapped[str]
    before: Mapped[str]
    after: Mapped[str]


class OverdueRow(Base):
    """A duty that was not met in time (Articles 10, 11, 23); `raised_at` is when it was seen."""

    __tablename__ = "overdue_duties"
    __table_args__ = (UniqueConstraint("application", "duty"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    application: Mapped[int] = mapped_column(ForeignKey("applications.id"))
    duty: Mapped[str]
    article: Mapped[int]
    due_at: Mapped[datetime]
    raised_at: Mapped[datetime]


class EcardRow(Base):
    """A holder's electronic card (Article 31). Its PIN is kept as a salted scrypt hash only."""

    __tablename__ = "ecards"
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"), primary_key=True)
    salt: Mapped[bytes]
    pin_hash: Mapped[bytes]
    wrong_tries: Mapped[int]
    issued_at: Mapped[datetime]
    terminal: Mapped[str]


class EcardCodeRow(Base):
    """A code that an electronic card's QR picture shows, kept as a blind index."""

    __tablename__ = "ecard_codes"
    code_index: Mapped[bytes] = mapped_column(primary_key=True)
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"))
    valid_until: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInRow(Base):
    """A holder's session at one terminal, kept as a blind index."""

    __tablename__ = "sign_ins"
    session_index: Mapped[bytes] = mapped_column(primary_key=True)
    holder: Mapped[int] = mapped_column(ForeignKey("holders.id"))
    terminal: Mapped[str]
    valid_until: Mapped[datetime]


class ClaimRow(Base):
    """Somebody told a terminal who they are, and it was wrong: kept to stop guessing."""

    __tablename__ = "wrong_claims"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    terminal: Mapped[str]
    ssn_index: Mapped[bytes]


class WishRow(Base):
    """A request under its id, and the answer it got; the same request gets that answer again."""

    __tablename__ = "wishes"
    owner: Mapped[int] = mapped_column(ForeignKey("terminals.id"), primary_key=True)
    request_id: Mapped[str] = mapped_column(primary_key=True)
    request_index: Mapped[bytes]
    sealed: Mapped[bytes]
    at: Mapped[datetime]
