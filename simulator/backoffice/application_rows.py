"""Applications in the database: reading one, its id, and the lines of its audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from simulator.backoffice.application import Application, Cause, Department, Stage, Verdict
from simulator.backoffice.errors import Refused
from simulator.backoffice.lifecycle import Channel
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By
from simulator.backoffice.schema_life import ApplicationEvent, ApplicationRow, VerdictRow


def id_of(row: ApplicationRow) -> str:
    """The id under which applicants and staff know an application."""
    return f"A{row.id:08d}"


def find_application(session: Session, application_id: str) -> ApplicationRow:
    """The application of that id. Raises `Refused` APPLICATION_UNKNOWN."""
    digits = application_id.removeprefix("A")
    row = (
        session.get(ApplicationRow, int(digits), with_for_update=True)
        if digits.isascii() and digits.isdigit() and len(digits) < 16
        else None
    )
    if row is None or application_id != id_of(row):
        raise Refused(Refusal.APPLICATION_UNKNOWN)
    return row


def application_of(session: Session, row: ApplicationRow) -> Application:
    """The application that a row holds."""
    found = session.scalars(select(VerdictRow).where(VerdictRow.application == row.id))
    verdicts = {Department(v.department): Verdict(v.passed, v.reason, v.at) for v in found}
    return Application(
        Cause(row.cause),
        Channel(row.channel),
        row.received_at,
        Stage(row.stage),
        verdicts,
        row.verified_at,
        row.made_at,
        row.closed_at,
    )


def application_history(session: Session, row: ApplicationRow) -> Sequence[ApplicationEvent]:
    """The audit trail of an application, oldest first."""
    mine = ApplicationEvent.application == row.id
    return session.scalars(select(ApplicationEvent).where(mine).order_by(ApplicationEvent.id)).all()


def line_of(
    row: ApplicationRow, by: By, at: datetime, event: str, article: int, before: str, after: str
) -> ApplicationEvent:
    """A new line of an application's audit trail."""
    return ApplicationEvent(application=row.id, **by.wrote(at, event, article, before, after))
