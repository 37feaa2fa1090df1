"""Settlements a second with full durability, beside the bare commit rate of the same SQLite file;
recovery with many open rows; reconciliation of 100 000 settlements, of one terminal and of many.

One settlement in the journal is three durable steps: prepared, sent, confirmed. The centre is left
out: it answers at once.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from backend_client.channels import direct
from backend_client.channels.channel import SettlementChannel
from backend_client.day_statement_messages import DayStatement
from backend_client.messages import CardRef, OperationState
from backend_client.money_messages import DayTotal, StatementLine
from benchmarks.table import Table
from terminal.centre import Centre, Found
from terminal.clock import SystemClock
from terminal.day_statement import as_text, read_all
from terminal.reconciliation import Differs, compare, reconcile, totals_of
from terminal.resolution import resolve_all
from terminal.store.chain import Head, next_event
from terminal.store.journal import HEAD, Evidence, Journal, Kind, Operation, State
from terminal.store.store import Store

SETTLEMENTS = 300
OPEN_ROWS = 100_000
LINES = 100_000
ENDED = 1_000
PLANTED = 50
TERMINALS = 20
R = TypeVar("R")
_CARD = CardRef("990100d15600000500000001ffffffff", "A12345678")
_PAYLOAD: Mapping[str, Any] = {"bill_id": "B2026031000001", "total_fen": 25_020, "pad": "x" * 600}


def tables(*, settlements: int = SETTLEMENTS, open_rows: int = OPEN_ROWS) -> list[Table]:
    """The tables; smaller numbers are for trying out."""
    with (
        tempfile.TemporaryDirectory(prefix="ssct-bench-") as directory,
        Store.open(Path(directory), random=random.Random(1).randbytes) as store,
    ):
        journal = Journal(store, SystemClock(), "990100000001")
        commits = _rate(lambda i: store.put("benchmark", {"i": i}), 3 * settlements) / 3
        new = _rate(lambda _: _settle(journal), settlements)
        recovery = _recovery(store, journal, open_rows)
        later = _rate(lambda _: _settle(journal), settlements)
    return [
        _durable(commits, new, later, open_rows),
        recovery,
        _reconciliation(),
        institution(LINES // 10, LINES),
    ]


def _durable(commits: float, new: float, later: float, rows: int) -> Table:
    return Table(
        "Settlements with full durability",
        ("what", "a second", "of bare"),
        (
            ("three bare commits of this file", commits, "1.00"),
            ("a settlement in the journal", new, f"{new / commits:.2f}"),
            (f"the same, {rows} rows later", later, f"{later / commits:.2f}"),
        ),
        ("the centre is left out: it answers at once",),
    )


def _settle(journal: Journal) -> None:
    sent = journal.mark_sent(journal.prepare(Kind.SETTLEMENT, _CARD, _PAYLOAD), _PAYLOAD)
    journal.let_go(journal.confirm(sent, Evidence.ANSWER, _PAYLOAD))


def _recovery(store: Store, journal: Journal, open_rows: int) -> Table:
    """How long it takes to find so many open rows at start-up, and to end some of them."""
    _plant(store, journal, open_rows)
    begin = time.perf_counter()
    found = journal.left_open()
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    ended = len(resolve_all(found[:ENDED], journal, _AtOnce()).closed)
    ending = time.perf_counter() - begin
    begin = time.perf_counter()
    checked = journal.verify_chain(1_000)
    check = time.perf_counter() - begin
    assert checked.ok, checked.faults  # or what was measured was no journal
    rows = (
        (f"read {len(found)} open rows", f"{seconds:.2f}"),
        (f"end {ended} of them by what the centre knows", f"{ending:.2f}"),
        (f"check the last {checked.events} events", f"{check:.2f}"),
    )
    told = ("the centre answers each question at once; rows are ended one after the other",)
    return Table("Recovery at start-up", ("what", "seconds"), rows, told)


class _AtOnce(Centre):
    """A centre that has booked whatever it is asked about."""

    def __init__(self) -> None:
        super().__init__({direct.NAME: cast(SettlementChannel, None)}, direct.NAME, cast(Any, None))

    def query(self, operation: Operation) -> Found:
        """Booked, without any result."""
        return OperationState(operation.number, "confirmed")

    def is_agreed(self, _operation: Operation, _found: Found) -> bool:
        """Yes."""
        return True

    def booked(self, _operation: Operation, _found: Found) -> Mapping[str, Any]:
        """What a settlement's row keeps, about as large."""
        return _PAYLOAD


def _plant(store: Store, journal: Journal, open_rows: int) -> None:
    """Open rows, as many, copied from one: what a terminal would need weeks to make."""
    from sqlalchemy import insert, select

    from terminal.store.schema import journal_event, operation

    one = journal.unknown(journal.mark_sent(journal.prepare(Kind.SETTLEMENT, _CARD, _PAYLOAD)))
    journal.let_go(one)
    with store.writing() as connection:
        query = select(operation).where(operation.c.number == one.number)
        row = connection.execute(query).one()._asdict()
        head = Head.from_json(store.get(HEAD, connection))
        for start in range(0, open_rows - 1, 1_000):
            numbers = range(start, min(start + 1_000, open_rows - 1))
            rows = [_copied(store, row, f"{n:030d}") for n in numbers]
            connection.execute(insert(operation), rows)
            head, events = _chained(head, rows)
            connection.execute(insert(journal_event), events)
        store.put(HEAD, head.as_json(), connection)


def _chained(head: Head, rows: list[dict[str, Any]]) -> tuple[Head, list[dict[str, Any]]]:
    """The three steps that led to each of these rows, as the journal chains them."""
    events = []
    for row in rows:
        for state in (State.PREPARED, State.SENT, State.UNKNOWN):
            event, head = next_event(head, {**row, "state": state.value})
            events.append(event)
    return head, events


def _copied(store: Store, row: dict[str, Any], number: str) -> dict[str, Any]:
    place = "operation/{}/" + number
    return {
        **row,
        "number": number,
        "state": State.UNKNOWN.value,
        "card": store.seal(
            {"card_id": _CARD.card_id, "card_number": _CARD.card_number}, place.format("card")
        ),
        "payload": store.seal(_PAYLOAD, place.format("payload")),
        "prepared_at": datetime(2026, 3, 16, tzinfo=UTC),
    }


def _reconciliation() -> Table:
    ours = [_line(number) for number in range(LINES)]
    centre = [
        replace(line, cash_fen=line.cash_fen + 1) if place < PLANTED else line
        for place, line in enumerate(ours[PLANTED:])
    ] + [_line(LINES + number) for number in range(PLANTED)]
    random.Random(3).shuffle(centre)
    begin = time.perf_counter()
    found = compare(ours, centre)
    seconds = time.perf_counter() - begin
    rows = [
        (kind.value.en, PLANTED, sum(1 for each in found if each.differs is kind))
        for kind in Differs
    ]
    columns = ("difference", "planted", "found")
    return Table(f"Reconciliation of {LINES} settlements in {seconds:.2f} s", columns, rows)


def institution(*sizes: int) -> Table:
    """An institution of `TERMINALS` terminals beside one terminal with as many lines."""
    rows = [_added_up(lines) for lines in sizes]
    heads = ("lines", "one terminal", "added up", "of one", "reading the files", "of one", "found")
    told = (
        "seconds; the centre has the lines and answers at once; differences of three kinds",
        "reading is the files' JSON, its schema, and the digest over every line",
    )
    return Table(f"The same added up from {TERMINALS} terminals", heads, rows, told)


def _added_up(count: int) -> tuple[str, ...]:
    ours = [_line(number) for number in range(count)]
    centre = _Ledger(
        [replace(line, cash_fen=line.cash_fen + 1) for line in ours[:PLANTED]]
        + ours[2 * PLANTED :]
        + [_line(count + number) for number in range(PLANTED)]
    )
    day, now = date(2026, 3, 16), datetime(2026, 3, 17, tzinfo=UTC)

    def stated(terminal: int, lines: Sequence[StatementLine]) -> DayStatement:
        return DayStatement(day, "990100000101", f"T{terminal:06d}", now, tuple(lines), ())

    rows = cast(Journal, _NoRows())
    one = _seconds(lambda: reconcile(rows, cast(SettlementChannel, centre), stated(0, ours)))[0]
    own = stated(0, ())
    with tempfile.TemporaryDirectory(prefix="ssct-bench-") as directory:
        files = [Path(directory) / f"{terminal}.json" for terminal in range(1, TERMINALS)]
        for terminal, file in enumerate(files, 1):
            lines = ours[terminal - 1 :: TERMINALS - 1]
            file.write_text(as_text(stated(terminal, lines), None), encoding="utf-8")
        reading, others = _seconds(lambda: read_all(files, own, None))
    adding, report = _seconds(lambda: reconcile(rows, cast(SettlementChannel, centre), own, others))
    timed = (one, adding, adding / one, reading, reading / one)
    return (str(count), *(f"{each:.2f}" for each in timed), str(len(report.differences)))


class _Ledger:
    """A centre with these lines, which answers at once."""

    def __init__(self, lines: Sequence[StatementLine]) -> None:
        self._lines = tuple(lines)
        self._totals = totals_of(lines)

    def agrees(self, _day: date, total: DayTotal, _scope: str) -> bool:
        """Whether the sums are these."""
        return total in self._totals

    def statement(self, _day: date, _ours: object, _scope: str) -> tuple[StatementLine, ...]:
        """All lines."""
        return self._lines


class _NoRows:
    """The journal of a terminal that has none of what only the centre has."""

    def find(self, _number: str) -> None:
        """None."""
        return


def _seconds(work: Callable[[], R]) -> tuple[float, R]:
    begin = time.perf_counter()
    done = work()
    return time.perf_counter() - begin, done


def _line(number: int) -> StatementLine:
    return StatementLine(
        f"990100000101{number:018d}", f"S{number}", False, "employee", 1_000, 500, 250, 250
    )


def _rate(step: Callable[[int], None], count: int) -> float:
    """Steps a second, after one that does not count."""
    step(-1)
    begin = time.perf_counter()
    for number in range(count):
        step(number)
    return count / (time.perf_counter() - begin)
