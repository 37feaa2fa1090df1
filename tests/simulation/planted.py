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

from apdu.ssc.account import MedicalAccount
from apdu.ssc.identity import OneCard
from apdu.ssc.transactions import NotDone
from backend_client.client import BackendClient
from backend_client.errors import NoReply, Unreachable
from backend_client.messages import ConfirmRequest, Reversal, Settlement, TrialRequest
from backend_client.money_messages import UploadReceipt
from simulator.backoffice import ledger
from simulator.backoffice.accounts import account_of
from simulator.backoffice.operations import Operations, Stage
from simulator.backoffice.schema import Account, SettlementRow
from simulator.backoffice.uploads import Uploads
from simulator.world.weather import CALM, Weather
from terminal import app, resolution, upload
from terminal.functions import commit, proof, settlement
from terminal.outcome import Outcome
from terminal.resolution import Recovery
from terminal.store import blacklist, clock_guard, journal, store
from terminal.store.journal import Evidence, Journal, Kind, State
from terminal.store.outbox import Outbox, Waiting

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault, how to plant it, and the worlds that are searched for it."""

    name: str
    plant: Plant
    weather: Weather | None
    theme: str | None


BAD_LINE = Weather(line=0.67)
DYING = Weather(kill=1.0)
TORN = Weather(tear=0.8)


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


def proof_ignored(patch: pytest.MonkeyPatch) -> None:
    """A torn debit is closed as undone when its card is back, whatever the card says."""
    patch.setattr(MedicalAccount, "resolve", lambda _self, pending: NotDone(pending))


def proof_of_another_card(patch: pytest.MonkeyPatch) -> None:
    """Whichever card comes next is asked for the proof of a torn debit."""
    real = Journal.left_open
    patch.setattr(OneCard, "require", lambda *_: None)
    patch.setattr(proof, "torn_debits", lambda visit: _torn(real(visit.journal)))


def _torn(operations: tuple[journal.Operation, ...]) -> tuple[journal.Operation, ...]:
    return tuple(
        one for one in operations if one.kind is Kind.DEBIT and one.state is not State.PREPARED
    )


def proof_without_the_log(patch: pytest.MonkeyPatch) -> None:
    """Where the proof is another's, or replaced, the log is not looked at."""
    patch.setattr(MedicalAccount, "_is_logged", lambda _self, _pending, otherwise: otherwise)


def torn_taken_for_undone(patch: pytest.MonkeyPatch) -> None:
    """A debit that is open at a start is closed as never sent."""
    real = resolution._ended

    def ended(operation: Any, book: Journal, client: Any) -> Any:
        if operation.kind is Kind.DEBIT and operation.state is State.SENT:
            return book.refuse(operation, Evidence.NEVER_SENT)
        return real(operation, book, client)

    patch.setattr(resolution, "_ended", ended)


def debit_noted_afterwards(patch: pytest.MonkeyPatch) -> None:
    """DEBIT leaves before it is noted what leaves."""
    real = MedicalAccount.debit

    def debited(self: MedicalAccount, begun: Any, permit: Any, *, keep: Any) -> Any:
        kept: list[Any] = []
        done = real(self, begun, permit, keep=kept.append)
        keep(kept[0])
        return done

    patch.setattr(MedicalAccount, "debit", debited)


def handed_in_twice_counts_twice(patch: pytest.MonkeyPatch) -> None:
    """The same record again is taken once and counted again."""
    real = Uploads._known

    def known(self: Uploads, session: Any, caller: Any, upload: Any) -> Any:
        row = real(self, session, caller, upload)
        if row is not None and row.kind == "debit":
            row.account_fen += upload.account_fen
        return row

    patch.setattr(Uploads, "_known", known)


def marked_before_it_is_handed_in(patch: pytest.MonkeyPatch) -> None:
    """A record counts as handed in before the centre has said so."""
    real = upload._upload

    def handed_in(operation: journal.Operation, client: BackendClient) -> Any:
        try:
            return real(operation, client)
        except (NoReply, Unreachable):
            return UploadReceipt(operation.number, "accepted", operation.changed_at)

    patch.setattr(upload, "_upload", handed_in)


def day_not_counted(patch: pytest.MonkeyPatch) -> None:
    """What a card has paid today does not count."""
    patch.setattr(Outbox, "spent_today", lambda *_: 0)


def waiting_not_counted(patch: pytest.MonkeyPatch) -> None:
    """What waits to be handed in does not count."""
    patch.setattr(Outbox, "waiting", lambda _: Waiting(0, 0, None))


_WHERE: Mapping[str | None, Mapping[Plant, Weather | None]] = {
    None: {
        written_after_sending: DYING,
        unknown_taken_for_refused: BAD_LINE,
        list_not_applied: CALM,
        chain_head_not_moved: CALM,
        journal_not_durable: DYING,
        number_reused: None,
        double_debit: CALM,
        booked_again_on_repetition: BAD_LINE,
        recovery_skipped: DYING,
        tombstone_missing: BAD_LINE,
        confirmed_taken_for_undone: BAD_LINE,
        sent_taken_for_never_sent: DYING,
        undone_twice: BAD_LINE,
        error_taken_for_refusal: BAD_LINE,
        clock_always_believed: CALM,
    },
    "money": {
        retry_as_new: BAD_LINE,
        reversal_skipped: BAD_LINE,
        receipt_before_the_answer: BAD_LINE,
        receipt_forgotten: DYING,
        number_accepted_after_its_end: BAD_LINE,
    },
    "without the centre": {
        proof_ignored: TORN,
        proof_of_another_card: TORN,
        proof_without_the_log: TORN,
        torn_taken_for_undone: DYING,
        debit_noted_afterwards: TORN,
        handed_in_twice_counts_twice: BAD_LINE,
        marked_before_it_is_handed_in: BAD_LINE,
        day_not_counted: CALM,
        waiting_not_counted: CALM,
    },
}
"""The theme of the worlds that are searched, None for each world's own, and their weather."""

PLANTS = tuple(
    Planted(plant.__name__.replace("_", " "), plant, weather, theme)
    for theme, plants in _WHERE.items()
    for plant, weather in plants.items()
)
