"""The journal: every operation that changes something at the centre or on the card.

States: PREPARED -> SENT -> CONFIRMED | REFUSED | UNKNOWN, UNKNOWN -> CONFIRMED | REVERSED, and
PREPARED -> REVERSED for what never left. A reconciliation may void what the centre has not got. An
operation gets its number once and is durable before the first byte leaves; every step is durable
when its method returns. A row is closed by evidence only. A lost answer makes UNKNOWN, never a
second try: query first, then reverse (resolution.py).

An operation that is PREPARED or SENT is in the hands of the visit that prepared it, until that
visit lets go of it; then whoever resolves may take it (`left_open`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from threading import RLock
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    exists,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from apdu.sam import NO_TERMINAL_NUMBER
from backend_client.messages import CardRef, encode
from terminal.clock import SHANGHAI, Clock, local
from terminal.errors import JournalError, NumbersExhausted
from terminal.store.chain import ChainCheck, Head, check, next_event
from terminal.store.outbox import put
from terminal.store.schema import IS_REVERSING, REVERSING, journal_event, operation, untold
from terminal.store.store import Store

_SEQUENCE = "journal_sequence"
HEAD = "journal_head"
"""Under this name the store keeps the end of the hash chain."""
_SEQUENCES = 10_000
_AROUND = timedelta(days=1)


class State(StrEnum):
    """Where an operation stands."""

    PREPARED = "prepared"
    SENT = "sent"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    REVERSED = "reversed"

    @property
    def is_open(self) -> bool:
        """Whether the operation still needs an end."""
        return self in _OPEN


_OPEN = (State.PREPARED, State.SENT, State.UNKNOWN)


class Kind(StrEnum):
    """What an operation does."""

    ACTIVATION = "activation"
    SETTLEMENT = "settlement"
    CANCELLATION = "cancellation"
    CONTRIBUTION = "contribution"
    BENEFIT = "benefit"
    DEBIT = "debit"
    PROVISIONAL = "provisional"

    @property
    def is_offline(self) -> bool:
        """Whether it is done without the centre, and uploaded afterwards."""
        return self in (Kind.DEBIT, Kind.PROVISIONAL)


# Made once, as in store.py.
_PREPARE = insert(operation)
_STEP = (
    update(operation)
    .where(operation.c.number == bindparam("this"), operation.c.state == bindparam("seen"))
    .returning(operation)
)
_EVENT = insert(journal_event)
_UNTOLD = insert(untold).on_conflict_do_nothing()
_FIND = select(operation).where(operation.c.number == bindparam("this"))
_IS_REVERSING = select(
    exists().where(journal_event.c.number == bindparam("this"), text(IS_REVERSING))
)
_OPEN_ONES = (
    select(operation)
    .where(operation.c.state.in_([state.value for state in _OPEN]))
    .order_by(operation.c.prepared_at, operation.c.number)
)
_OPEN_OF_CARD = _OPEN_ONES.where(operation.c.card_index == bindparam("card"))
_UNTOLD_OF_CARD = (
    select(operation)
    .join(untold, untold.c.number == operation.c.number)
    .where(untold.c.card_index == bindparam("card"))
    .order_by(operation.c.prepared_at, operation.c.number)
)
_UNFINISHED = select(func.count()).where(
    operation.c.state.in_([State.SENT.value, State.UNKNOWN.value])
)
_IS_TAKEN = select(exists().where(operation.c.number == bindparam("this")))


class Evidence(StrEnum):
    """What closes an operation."""

    ANSWER = "answer"  # the centre's answer to the request itself
    QUERY = "query"  # the centre's answer to "what became of it?"
    REVERSAL = "reversal"  # the centre's answer to "undo it"
    CARD = "card"  # the card's own answer: the TAC of a debit, or that the card was there
    PROOF = "proof"  # the card's answer to "did you book it?" when it came back (facts 7.5)
    RECONCILED = "reconciled"  # a day's ledgers were compared, and the centre asked again
    NEVER_SENT = "never sent"  # it is certain that the request did not reach the centre


_ASKED = (Evidence.QUERY, Evidence.REVERSAL, Evidence.PROOF, Evidence.RECONCILED)
"""What closes an operation some time after its holder was told that nobody knows."""

_TO_BE_TOLD = {(State.CONFIRMED, Evidence.ANSWER), (State.CONFIRMED, Evidence.CARD)} | {
    (state, evidence) for state in (State.CONFIRMED, State.REVERSED) for evidence in _ASKED
}
"""The ends that the holder has to hear of. Until `told` the terminal may die before anybody did."""


_Steps = Mapping[tuple[State, State], tuple[Evidence | None, ...]]

_BY_CENTRE: _Steps = {
    (State.PREPARED, State.SENT): (None,),
    (State.PREPARED, State.REVERSED): (Evidence.NEVER_SENT,),
    (State.SENT, State.CONFIRMED): (Evidence.ANSWER,),
    (State.SENT, State.REFUSED): (Evidence.ANSWER, Evidence.NEVER_SENT),
    (State.SENT, State.UNKNOWN): (None,),
    (State.UNKNOWN, State.UNKNOWN): (None,),
    (State.UNKNOWN, State.CONFIRMED): (Evidence.QUERY,),
    (State.UNKNOWN, State.REVERSED): (Evidence.QUERY, Evidence.REVERSAL),
    (State.CONFIRMED, State.REVERSED): (Evidence.RECONCILED,),
}
"""Every step of what the centre does, and the evidence that it takes."""

_BY_CARD: _Steps = {
    (State.PREPARED, State.SENT): (None,),
    (State.PREPARED, State.REVERSED): (Evidence.NEVER_SENT,),
    (State.SENT, State.CONFIRMED): (Evidence.CARD,),
    (State.SENT, State.REFUSED): (Evidence.CARD, Evidence.NEVER_SENT),
    (State.SENT, State.UNKNOWN): (None,),
    (State.UNKNOWN, State.CONFIRMED): (Evidence.PROOF,),
    (State.UNKNOWN, State.REVERSED): (Evidence.PROOF,),
}
"""Every step of what is done with the card alone: there the card's word counts, and no other."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it stood when it was read. Give it to the journal to take the next step.

    `payload` is what is to be sent, `result` what came back; both as JSON objects.
    """

    number: str
    kind: Kind
    state: State
    card: CardRef = field(repr=False)
    payload: Mapping[str, Any] = field(repr=False)
    result: Mapping[str, Any] | None = field(repr=False)
    evidence: Evidence | None
    prepared_at: datetime
    changed_at: datetime


class Journal:
    """The journal of one terminal.

    `institution` is the 12 characters that open every number; a new enrolment sets it anew.
    `terminal_number` gives the 12 digits of the security module, recorded with every operation. It
    is asked for only then: who merely looks into the journal needs no security module.

    `resolving` is held by whoever finds out what became of an operation: two who ask at once would
    both want to end it.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        institution: str,
        terminal_number: Callable[[], str] = lambda: NO_TERMINAL_NUMBER,
    ) -> None:
        self._store = store
        self._clock = clock
        self.institution = institution
        self._terminal_number = terminal_number
        self.resolving = RLock()
        self._in_hand: set[str] = set()

    def prepare(self, kind: Kind, card: CardRef, payload: Mapping[str, Any]) -> Operation:
        """Give an operation its number and make it durable. Raises `StoreError`.

        It is in the caller's hands from then on: see `let_go`. Raises `NumbersExhausted` when this
        second has no number left.
        """
        now = self._clock.now()
        terminal_number = self._terminal_number()
        with ExitStack() as undone:
            with self._store.writing() as connection:
                number = self._next_number(connection, now)
                self._in_hand.add(number)  # before anybody else can see the row
                undone.callback(self._in_hand.discard, number)
                row = {
                    "number": number,
                    "kind": kind.value,
                    "state": State.PREPARED.value,
                    "terminal_number": terminal_number,
                    "card_index": self._store.index(card.card_id),
                    "card": self._store.seal(encode(card), _place("card", number)),
                    "payload": self._store.seal(dict(payload), _place("payload", number)),
                    "result": None,
                    "evidence": None,
                    "prepared_at": now,
                    "changed_at": now,
                }
                connection.execute(_PREPARE, row)
                self._append(connection, row, note=None)
            undone.pop_all()
        return self._operation(row)

    def reserve(self, count: int) -> tuple[str, ...]:
        """Numbers for messages that are no operations themselves; none is ever given again.

        Raises `StoreError`, and `NumbersExhausted` as `prepare` does.
        """
        now = self._clock.now()
        with self._store.writing() as connection:
            return tuple(self._next_number(connection, now) for _ in range(count))

    def mark_sent(self, prepared: Operation, payload: Mapping[str, Any] | None = None) -> Operation:
        """PREPARED -> SENT: call this before the first byte leaves.

        `payload` replaces what was prepared by exactly what is being sent.
        """
        return self._step(prepared, State.SENT, payload=payload)

    def confirm(self, sent: Operation, evidence: Evidence, result: Mapping[str, Any]) -> Operation:
        """SENT or UNKNOWN -> CONFIRMED, with what the centre answered."""
        return self._step(sent, State.CONFIRMED, evidence=evidence, result=result)

    def refuse(self, sent: Operation, evidence: Evidence, note: str | None = None) -> Operation:
        """SENT -> REFUSED: nothing happened. `note` is a stable code that says why."""
        return self._step(sent, State.REFUSED, evidence=evidence, note=note)

    def unknown(self, sent: Operation, note: str | None = None) -> Operation:
        """SENT -> UNKNOWN: the answer was lost."""
        return self._step(sent, State.UNKNOWN, note=note)

    def reversing(self, unknown: Operation) -> Operation:
        """A reversal is about to leave: call this before its first byte does.

        The operation stays UNKNOWN. From now on only the answer to the reversal ends it, since that
        may arrive at any time and undo what a query finds confirmed before.
        """
        return self._step(unknown, State.UNKNOWN, note=REVERSING)

    def is_reversing(self, number: str) -> bool:
        """Whether a reversal of this operation may be under way."""
        with self._store.reading() as connection:
            return bool(connection.execute(_IS_REVERSING, {"this": number}).scalar_one())

    def reverse(
        self,
        unknown: Operation,
        evidence: Evidence,
        note: str | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> Operation:
        """UNKNOWN -> REVERSED, or PREPARED -> REVERSED for what was never sent.

        `result` is what the centre answered to the reversal.
        """
        return self._step(unknown, State.REVERSED, evidence=evidence, note=note, result=result)

    def void(self, confirmed: Operation) -> Operation:
        """CONFIRMED -> REVERSED: the centre has not got it, as a reconciliation has found."""
        return self._step(confirmed, State.REVERSED, evidence=Evidence.RECONCILED)

    def done_about(self, day: date) -> Iterator[Operation]:
        """Settlements and cancellations of this institution, done, begun within a day of `day`."""
        query = (
            select(operation)
            .where(*_about(day, self.institution))
            .where(operation.c.state == State.CONFIRMED.value)
            .order_by(operation.c.prepared_at, operation.c.number)
        )
        with self._store.reading() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                yield self._operation(row._asdict())

    def not_done_about(self, day: date) -> tuple[tuple[str, State], ...]:
        """Number and state of all other settlements and cancellations of those days."""
        query = (
            select(operation.c.number, operation.c.state)
            .where(*_about(day, self.institution))
            .where(operation.c.state != State.CONFIRMED.value)
            .order_by(operation.c.prepared_at, operation.c.number)
        )
        with self._store.reading() as connection:
            return tuple((row.number, State(row.state)) for row in connection.execute(query))

    def every(self) -> Iterator[Operation]:
        """All operations, oldest first."""
        query = select(operation).order_by(operation.c.prepared_at, operation.c.number)
        with self._store.reading() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                yield self._operation(row._asdict())

    @property
    def steps(self) -> int:
        """How many steps have been taken in all."""
        return Head.from_json(self._store.get(HEAD)).count

    def find(self, number: str) -> Operation | None:
        """The operation of this number."""
        with self._store.reading() as connection:
            row = connection.execute(_FIND, {"this": number}).first()
        return None if row is None else self._operation(row._asdict())

    def let_go(self, operation: Operation) -> None:
        """The visit that prepared it works on it no longer, whatever state it has come to."""
        self._in_hand.discard(operation.number)

    def left_open(self, card_id: str | None = None) -> tuple[Operation, ...]:
        """The open operations that nobody works on any more: those to be resolved.

        UNKNOWN ones always are; PREPARED and SENT ones once their visit has let go of them.
        """
        return tuple(
            one
            for one in self.open_operations(card_id)
            if one.state is State.UNKNOWN or one.number not in self._in_hand
        )

    def open_operations(self, card_id: str | None = None) -> tuple[Operation, ...]:
        """Every operation without an end, oldest first; with `card_id`, that card's only."""
        with self._store.reading() as connection:
            if card_id is None:
                rows = connection.execute(_OPEN_ONES).all()
            else:
                card = {"card": self._store.index(card_id)}
                rows = connection.execute(_OPEN_OF_CARD, card).all()
        return tuple(self._operation(row._asdict()) for row in rows)

    def settled(self, card_id: str, at_most: int = 20) -> tuple[Operation, ...]:
        """The card's settlements of this institution that stand and are not being taken back.

        Newest first. Another institution's are not this terminal's to take back any more.
        """
        query = (
            select(operation)
            .where(operation.c.card_index == self._store.index(card_id))
            .where(operation.c.kind.in_([Kind.SETTLEMENT.value, Kind.CANCELLATION.value]))
            .where(operation.c.number.startswith(self.institution, autoescape=True))
            .order_by(operation.c.prepared_at.desc(), operation.c.number.desc())
        )
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        found = [self._operation(row._asdict()) for row in rows]
        taken_back = {
            one.payload.get("settlement_number")
            for one in found
            if one.kind is Kind.CANCELLATION and (one.state.is_open or one.state is State.CONFIRMED)
        }
        standing = [
            one
            for one in found
            if one.kind is Kind.SETTLEMENT
            and one.state is State.CONFIRMED
            and one.number not in taken_back
        ]
        return tuple(standing[:at_most])

    def untold(self, card_id: str) -> tuple[Operation, ...]:
        """What ended for this card, and its holder does not know, in order."""
        with self._store.reading() as connection:
            rows = connection.execute(_UNTOLD_OF_CARD, {"card": self._store.index(card_id)}).all()
        return tuple(self._operation(row._asdict()) for row in rows)

    def told(self, ended: Operation) -> None:
        """The holder knows how this operation ended."""
        with self._store.writing() as connection:
            connection.execute(delete(untold).where(untold.c.number == ended.number))

    def counts(self) -> dict[State, int]:
        """How many operations there are in each state."""
        query = select(operation.c.state, func.count().label("how_many")).group_by(
            operation.c.state
        )
        with self._store.reading() as connection:
            found = {row.state: row.how_many for row in connection.execute(query)}
        return {state: found.get(state.value, 0) for state in State}

    def unfinished(self) -> int:
        """How many operations have left and have no end yet: SENT and UNKNOWN."""
        with self._store.reading() as connection:
            return connection.execute(_UNFINISHED).scalar_one()

    def verify_chain(self, last: int | None = None) -> ChainCheck:
        """Check every event and operation against the hash chain and its sealed head.

        `last` checks only that many events at the end, which takes no longer as the years go by.
        """
        with self._store.reading() as connection:
            head = Head.from_json(self._store.get(HEAD, connection))
            return check(connection, head, last)

    def _step(
        self,
        before: Operation,
        state: State,
        *,
        evidence: Evidence | None = None,
        payload: Mapping[str, Any] | None = None,
        result: Mapping[str, Any] | None = None,
        note: str | None = None,
    ) -> Operation:
        """Take one step. Raises `JournalError` when it is not allowed from where the row stands."""
        steps = _BY_CARD if before.kind.is_offline else _BY_CENTRE
        if evidence not in steps.get((before.state, state), ()):
            raise JournalError(
                f"{before.number}: {before.state} -> {state} by {evidence} is not a step"
            )
        number = before.number
        change: dict[str, Any] = {"state": state.value, "changed_at": self._clock.now()}
        change["evidence"] = None if evidence is None else evidence.value
        if payload is not None:
            change["payload"] = self._store.seal(dict(payload), _place("payload", number))
        if result is not None:
            change["result"] = self._store.seal(dict(result), _place("result", number))
        with self._store.writing() as connection:
            row = self._change(connection, before, change)
            self._append(connection, row, note)
            done = self._operation(row)
            if state is State.CONFIRMED and done.kind.is_offline:
                amount = int(done.payload.get("account_fen", 0))
                put(connection, number, row["card_index"], amount, row["changed_at"])
            if (state, evidence) in _TO_BE_TOLD:
                note_untold = {"number": number, "card_index": row["card_index"]}
                connection.execute(_UNTOLD, note_untold)
        return done

    def _change(
        self, connection: Connection, before: Operation, change: dict[str, Any]
    ) -> dict[str, Any]:
        """Write `change` if the row still stands where `before` saw it; return the whole row."""
        where = {"this": before.number, "seen": before.state.value}
        row = connection.execute(_STEP, where | change).one_or_none()
        if row is None:
            raise JournalError(f"{before.number} is no longer {before.state}")
        return row._asdict()

    def _append(self, connection: Connection, row: dict[str, Any], note: str | None) -> None:
        """Chain the step that led to `row`."""
        head = Head.from_json(self._store.get(HEAD, connection))
        event, head = next_event(head, row, note)
        connection.execute(_EVENT, event)
        self._store.put(HEAD, head.as_json(), connection)

    def _next_number(self, connection: Connection, now: datetime) -> str:
        """Institution 12, Shanghai time 14, sequence 4; never one that was given before.

        The sequence goes on across restarts. It starts anywhere, so that two terminals of one
        institution that were installed together do not count in step. When the clock went back,
        the time of the last number stays, and numbers that were given are passed over.
        """
        last = self._store.get(_SEQUENCE, connection)
        at = max(f"{local(now):%Y%m%d%H%M%S}", last.get("at", "") if last else "")
        prefix = f"{self.institution}{at}"
        sequence = last["last"] if last else int.from_bytes(self._store.random(4), "big")
        for _ in range(_SEQUENCES):
            sequence = (sequence + 1) % _SEQUENCES
            number = f"{prefix}{sequence:04d}"
            if not connection.execute(_IS_TAKEN, {"this": number}).scalar_one():
                self._store.put(_SEQUENCE, {"last": sequence, "at": at}, connection)
                return number
        raise NumbersExhausted(f"no number is left for {local(now):%H:%M:%S}")

    def _operation(self, row: Mapping[str, Any]) -> Operation:
        number, result, evidence = row["number"], row["result"], row["evidence"]
        unseal = self._store.unseal
        return Operation(
            number=number,
            kind=Kind(row["kind"]),
            state=State(row["state"]),
            card=CardRef(**unseal(row["card"], _place("card", number))),
            payload=unseal(row["payload"], _place("payload", number)),
            result=None if result is None else unseal(result, _place("result", number)),
            evidence=None if evidence is None else Evidence(evidence),
            prepared_at=row["prepared_at"],
            changed_at=row["changed_at"],
        )


def _about(day: date, institution: str) -> tuple[ColumnElement[bool], ...]:
    """A settlement or a cancellation of that institution, begun within a day of `day`."""
    begin = datetime.combine(day, time(), SHANGHAI) - _AROUND
    return (
        operation.c.kind.in_([Kind.SETTLEMENT.value, Kind.CANCELLATION.value]),
        operation.c.number.startswith(institution, autoescape=True),
        operation.c.prepared_at >= begin,
        operation.c.prepared_at < begin + 3 * _AROUND,
    )


def _place(column: str, number: str) -> str:
    """The context that a sealed column of one row is bound to."""
    return f"operation/{column}/{number}"
