"""The outbox: what was done without the centre and waits to be uploaded (facts 5.4).

A row is made in the same transaction that closes its operation, so nothing that is done is ever
missing here; it leaves when the centre has given its receipt, and stays as a record of that. The
limits count what waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.sqlite import insert

from terminal.clock import Clock, local
from terminal.store.schema import outbox
from terminal.store.store import Store

NOTE_LENGTH = 64
EXPORTED = "EXPORTED"
"""The note beside a record that left by the export alone."""

# Made once, as in store.py.
_PUT = insert(outbox).on_conflict_do_nothing()
_WAITING = select(
    func.count(), func.coalesce(func.sum(outbox.c.amount_fen), 0), func.min(outbox.c.made_at)
).where(outbox.c.sent_at.is_(None))


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits: how many records, their sum in fen, and since when the oldest does."""

    count: int
    total_fen: int
    oldest: datetime | None


def put(
    connection: Connection, number: str, card_index: bytes, amount_fen: int, at: datetime
) -> None:
    """Have the operation of this number uploaded; for the journal, in its transaction."""
    row = {"number": number, "card_index": card_index, "amount_fen": amount_fen, "made_at": at}
    connection.execute(_PUT, row)


class Outbox:
    """The outbox of one store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def waiting(self) -> Waiting:
        """All that is not uploaded."""
        with self._store.reading() as connection:
            count, total, oldest = connection.execute(_WAITING).one()
        return Waiting(count, total, oldest)

    def spent_today(self, card_id: str) -> int:
        """What this card has paid here today without the centre, uploaded or not, in fen."""
        today = local(self._clock.now()).replace(hour=0, minute=0, second=0, microsecond=0)
        query = select(func.coalesce(func.sum(outbox.c.amount_fen), 0)).where(
            outbox.c.card_index == self._store.index(card_id), outbox.c.made_at >= today
        )
        with self._store.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def numbers(self, at_most: int = 500, card_id: str | None = None) -> tuple[str, ...]:
        """The operations that wait, oldest first; with `card_id`, that card's only."""
        query = (
            select(outbox.c.number)
            .where(outbox.c.sent_at.is_(None))
            .order_by(outbox.c.made_at, outbox.c.number)
            .limit(at_most)
        )
        if card_id is not None:
            query = query.where(outbox.c.card_index == self._store.index(card_id))
        with self._store.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def refusals(self) -> tuple[tuple[str, str], ...]:
        """What waits although it was sent: each number, and why the centre does not take it."""
        query = (
            select(outbox.c.number, outbox.c.note)
            .where(outbox.c.sent_at.is_(None), outbox.c.note.is_not(None))
            .order_by(outbox.c.made_at, outbox.c.number)
        )
        with self._store.reading() as connection:
            return tuple((row.number, row.note) for row in connection.execute(query))

    def sent(self, number: str, note: str) -> None:
        """The centre has it; `note` is its verdict."""
        self._mark(number, sent_at=self._clock.now(), note=note)

    def refused(self, number: str, code: str) -> None:
        """The centre does not take it, for the reason `code`; it waits all the same."""
        self._mark(number, sent_at=None, note=code)

    def set_aside(self, institution: str) -> None:
        """What others than `institution` made is left to who exported it, and waits no longer.

        For a terminal that is this institution's from now on, and could not hand it in.
        """
        others = ~outbox.c.number.startswith(institution, autoescape=True)
        change = {"sent_at": self._clock.now(), "note": EXPORTED}
        with self._store.writing() as connection:
            connection.execute(
                update(outbox).where(outbox.c.sent_at.is_(None), others).values(change)
            )

    def _mark(self, number: str, *, sent_at: datetime | None, note: str) -> None:
        change = {"sent_at": sent_at, "note": note[:NOTE_LENGTH]}
        with self._store.writing() as connection:
            connection.execute(update(outbox).where(outbox.c.number == number).values(change))
