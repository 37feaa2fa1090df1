"""The audit trail: who used which card, when, through which face and for what (Art. 25, 27).

Append-only; the database itself refuses to change or delete a line. A card is recorded by its blind
index, so the trail can answer "was this card used here?" and names nobody to who reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from terminal.store.schema import audit
from terminal.store.store import Store

_RECORD = audit.insert()


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line. `outcome` is "admitted" or "refused"; `reason` and `article` say why refused.

    `list_version` is the version of the blacklist that the decision rested on.
    """

    at: datetime
    face: str
    function: str
    outcome: str
    reason: str | None = None
    article: int | None = None
    list_version: int | None = None


class Audit:
    """The audit trail in the terminal's store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, entry: AuditEntry, card_id: str | None) -> None:
        """Append a line about a card (32 hex digits, None when it gave none). Durable on return."""
        row = {
            "at": entry.at,
            "face": entry.face,
            "function": entry.function,
            "card_index": None if card_id is None else self._store.index(card_id),
            "outcome": entry.outcome,
            "reason": entry.reason,
            "article": entry.article,
            "list_version": entry.list_version,
        }
        with self._store.writing() as connection:
            connection.execute(_RECORD, row)

    def latest(self, count: int = 100, card_id: str | None = None) -> tuple[AuditEntry, ...]:
        """The last lines, newest first; with `card_id`, those about that card."""
        columns = [audit.c[name] for name in AuditEntry.__dataclass_fields__]
        query = select(*columns).order_by(audit.c.id.desc()).limit(count)
        if card_id is not None:
            query = query.where(audit.c.card_index == self._store.index(card_id))
        with self._store.reading() as connection:
            return tuple(AuditEntry(**row._asdict()) for row in connection.execute(query))
