"""The journal: numbers, states, evidence, durability, and the chain that shows tampering."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend_client.messages import CardRef
from simulator.clock import SimulatedClock
from terminal.clock import SHANGHAI
from terminal.errors import JournalError, NumbersExhausted
from terminal.store.journal import Evidence, Journal, Kind, Operation, State
from terminal.store.store import DATABASE, Store

INSTITUTION = "990100000001"
START = datetime(2026, 3, 4, 10, 20, 30, tzinfo=SHANGHAI)
CARD = CardRef("990100d15600000500000001ffffffff", "A12345678")
OTHER = CardRef("990100d15600000500000002ffffffff", "B12345678")
KEY = bytes(range(32))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, random=Random(1).randbytes, key=KEY) as opened:
        yield opened


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
def journal(store: Store, clock: SimulatedClock) -> Journal:
    return Journal(store, clock, INSTITUTION)


def prepared(journal: Journal) -> Operation:
    return journal.prepare(Kind.SETTLEMENT, CARD, {"bill_id": "b1"})


def sent(journal: Journal) -> Operation:
    return journal.mark_sent(prepared(journal), {"bill_id": "b1", "total_fen": 100})


def unknown(journal: Journal) -> Operation:
    return journal.unknown(sent(journal), "BACKEND_UNKNOWN_OUTCOME")


def confirmed(journal: Journal) -> Operation:
    return journal.confirm(sent(journal), Evidence.ANSWER, {"settlement_id": "s1"})


def refused(journal: Journal) -> Operation:
    return journal.refuse(sent(journal), Evidence.ANSWER, "BILL_SETTLED")


def reversed_(journal: Journal) -> Operation:
    return journal.reverse(unknown(journal), Evidence.REVERSAL)


REACH = {
    State.PREPARED: prepared,
    State.SENT: sent,
    State.UNKNOWN: unknown,
    State.CONFIRMED: confirmed,
    State.REFUSED: refused,
    State.REVERSED: reversed_,
}


def test_a_number_is_institution_time_and_sequence(journal: Journal, clock: SimulatedClock) -> None:
    first = prepared(journal).number
    assert first.startswith(INSTITUTION + "20260304102030")
    assert len(first) == 30
    clock.advance(timedelta(hours=14))
    second = prepared(journal).number
    assert second.startswith(INSTITUTION + "20260305002030")
    assert int(second[-4:]) == (int(first[-4:]) + 1) % 10_000


def test_the_sequence_goes_on_after_a_restart(tmp_path: Path, clock: SimulatedClock) -> None:
    numbers = []
    for seed in range(3):
        with Store.open(tmp_path, random=Random(seed).randbytes, key=KEY) as store:
            numbers.append(int(prepared(Journal(store, clock, INSTITUTION)).number[-4:]))
    assert [n - numbers[0] for n in numbers] == [0, 1, 2]


def test_two_terminals_of_one_institution_do_not_count_in_step(tmp_path: Path) -> None:
    numbers = set()
    for seed in range(2):
        with Store.open(tmp_path / str(seed), random=Random(seed).randbytes, key=KEY) as store:
            numbers.add(prepared(Journal(store, SimulatedClock(START), INSTITUTION)).number)
    assert len(numbers) == 2


def give(store: Store, sequence: int) -> None:
    """Have the next number end in the sequence after this one."""
    store.put("journal_sequence", {"last": sequence})


def test_a_number_of_a_second_that_comes_again_is_passed_over(
    store: Store, journal: Journal
) -> None:
    """The clock went back and the sequence came round: unique all the same."""
    give(store, 41)
    first = prepared(journal)
    give(store, 41)
    second = prepared(journal)
    assert (first.number[-4:], second.number[-4:]) == ("0042", "0043")
    give(store, 9998)
    assert [prepared(journal).number[-4:] for _ in range(2)] == ["9999", "0000"]


def test_when_a_second_is_used_up_nothing_is_begun(
    store: Store, journal: Journal, clock: SimulatedClock, tmp_path: Path
) -> None:
    row = prepared(journal)
    prefix = row.number[:26]
    with closing(sqlite3.connect(tmp_path / DATABASE)) as raw:
        taken = [(f"{prefix}{n:04d}",) for n in range(10_000) if f"{n:04d}" != row.number[-4:]]
        raw.executemany(
            "INSERT INTO operation SELECT ?, kind, state, terminal_number, card_index, card, "
            "payload, result, evidence, prepared_at, changed_at FROM operation LIMIT 1",
            taken,
        )
        raw.commit()
    with pytest.raises(NumbersExhausted):
        prepared(journal)
    clock.advance(timedelta(seconds=1))
    assert prepared(journal).number not in {number for (number,) in taken}


LEGAL = {
    (State.PREPARED, State.SENT),
    (State.PREPARED, State.REVERSED),
    (State.SENT, State.CONFIRMED),
    (State.SENT, State.REFUSED),
    (State.SENT, State.UNKNOWN),
    (State.UNKNOWN, State.UNKNOWN),  # a reversal leaves
    (State.UNKNOWN, State.CONFIRMED),
    (State.UNKNOWN, State.REVERSED),
    (State.CONFIRMED, State.REVERSED),
}
STEPS: dict[State, Callable[[Journal, Operation, Evidence], Operation]] = {
    State.SENT: lambda j, o, _: j.mark_sent(o),
    State.CONFIRMED: lambda j, o, e: j.confirm(o, e, {}),
    State.REFUSED: lambda j, o, e: j.refuse(o, e),
    State.UNKNOWN: lambda j, o, _: j.unknown(o),
    State.REVERSED: lambda j, o, e: j.reverse(o, e),
}


@pytest.mark.parametrize(("before", "after"), list(product(State, STEPS)))
def test_only_the_steps_of_the_table_are_possible(
    journal: Journal, before: State, after: State
) -> None:
    """With the right evidence or any other: a step that is not in the table is never taken."""
    taken = set()
    for evidence in Evidence:
        operation = REACH[before](journal)
        assert operation.state is before
        try:
            assert STEPS[after](journal, operation, evidence).state is after
        except JournalError:
            found = journal.find(operation.number)
            assert found == operation
        else:
            taken.add(evidence)
    assert bool(taken) is ((before, after) in LEGAL)


@pytest.mark.parametrize(
    ("before", "after", "proofs"),
    [
        (State.PREPARED, State.REVERSED, {Evidence.NEVER_SENT}),
        (State.SENT, State.CONFIRMED, {Evidence.ANSWER}),
        (State.SENT, State.REFUSED, {Evidence.ANSWER, Evidence.NEVER_SENT}),
        (State.UNKNOWN, State.CONFIRMED, {Evidence.QUERY}),
        (State.UNKNOWN, State.REVERSED, {Evidence.QUERY, Evidence.REVERSAL}),
    ],
)
def test_a_row_is_closed_by_its_evidence_only(
    journal: Journal, before: State, after: State, proofs: set[Evidence]
) -> None:
    for evidence in set(Evidence) - proofs:
        with pytest.raises(JournalError, match="is not a step"):
            STEPS[after](journal, REACH[before](journal), evidence)
    for evidence in proofs:
        assert STEPS[after](journal, REACH[before](journal), evidence).evidence is evidence


@pytest.mark.parametrize(
    ("before", "after", "proof"),
    [
        (State.SENT, State.CONFIRMED, Evidence.CARD),
        (State.UNKNOWN, State.CONFIRMED, Evidence.PROOF),
        (State.UNKNOWN, State.REVERSED, Evidence.PROOF),
    ],
)
def test_a_debit_is_closed_by_its_card_only(
    journal: Journal, before: State, after: State, proof: Evidence
) -> None:
    for evidence in Evidence:
        debit = journal.mark_sent(journal.prepare(Kind.DEBIT, CARD, {"account_fen": 1}))
        if before is State.UNKNOWN:
            debit = journal.unknown(debit)
        if evidence is proof:
            assert STEPS[after](journal, debit, evidence).state is after
        else:
            with pytest.raises(JournalError, match="is not a step"):
                STEPS[after](journal, debit, evidence)


def test_an_operation_that_moved_on_does_not_move_twice(journal: Journal) -> None:
    """Two threads with the same row in hand: one of them comes too late."""
    operation = sent(journal)
    journal.confirm(operation, Evidence.ANSWER, {})
    with pytest.raises(JournalError, match="no longer sent"):
        journal.refuse(operation, Evidence.ANSWER)
    found = journal.find(operation.number)
    assert found is not None
    assert found.state is State.CONFIRMED
    assert journal.verify_chain().ok


def test_what_is_sent_and_what_comes_back_is_kept(journal: Journal, clock: SimulatedClock) -> None:
    operation = prepared(journal)
    assert operation.payload == {"bill_id": "b1"}
    clock.advance(timedelta(seconds=5))
    operation = journal.mark_sent(operation, {"bill_id": "b1", "total_fen": 100})
    clock.advance(timedelta(seconds=5))
    operation = journal.confirm(operation, Evidence.ANSWER, {"settlement_id": "s1"})
    assert operation == journal.find(operation.number)
    assert operation.card == CARD
    assert operation.payload == {"bill_id": "b1", "total_fen": 100}
    assert operation.result == {"settlement_id": "s1"}
    assert operation.prepared_at == START
    assert operation.changed_at == START + timedelta(seconds=10)


def test_open_operations_oldest_first_and_by_card(journal: Journal, clock: SimulatedClock) -> None:
    opened = []
    for state, reach in REACH.items():
        operation = reach(journal)
        clock.advance(timedelta(seconds=1))
        if state.is_open:
            opened.append(operation)
    theirs = journal.prepare(Kind.ACTIVATION, OTHER, {})
    assert journal.open_operations() == (*opened, theirs)
    assert journal.open_operations(CARD.card_id) == tuple(opened)
    assert journal.open_operations(OTHER.card_id) == (theirs,)
    assert journal.counts()[State.CONFIRMED] == 1
    assert journal.counts()[State.PREPARED] == 2
    assert journal.unfinished() == 2
    assert journal.find("0" * 30) is None


@pytest.mark.article(25)
def test_nothing_personal_is_readable_on_disk_or_in_a_repr(
    store: Store, journal: Journal, tmp_path: Path
) -> None:
    operation = journal.prepare(
        Kind.SETTLEMENT, CARD, {"name": "张三", "ssn": "990100199001011234"}
    )
    store.close()
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (CARD.card_id, CARD.card_number, "张三", "990100199001011234"):
        assert secret.encode() not in raw
        assert bytes.fromhex(CARD.card_id) not in raw
        assert secret not in repr(operation)


@pytest.mark.parametrize("step", ["prepare", "sent", "confirm"])
def test_a_step_is_durable_when_its_method_returns(tmp_path: Path, step: str) -> None:
    script = f"""
import os, random
from datetime import datetime
from pathlib import Path
from backend_client.messages import CardRef
from simulator.clock import SimulatedClock
from terminal.store.journal import Evidence, Journal, Kind
from terminal.store.store import Store
store = Store.open(Path({str(tmp_path)!r}), random=random.Random(1).randbytes, key=bytes(range(32)))
clock = SimulatedClock(datetime.fromisoformat({START.isoformat()!r}))
journal = Journal(store, clock, {INSTITUTION!r})
operation = journal.prepare(Kind.SETTLEMENT, CardRef({CARD.card_id!r}, {CARD.card_number!r}), {{}})
if {step!r} != "prepare":
    operation = journal.mark_sent(operation)
if {step!r} == "confirm":
    operation = journal.confirm(operation, Evidence.ANSWER, {{}})
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    expected = {"prepare": State.PREPARED, "sent": State.SENT, "confirm": State.CONFIRMED}[step]
    with Store.open(tmp_path, random=Random(2).randbytes, key=KEY) as store:
        journal = Journal(store, SimulatedClock(START), INSTITUTION)
        assert journal.counts()[expected] == 1
        assert journal.verify_chain().ok


def test_an_untouched_journal_holds_together(journal: Journal) -> None:
    assert journal.verify_chain().ok
    for reach in REACH.values():
        reach(journal)
    check = journal.verify_chain()
    assert check.ok
    assert (check.events, check.operations) == (1 + 2 + 3 + 3 + 3 + 4, 6)


TAMPERING = {
    "an event changed": "UPDATE journal_event SET at='2026-01-01T00:00:00.000000+00:00' "
    "WHERE sequence=3",
    "an event's evidence changed": "UPDATE journal_event SET evidence='query' WHERE sequence=5",
    "an event lost": "DELETE FROM journal_event WHERE sequence=3",
    "the last event lost": "DELETE FROM journal_event WHERE sequence="
    "(SELECT max(sequence) FROM journal_event)",
    "every event lost": "DELETE FROM journal_event",
    "two events swapped": "UPDATE journal_event SET sequence=CASE sequence WHEN 2 THEN -1 "
    "WHEN 3 THEN 2 ELSE sequence END; UPDATE journal_event SET sequence=3 WHERE sequence=-1",
    "a state changed": "UPDATE operation SET state='refused' WHERE state='confirmed'",
    "an amount changed": "UPDATE operation SET payload=(SELECT payload FROM operation "
    "WHERE state='prepared') WHERE state='confirmed'",
    "a result removed": "UPDATE operation SET result=NULL",
    "a card changed": "UPDATE operation SET card_index=zeroblob(32) WHERE state='unknown'",
    "an operation lost": "DELETE FROM operation WHERE state='confirmed'",
    "an operation invented": "INSERT INTO operation SELECT substr(number,1,26)||'5555', kind, "
    "state, terminal_number, card_index, card, payload, result, evidence, prepared_at, "
    "changed_at FROM operation LIMIT 1",
    "the seal lost": "DELETE FROM meta WHERE name='journal_head'",
}


@pytest.mark.parametrize("last", [None, 1000])
@pytest.mark.parametrize("what", list(TAMPERING))
def test_tampering_shows(
    store: Store, journal: Journal, tmp_path: Path, what: str, last: int | None
) -> None:
    """By somebody with the file in hand, who knows how to drop a trigger."""
    for reach in REACH.values():
        reach(journal)
    assert journal.verify_chain().ok
    with closing(sqlite3.connect(tmp_path / DATABASE)) as raw:
        for name in ("journal_event_no_update", "journal_event_no_delete", "operation_no_delete"):
            raw.execute(f"DROP TRIGGER {name}")
        raw.executescript(TAMPERING[what])
    invented = what == "an operation invented"  # which no event is about
    assert journal.verify_chain(last).ok is (invented and last is not None)


def test_a_tail_cut_off_with_its_seal_shows(store: Store, journal: Journal, tmp_path: Path) -> None:
    """An old seal put back together with the old end of the chain: the operations tell."""
    prepared(journal)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as raw:
        old = raw.execute("SELECT value FROM meta WHERE name='journal_head'").fetchone()
        confirmed(journal)
        raw.execute("DROP TRIGGER journal_event_no_delete")
        raw.execute("DELETE FROM journal_event WHERE sequence > 1")
        raw.execute("UPDATE meta SET value=? WHERE name='journal_head'", old)
        raw.commit()
    check = journal.verify_chain()
    assert [fault.split()[-3:] for fault in check.faults] == [["has", "no", "event"]]


def test_the_end_of_the_chain_can_be_checked_alone(
    store: Store, journal: Journal, tmp_path: Path
) -> None:
    for _ in range(4):
        confirmed(journal)
    check = journal.verify_chain(last=5)
    assert check.ok
    assert (check.events, check.operations) == (5, 2)
    assert journal.verify_chain(last=100).events == 12
    with closing(sqlite3.connect(tmp_path / DATABASE)) as raw:
        raw.execute("DROP TRIGGER journal_event_no_update")
        raw.execute("UPDATE journal_event SET note='x' WHERE sequence=2")
        raw.commit()
    assert journal.verify_chain(last=5).ok
    assert not journal.verify_chain().ok
    with closing(sqlite3.connect(tmp_path / DATABASE)) as raw:
        raw.execute("UPDATE journal_event SET note='x' WHERE sequence=10")
        raw.commit()
    assert not journal.verify_chain(last=5).ok


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(choices=st.lists(st.integers(0, 99), max_size=25))
def test_the_chain_holds_after_any_steps(
    tmp_path_factory: pytest.TempPathFactory, choices: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("store")
    with Store.open(directory, random=Random(1).randbytes, key=KEY) as store:
        clock = SimulatedClock(START)
        journal = Journal(store, clock, INSTITUTION)
        rows: list[Operation] = []
        for choice in choices:
            clock.advance(timedelta(seconds=choice))
            if not rows or choice % 3 == 0:
                rows.append(prepared(journal))
                continue
            place = choice % len(rows)
            options = [s for s in STEPS if (rows[place].state, s) in LEGAL]
            for evidence in Evidence if options else ():
                try:
                    target = options[choice % len(options)]
                    rows[place] = STEPS[target](journal, rows[place], evidence)
                    break
                except JournalError:
                    continue
        assert journal.verify_chain().ok
        assert {o.number for o in journal.open_operations()} == {
            o.number for o in rows if o.state.is_open
        }
