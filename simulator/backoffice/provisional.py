"""Provisional visits and their settlement: each visit is settled once, and both sides know.

A visit belongs to its holder, not to one card: a card that was replaced meanwhile settles it too.
Works in the caller's transaction.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.messages import ProvisionalVisit
from simulator.backoffice.days import local
from simulator.backoffice.errors import Refused
from simulator.backoffice.money_schema import UploadRow
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import BillRow

PROVISIONAL = "provisional"
MAX_SHOWN = 50


def open_visits(
    session: Session, holder: int, institution: str | None
) -> tuple[ProvisionalVisit, ...]:
    """The holder's visits without a settlement, oldest first; of one institution or any."""
    query = select(UploadRow).where(
        UploadRow.holder == holder,
        UploadRow.kind == PROVISIONAL,
        UploadRow.settled_by.is_(None),
    )
    if institution is not None:
        query = query.where(UploadRow.institution == institution)
    oldest = query.order_by(UploadRow.happened_at, UploadRow.id).limit(MAX_SHOWN)
    return tuple(as_message(row) for row in session.scalars(oldest))


def open_visit(session: Session, bill: BillRow, number: str) -> UploadRow:
    """The visit of that number that the bill may be for.

    Raises `Refused` PROVISIONAL_UNKNOWN for no visit of this holder, PROVISIONAL_SETTLED for one
    that a settlement belongs to, PROVISIONAL_DIFFERS for one elsewhere or after the bill's day.
    """
    query = select(UploadRow).where(
        UploadRow.holder == bill.holder,
        UploadRow.kind == PROVISIONAL,
        UploadRow.number == number,
    )
    row = session.scalars(query.order_by(UploadRow.id).with_for_update()).first()
    if row is None:
        raise Refused(Refusal.PROVISIONAL_UNKNOWN)
    if row.settled_by is not None:
        raise Refused(Refusal.PROVISIONAL_SETTLED)
    if row.institution != bill.institution or local(row.happened_at).date() > bill.date:
        raise Refused(Refusal.PROVISIONAL_DIFFERS)
    return row


def as_message(row: UploadRow) -> ProvisionalVisit:
    """A visit as terminals get it."""
    return ProvisionalVisit(row.number, row.institution, row.happened_at, row.paid_fen)
