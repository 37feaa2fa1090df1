"""Deliberate faults in the real code: each is a mistake that somebody could make.

`PLANTS` names each and plants it, with pytest's monkeypatch, which pulls it up again.
"""

# ruff: noqa: ANN401  # what is planted takes whatever the real thing takes

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, text

from backend_client.client import BackendClient
from backend_client.errors import NoReply, Unreachable
from backend_client.messages import ConfirmRequest, Reversal, Settlement, TrialRequest
from simulator.backoffice import ledger
from simulator.backoffice.accounts import account_of
from simulator.backoffice.operations import Operations, Stage
from simulator.backoffice.schema import Account, SettlementRow
from simulator.world.weather import CALM, Weather
from terminal import app, resolution
from terminal.functions import commit, settlement
from terminal.outcome import Outcome
from terminal.resolution import Recovery
from terminal.store import blacklist, clock_guard, journal, store
from terminal.store.journal import Evidence, Journal, State

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault, how to plant it, and the worlds that are searched for it."""

    name: str
    plant: Plant
    weather: Weather | None


BAD_LINE = Weather(line=0.67)
DYING = Weather(kill=1.0)


def retry_as_new(patch: pytest.MonkeyPatch) -> None:
    """A confirm without an answer is tried again under a number that nobody has written down."""
    real = BackendClient.confirm

    def confirm(self: BackendClient, request: ConfirmRequest) -> Settlement:
        try:
            return real(self, request)
        except NoReply:
            number = f"{request.number[:-4]}{(int(request.number[-4:]) + 1) % 10_000:04d}"
            total = request.split.total_fen
            self.trial(TrialRequest(number, request.card, request.bill_id, total))
            return replace(real(self, replace(request, number=number)), number=request.number)

    patch.setattr(BackendClient, "confirm", confirm)


def written_after_sending(patch: pytest.MonkeyPatch) -> None:
    """That it was sent is noted together with what became of it."""
    real = Journal._change

    def mark_sent(
        _: Journal, prepared: journal.Operation, payload: Mapping[str, Any] | None = None
    ) -> journal.Operation:
        return replace(prepared, state=State.SENT, payload=payload or prepared.payload)

    def change(
        self: Journal, connection: Any, before: journal.Operation, change: dict[str, Any]
    ) -> dict[str, Any]:
        found = self.find(before.number)
        return real(self, connection, found or before, change)

    patch.setattr(Journal, "mark_sent", mark_sent)
    patch.setattr(Journal, "_change", change)


def reversal_skipped(patch: pytest.MonkeyPatch) -> None:
    """What the centre does not know is taken for undone, without telling it."""

    def reverse(_: BackendClient, number: str) -> Reversal:
        return Reversal(number, found=False, reversed_at=datetime.fromisoformat("2026-03-16T09Z"))

    patch.setattr(BackendClient, "reverse", reverse)


def unknown_taken_for_refused(patch: pytest.MonkeyPatch) -> None:
    """No answer is taken for no connection."""
    real = BackendClient.confirm

    def confirm(self: BackendClient, request: ConfirmRequest) -> Settlement:
        try:
            return real(self, request)
        except NoReply as error:
            raise Unreachable("no answer") from error

    patch.setattr(BackendClient, "confirm", confirm)


def list_not_applied(patch: pytest.MonkeyPatch) -> None:
    """A new version is noted, its entries are not."""
    real = blacklist.BlacklistStore.apply

    def apply(self: blacklist.BlacklistStore, new: Any, *args: Any) -> None:
        real(self, replace(new, entries={}), *args)

    patch.setattr(blacklist.BlacklistStore, "apply", apply)


def chain_head_not_moved(patch: pytest.MonkeyPatch) -> None:
    """Events are appended, the sealed head of the chain is not moved."""
    real = store.Store.put

    def put(self: store.Store, name: str, *args: Any) -> None:
        if name != "journal_head":
            real(self, name, *args)

    patch.setattr(store.Store, "put", put)


def journal_not_durable(patch: pytest.MonkeyPatch) -> None:
    """Commits are not synced to the disk."""
    real = store._engine

    def engine(*args: Any) -> Any:
        made = real(*args)

        @event.listens_for(made, "connect")
        def lax(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA synchronous=NORMAL")

        return made

    patch.setattr(store, "_engine", engine)


def number_reused(patch: pytest.MonkeyPatch) -> None:
    """Numbers are counted in memory, by the day, from 1 at each start."""
    counted: dict[int, int] = {}

    def next_number(self: Journal, _connection: Any, now: datetime) -> str:
        counted[id(self)] = counted.get(id(self), 0) + 1
        return f"{self.institution}{now:%Y%m%d}{counted[id(self)]:010d}"

    patch.setattr(Journal, "_next_number", next_number)


def double_debit(patch: pytest.MonkeyPatch) -> None:
    """A settlement is taken from the account twice."""
    real = ledger._settlement_row

    def row(operation: Any, card: Any, bill: Any, due: Any, now: Any) -> SettlementRow:
        session = operation._sa_instance_state.session
        account = account_of(session, card.holder, due.medical_year)
        account.past_fen -= due.split.past_accounts_fen
        account.current_fen -= due.split.current_account_fen
        return real(operation, card, bill, due, now)

    patch.setattr(ledger, "_settlement_row", row)


def booked_again_on_repetition(patch: pytest.MonkeyPatch) -> None:
    """The same request again gets the same answer, and is booked again."""
    real = Operations._again

    def again(self: Operations, row: Any, wanted: bytes, answer: Any) -> Any:
        session = row._sa_instance_state.session
        booked = session.query(SettlementRow).filter_by(operation=row.id).one_or_none()
        if booked is not None and row.state == Stage.CONFIRMED:
            session.get_one(Account, booked.holder).current_fen -= booked.current_account_fen
            session.get_one(Account, booked.holder).past_fen -= booked.past_accounts_fen
        return real(self, row, wanted, answer)

    patch.setattr(Operations, "_again", again)


def receipt_before_the_answer(patch: pytest.MonkeyPatch) -> None:
    """What is not known yet gets a receipt."""
    real = commit.unfinished

    def unfinished(visit: Any, operation: Any, *args: Any, **kwargs: Any) -> Outcome | None:
        if operation.state is State.UNKNOWN:
            return None
        return real(visit, operation, *args, **kwargs)

    patch.setattr(settlement, "unfinished", unfinished)


def recovery_skipped(patch: pytest.MonkeyPatch) -> None:
    """The terminal serves before it has looked at what was open."""
    patch.setattr(app.Terminal, "recover", lambda _: Recovery((), (), None))


def tombstone_missing(patch: pytest.MonkeyPatch) -> None:
    """The centre forgets a number that was reversed before it arrived."""
    real = Operations.reverse

    def reverse(self: Operations, caller: Any, number: str, undo: Any) -> Reversal:
        with self._database.transaction() as session:
            row = self._find(session, caller, number)
            if row is None or row.state == Stage.OPEN:
                return Reversal(number, found=False, reversed_at=self._now())
        return real(self, caller, number, undo)

    patch.setattr(Operations, "reverse", reverse)


def confirmed_taken_for_undone(patch: pytest.MonkeyPatch) -> None:
    """Whatever the centre says of an unknown operation, it is closed as undone."""

    def ended(operation: Any, book: Journal, client: Any) -> Any:
        if operation.state is State.PREPARED:
            return book.reverse(operation, Evidence.NEVER_SENT)
        if operation.state is State.SENT:
            operation = book.unknown(operation, "no answer")
        client.query(operation.number)
        return book.reverse(operation, Evidence.QUERY)

    patch.setattr(resolution, "_ended", ended)


def sent_taken_for_never_sent(patch: pytest.MonkeyPatch) -> None:
    """At a start, what was being sent is closed like what was only prepared."""
    real = resolution._ended

    def ended(operation: Any, book: Journal, client: Any) -> Any:
        if operation.state is State.SENT:
            return book.refuse(operation, Evidence.NEVER_SENT)
        return real(operation, book, client)

    patch.setattr(resolution, "_ended", ended)


def receipt_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A settlement that was confirmed counts as told before the receipt was shown."""
    patch.setattr(
        journal, "_TO_BE_TOLD", journal._TO_BE_TOLD - {(State.CONFIRMED, Evidence.ANSWER)}
    )


def undone_twice(patch: pytest.MonkeyPatch) -> None:
    """A trial's money is given back when its number is reversed, although it took none."""
    real = Operations.reverse

    def reverse(self: Operations, caller: Any, number: str, undo: Any) -> Reversal:
        answer = real(self, caller, number, undo)
        if not answer.found:
            with self._database.transaction() as session:
                session.execute(text("UPDATE accounts SET past_fen = past_fen + 1"))
        return answer

    patch.setattr(Operations, "reverse", reverse)


def error_taken_for_refusal(patch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while sending closes the operation as refused."""
    patch.setattr(NoReply, "certainly_not_done", True)


def clock_always_believed(patch: pytest.MonkeyPatch) -> None:
    """A clock that was set forward brings lost cards back."""
    patch.setattr(clock_guard.ClockGuard, "trusted", lambda _: True)
    patch.setattr(clock_guard.ClockGuard, "confirmed", True)


def number_accepted_after_its_end(patch: pytest.MonkeyPatch) -> None:
    """A reversed number may be booked after all."""
    real = Operations.opened

    def opened(self: Operations, session: Any, caller: Any, number: str, *args: Any) -> Any:
        row = self._find(session, caller, number)
        if row is not None and row.state == Stage.REVERSED:
            row.state = Stage.OPEN
        return real(self, session, caller, number, *args)

    patch.setattr(Operations, "opened", opened)


_WHERE: Mapping[Plant, Weather | None] = {
    retry_as_new: BAD_LINE,
    written_after_sending: DYING,
    reversal_skipped: BAD_LINE,
    unknown_taken_for_refused: BAD_LINE,
    list_not_applied: CALM,
    chain_head_not_moved: CALM,
    journal_not_durable: DYING,
    number_reused: None,
    double_debit: CALM,
    booked_again_on_repetition: BAD_LINE,
    receipt_before_the_answer: BAD_LINE,
    recovery_skipped: DYING,
    tombstone_missing: BAD_LINE,
    confirmed_taken_for_undone: BAD_LINE,
    sent_taken_for_never_sent: DYING,
    receipt_forgotten: DYING,
    undone_twice: BAD_LINE,
    error_taken_for_refusal: BAD_LINE,
    clock_always_believed: CALM,
    number_accepted_after_its_end: BAD_LINE,
}
PLANTS = tuple(
    Planted(plant.__name__.replace("_", " "), plant, weather) for plant, weather in _WHERE.items()
)
