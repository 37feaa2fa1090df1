"""A gate's taps, durable: written before the card is debited, closed by the card's word.

GREY: the debit left, and the card's word has not come. DONE: it came. VOID: the card proved that
it took no debit. SENT: the back office has the record, whatever it made of it. A grey row outlives
the program: at its next start the gate goes on waiting for that card, and after a while hands the
row in as it is, for the clearing to decide at the card's next use (facts A1, "Tear").

There is no hash chain here: the PSAM's transaction numbers leave no gap that could hide a row, and
the card's TAC seals its content for whoever holds the key, which is not the gate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from threading import Lock
from typing import Any

from sqlalchemy import bindparam, func, select, update

from backend_client.codec import decode, to_json
from backend_client.transit_messages import Tap
from terminal.store.schema import tap
from terminal.store.store import Store

_INSERT = tap.insert()
_CLOSE = (
    update(tap)
    .where(tap.c.id == bindparam("row"), tap.c.state == bindparam("was"))
    .values(state=bindparam("becomes"), record=bindparam("content"))
)


class TapState(StrEnum):
    """Where a tap's row stands."""

    GREY = "grey"
    DONE = "done"
    VOID = "void"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class TapRow:
    """One row: its number in the book, its state, and what the tap was."""

    id: int
    state: TapState
    tap: Tap


@dataclass(frozen=True, slots=True)
class Unsent:
    """What has not been handed in: how many rows, and since when the oldest waits."""

    count: int
    oldest: datetime | None


class TapBook:
    """The taps in the terminal's store. Safe to share between threads. Raises `StoreError`s.

    How much waits to be handed in is counted once and kept count of: a tap must not take longer
    because thousands wait.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counting = Lock()
        self._unsent = self._counted()

    def prepare(self, one: Tap) -> TapRow:
        """Write a tap that is about to be debited; durable on return."""
        values = {"state": TapState.GREY.value, "at": one.at, "record": self._seal(one)}
        with self._store.writing() as connection:
            key = connection.execute(_INSERT, values).inserted_primary_key
        assert key is not None  # noqa: S101  # the table has one
        with self._counting:
            waiting = self._unsent
            self._unsent = Unsent(waiting.count + 1, waiting.oldest or one.at)
        return TapRow(key[0], TapState.GREY, one)

    def finish(self, grey: TapRow, tac: bytes) -> TapRow:
        """The card took the debit.

        It does not wait for the disk, so that the gate opens sooner: the next tap's row does. After
        a power cut in between the row is grey again, and the card still has its proof.
        """
        return self._close(grey, TapState.DONE, replace(grey.tap, tac=tac))

    def void(self, grey: TapRow) -> TapRow:
        """The card took no debit."""
        row = self._close(grey, TapState.VOID, grey.tap)
        self._count_again()
        return row

    def grey(self) -> tuple[TapRow, ...]:
        """The taps whose card has not spoken yet, oldest first."""
        return self._rows(tap.c.state == TapState.GREY.value)

    def to_send(self, grey_before: datetime, most: int) -> tuple[TapRow, ...]:
        """What is to be handed in, oldest first: what is done, and what has been grey that long."""
        waiting = (tap.c.state == TapState.GREY.value) & (tap.c.at < grey_before)
        return self._rows((tap.c.state == TapState.DONE.value) | waiting, most)

    def sent(self, rows: Iterable[TapRow]) -> None:
        """The back office has these rows. One that was closed meanwhile is to be sent again."""
        with self._store.writing() as connection:
            for row in rows:
                same = (tap.c.id == row.id) & (tap.c.state == row.state.value)
                connection.execute(update(tap).where(same).values(state=TapState.SENT.value))
        self._count_again()

    def unsent(self) -> Unsent:
        """How much waits to be handed in."""
        return self._unsent

    def _count_again(self) -> None:
        with self._counting:
            self._unsent = self._counted()

    def _counted(self) -> Unsent:
        waiting = tap.c.state.in_([TapState.GREY.value, TapState.DONE.value])
        query = select(func.count(), func.min(tap.c.at)).where(waiting)
        with self._store.reading() as connection:
            count, oldest = connection.execute(query).one()
        return Unsent(count, oldest)

    def counts(self) -> dict[TapState, int]:
        """How many taps there are in each state."""
        query = select(tap.c.state, func.count()).group_by(tap.c.state)
        with self._store.reading() as connection:
            found: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
        return {state: found.get(state.value, 0) for state in TapState}

    def _close(self, grey: TapRow, state: TapState, closed: Tap) -> TapRow:
        values: dict[str, Any] = {
            "row": grey.id,
            "was": TapState.GREY.value,
            "becomes": state.value,
            "content": self._seal(closed),
        }
        with self._store.writing(synced=False) as connection:
            changed = connection.execute(_CLOSE, values).rowcount
        # One that was handed in as it was is handed in again, with the card's word.
        return TapRow(grey.id, state, closed) if changed else self._reopen(grey, state, closed)

    def _reopen(self, grey: TapRow, state: TapState, closed: Tap) -> TapRow:
        values = {"state": state.value, "record": self._seal(closed)}
        with self._store.writing() as connection:
            connection.execute(update(tap).where(tap.c.id == grey.id).values(values))
        return TapRow(grey.id, state, closed)

    def _rows(self, condition: Any, most: int | None = None) -> tuple[TapRow, ...]:  # noqa: ANN401  # an SQL condition
        query = select(tap.c.id, tap.c.state, tap.c.record).where(condition).order_by(tap.c.id)
        with self._store.reading() as connection:
            rows = connection.execute(query.limit(most)).all()
        return tuple(
            TapRow(id_, TapState(state), decode(Tap, self._store.unseal(record, _PLACE)))
            for id_, state, record in rows
        )

    def _seal(self, one: Tap) -> bytes:
        return self._store.seal(to_json(one), _PLACE)


_PLACE = "tap/record"
