"""The journal as operators see it: steps and open rows, without the card and what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from terminal.store.schema import journal_event, operation
from terminal.store.store import Store


@dataclass(frozen=True, slots=True)
class JournalStep:
    """One step of one operation. `evidence` closed it; `note` is a code, never data."""

    sequence: int
    number: str
    kind: str
    state: str
    at: datetime
    evidence: str | None
    note: str | None


def latest_steps(store: Store, count: int = 200) -> tuple[JournalStep, ...]:
    """The last steps of the journal, newest first. Raises `StoreError`."""
    columns = (
        journal_event.c.sequence,
        journal_event.c.number,
        operation.c.kind,
        journal_event.c.state,
        journal_event.c.at,
        journal_event.c.evidence,
        journal_event.c.note,
    )
    query = (
        select(*columns)
        .join(operation, operation.c.number == journal_event.c.number)
        .order_by(journal_event.c.sequence.desc())
        .limit(count)
    )
    with store.reading() as connection:
        return tuple(JournalStep(*row) for row in connection.execute(query))
