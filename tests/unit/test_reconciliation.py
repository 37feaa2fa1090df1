"""Reconciliation: totals, then lines; every planted difference found, and no other; repairs."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backend_client.day_statement_messages import DayStatement
from backend_client.money_messages import StatementLine
from backend_client.national.envelope import PATH
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.network import Fault
from simulator.scene import Scene
from simulator.story import BEGINS
from terminal.errors import DayNotCome
from terminal.outcome import Done
from terminal.policy import Function
from terminal.reconciliation import (
    Differs,
    Repair,
    Report,
    compare,
    reconcile,
    repair,
    totals_of,
)
from terminal.reconciliation_report import as_csv, as_html
from terminal.store.journal import Evidence, State

ADULT = load_profile("adult-3.0")
CARD = card_ref(ADULT)
PIN, BILL, BILL_FEN = "246810", "B2026031000001", 25020
DAY = BEGINS.date()


@pytest.fixture(params=["direct", "national"])
def scene(
    request: pytest.FixtureRequest, tmp_path: Path, stored_database_url: str
) -> Iterator[Scene]:
    environ = {"SSCT_SETTLEMENT_CHANNEL": request.param}
    chance = random.Random(5).randbytes
    with embedded_scene(
        tmp_path,
        database_url=stored_database_url,
        clock=SimulatedClock(BEGINS),
        random=chance,
        environ=environ,
    ) as ready:
        ready.terminal.enrol(DEVELOPMENT_CODE.code)
        assert ready.terminal.sync().error is None
        yield ready


def serve(scene: Scene, function: Function, *answers: str | bool) -> str:
    card = SimulatedCard(ADULT, random=random.Random(9).randbytes)
    outcome = scene.serve(card, function, PIN, *answers)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    return outcome.receipt.number


def today(scene: Scene, *, always_lines: bool = True) -> Report:
    terminal = scene.terminal
    own, channel = terminal.day_statement(DAY), terminal.centre.channel
    return reconcile(terminal.journal, channel, own, always_lines=always_lines)


def line(number: int, *, refund: bool = False, total: int = 1_000) -> StatementLine:
    scheme = "resident" if number % 3 == 0 else "employee"
    return StatementLine(
        f"990100000101202603160900{number:06d}",
        f"S{number}",
        refund,
        scheme,  # type: ignore[arg-type]
        total,
        total // 2,
        total // 4,
        total - total // 2 - total // 4,
    )


# Comparing


def test_the_planted_differences_among_many_are_found_and_no_other() -> None:
    chance = random.Random(7)
    ours = [line(number, total=chance.randrange(1, 10**6)) for number in range(20_000)]
    centre = list(ours)
    changed = chance.sample(range(20_000), 30)
    amounts, missing_there = changed[:10], set(changed[10:20])
    for place in amounts:
        centre[place] = replace(centre[place], cash_fen=centre[place].cash_fen + 1)
    centre = [each for place, each in enumerate(centre) if place not in missing_there]
    centre += [line(number) for number in range(30_000, 30_010)]
    chance.shuffle(centre)
    found = compare(ours, centre)
    by_kind = {
        kind: {each.line.settlement_id for each in found if each.differs is kind}
        for kind in Differs
    }
    assert by_kind == {
        Differs.AMOUNTS: {f"S{place}" for place in amounts},
        Differs.OURS_ONLY: {f"S{place}" for place in missing_there},
        Differs.THEIRS_ONLY: {f"S{number}" for number in range(30_000, 30_010)},
    }


def test_a_settlement_and_its_refund_are_two_lines() -> None:
    ours = (line(1), line(1, refund=True))
    assert compare(ours, (line(1),))[0].line.refund
    assert compare(ours, ours) == ()


def test_totals_are_by_type_and_insurance_also_where_nothing_happened() -> None:
    totals = {(t.refund, t.scheme): t for t in totals_of([line(1), line(2), line(3, refund=True)])}
    assert len(totals) == 4
    assert totals[False, "employee"].count == 2
    assert totals[False, "employee"].total_fen == 2_000
    assert totals[True, "resident"].count == 1
    assert totals[False, "resident"].count == 0


# A day of a terminal


def test_a_day_without_faults_is_equal(scene: Scene) -> None:
    number = serve(scene, Function.SETTLEMENT, BILL, True)
    serve(scene, Function.CANCELLATION, number, True)
    serve(scene, Function.SETTLEMENT, BILL, True)
    report = today(scene)
    assert report.equal
    assert [each.refund for each in report.ours] == [False, True, False]
    assert today(scene, always_lines=False).equal
    assert scene.terminal.day_statement(DAY - timedelta(days=1)).lines == ()


def test_equal_totals_need_no_lines(scene: Scene) -> None:
    serve(scene, Function.SETTLEMENT, BILL, True)
    scene.network.paths.clear()
    today(scene, always_lines=False)
    assert not [path for path in scene.network.paths if path in (PATH + "3202", PATH + "9101")]


def test_what_only_the_centre_has_is_reversed_there(scene: Scene) -> None:
    """The journal has it as undone, by a mistake of whoever restored it."""
    before = scene.terminal.client.account(CARD).current_account_fen
    national = scene.terminal.centre.channel.name == "national"
    scene.network.fail(PATH + "2207" if national else "/v1/settlements", Fault.ANSWER_LOST)
    query = PATH + "5203" if national else "/v1/operations/query"
    scene.network.fail(query, *[Fault.REQUEST_LOST] * 3)
    card = SimulatedCard(ADULT, random=random.Random(9).randbytes)
    scene.serve(card, Function.SETTLEMENT, PIN, BILL, True)
    journal = scene.terminal.journal
    (unknown,) = journal.open_operations()
    (open_one,) = today(scene).differences
    assert (open_one.differs, open_one.repair) == (Differs.THEIRS_ONLY, Repair.RESOLVE)
    journal.reverse(unknown, Evidence.REVERSAL)
    report = today(scene)
    (difference,) = report.differences
    assert (difference.differs, difference.repair) == (Differs.THEIRS_ONLY, Repair.REVERSE)
    assert not report.equal
    assert repair(report, journal, scene.terminal.centre) == 1
    assert today(scene).equal
    assert scene.terminal.client.account(CARD).current_account_fen == before


def test_what_only_this_terminal_has_is_voided_after_asking(scene: Scene) -> None:
    number = serve(scene, Function.SETTLEMENT, BILL, True)
    scene.terminal.client.reverse(number)
    report = today(scene, always_lines=False)
    (difference,) = report.differences
    assert (difference.differs, difference.repair) == (Differs.OURS_ONLY, Repair.VOID)
    journal = scene.terminal.journal
    assert repair(report, journal, scene.terminal.centre) == 1
    voided = journal.find(number)
    assert voided is not None
    assert (voided.state, voided.evidence) == (State.REVERSED, Evidence.RECONCILED)
    assert [each.number for each in journal.untold(CARD.card_id)] == [number]
    assert journal.verify_chain().ok
    assert today(scene).equal


def test_what_the_centre_has_is_never_voided_here(scene: Scene) -> None:
    number = serve(scene, Function.SETTLEMENT, BILL, True)
    report = today(scene)
    (early,) = compare(report.ours, ())  # a statement of the centre that came too early
    wrong = replace(report, differences=(replace(early, terminal=report.own.terminal_id),))
    assert repair(wrong, scene.terminal.journal, scene.terminal.centre) == 0
    kept = scene.terminal.journal.find(number)
    assert kept is not None
    assert kept.state is State.CONFIRMED


def test_a_number_that_another_terminal_has_given_too_is_left_to_it(scene: Scene) -> None:
    number = serve(scene, Function.SETTLEMENT, BILL, True)
    scene.terminal.client.reverse(number)
    report = today(scene)
    (own,) = report.differences
    others = replace(report, differences=(replace(own, terminal="T000099"),))
    assert repair(others, scene.terminal.journal, scene.terminal.centre) == 0
    assert repair(report, scene.terminal.journal, scene.terminal.centre) == 1


# The report


def test_the_report_is_a_table_and_a_page() -> None:
    ours, centre = (line(1), line(2)), (line(2, total=2_000), line(4))
    own = DayStatement(DAY, "990100000101", "T000001", BEGINS, ours, ())
    report = Report(DAY, (), (own,), compare(ours, centre))
    rows = list(csv.reader(io.StringIO(as_csv(report).removeprefix("\ufeff"))))
    assert len(rows) == 4
    assert len({len(row) for row in rows}) == 1
    assert rows[2][7:9] == ["10.00", "20.00"]
    assert {row[2][:1] for row in rows[1:]} == {"\t"}  # thirty digits, which a sheet would round
    page = as_html(report, "第一医院 <b>")
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("<tr>") == 5
    assert "src=" not in page
    assert "href=" not in page


def test_what_the_centre_names_a_settlement_is_no_formula_in_a_spreadsheet() -> None:
    names = ("=HYPERLINK(1)", "+1", "-1", "@x")
    centre = [replace(line(n), settlement_id=name) for n, name in enumerate(names)]
    own = DayStatement(DAY, "990100000101", "T000001", BEGINS, (), ())
    text = as_csv(Report(DAY, (), (own,), compare((), centre)))
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))[1:]
    assert [row[3] for row in rows] == [f"'{name}" for name in names]


def test_a_day_that_has_not_begun_is_not_reconciled(scene: Scene) -> None:
    """Nothing differs on it, which would read as if both ledgers agreed."""
    with pytest.raises(DayNotCome):
        scene.terminal.day_statement(DAY + timedelta(days=1))
    assert scene.terminal.day_statement(DAY).lines == ()
