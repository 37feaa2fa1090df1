"""What the offices owe applicants, and the duties that were not met in time (Articles 10, 11, 23).

An overdue duty is an event: a row for the staff and a line in the application's audit trail, at the
instant at which it was due, once. It is raised by the watch over the deadlines, or by whoever does
something with applications before that.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from simulator.backoffice.application import Application, Duty, duties
from simulator.backoffice.application_rows import application_of, id_of, line_of
from simulator.backoffice.bell import Bell
from simulator.backoffice.days import WorkingCalendar
from simulator.backoffice.register import TIME
from simulator.backoffice.schema_life import ApplicationRow, OverdueRow

log = logging.getLogger(__name__)

OVERDUE = "overdue"
"""The event in an application's audit trail; its reason says which duty."""


class Overdue:
    """Duties over the register of applications. `deadlines` rings when a new one is owed."""

    def __init__(self, calendar: WorkingCalendar, deadlines: Bell) -> None:
        self._calendar = calendar
        self._deadlines = deadlines

    def next_owed(self, application: Application) -> datetime | None:
        """Until when the offices owe the next thing, None where they owe nothing more."""
        return min(self._open(application), default=None)

    def expect(self, session: Session, row: ApplicationRow, application: Application) -> None:
        """After a step: write down when the next duty falls due that was not noted yet."""
        noted = select(OverdueRow.due_at).where(OverdueRow.application == row.id)
        known = set(session.scalars(noted))
        owed = (due for due in self._open(application) if due not in known)
        before, row.due_at = row.due_at, min(owed, default=None)
        if row.due_at not in (None, before):
            self._deadlines.ring_after(session)

    def note(self, session: Session, now: datetime, at_most: int | None = None) -> int:
        """Note every duty not met by the time it was due, or those of so many applications.

        The answer is of how many applications it were.
        """
        due = select(ApplicationRow).where(ApplicationRow.due_at <= now)
        due = due.order_by(ApplicationRow.due_at, ApplicationRow.id).limit(at_most)
        rows = session.scalars(due).all()
        for row in rows:
            self._note(session, row, now)
        session.flush()
        return len(rows)

    def next_due(self, session: Session) -> datetime | None:
        """When the next duty of all falls due, None while nothing is owed."""
        return session.scalar(select(func.min(ApplicationRow.due_at)))

    def noted(self, session: Session) -> Sequence[OverdueRow]:
        """Every duty that was not met in time, oldest first."""
        return session.scalars(select(OverdueRow).order_by(OverdueRow.due_at, OverdueRow.id)).all()

    def _note(self, session: Session, row: ApplicationRow, now: datetime) -> None:
        later = []
        for duty in duties(application_of(session, row), self._calendar):
            if duty.is_overdue(now):
                _raise(session, row, duty, now)
            elif duty.met_at is None:
                later.append(duty.due_at)
        row.due_at = min(later, default=None)

    def _open(self, application: Application) -> Sequence[datetime]:
        return [duty.due_at for duty in duties(application, self._calendar) if duty.met_at is None]


def _raise(session: Session, row: ApplicationRow, duty: Duty, now: datetime) -> None:
    """Raise one overdue duty, once."""
    known = select(OverdueRow.id).where(
        OverdueRow.application == row.id, OverdueRow.duty == duty.kind
    )
    if session.scalar(known) is not None:
        return
    told = (id_of(row), duty.kind.value, duty.article)

    def tell(_session: Session) -> None:
        log.warning("application %s: %s is overdue (Article %d)", *told)

    event.listen(session, "after_commit", tell, once=True)
    session.add(
        OverdueRow(
            application=row.id,
            duty=duty.kind,
            article=duty.article,
            due_at=duty.due_at,
            raised_at=now,
        )
    )
    by = replace(TIME, reason=duty.kind)
    session.add(line_of(row, by, duty.due_at, OVERDUE, duty.article, row.stage, row.stage))
