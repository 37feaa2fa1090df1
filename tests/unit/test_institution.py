"""One institution, several terminals, one centre: what the centre tells of it, and to whom."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from backend_client.channels.direct import DirectChannel
from backend_client.errors import BadMessage, Refused
from backend_client.messages import Profile
from backend_client.money_messages import (
    DayTotal,
    Scope,
    Statement,
    StatementLine,
    StatementRequest,
)
from backend_client.national.envelope import PATH
from simulator import city
from simulator.backoffice import money_desk
from simulator.backoffice.api import Api
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.database import open_engine
from simulator.backoffice.inprocess import InProcessTransport
from simulator.backoffice.seed import DEVELOPMENT_CODE, SAMPLE_INSTITUTIONS
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.clock import SimulatedClock
from simulator.embedded import ADMIN_TOKEN, scene_over
from simulator.network import Fault
from simulator.office import Office
from simulator.scene import Scene
from simulator.story import BEGINS
from terminal.centre import reference_of
from terminal.outcome import Done
from terminal.policy import Function
from terminal.reconciliation import (
    Differs,
    Repair,
    Report,
    is_early,
    reconcile,
    repair,
    totals_of,
)
from terminal.reconciliation_report import as_csv, as_html, notes
from terminal.store.journal import Evidence, Operation

DAY = BEGINS.date()
OTHER = SAMPLE_INSTITUTIONS[0][0]
PINS = {"adult-3.0": "246810", "adult-2.0": "135790"}
BILL, OTHERS_BILL = "B2026031000001", "B2026031000002"

Place = Callable[..., Scene]


@pytest.fixture
def place(tmp_path: Path, stored_database_url: str) -> Iterator[Place]:
    """Sets up one terminal after the other at one back office, in the same institution."""
    clock, chance = SimulatedClock(BEGINS), random.Random(5).randbytes
    with (
        BackOffice(
            open_engine(stored_database_url),
            now=clock.now,
            random=chance,
            sealing_key=chance(32),
            rules=city.RULES,
        ) as backoffice,
        ExitStack() as scenes,
    ):
        city.found(backoffice)
        api = Api(backoffice, admin_token=ADMIN_TOKEN, advance=clock.advance, strict=True)
        transport = InProcessTransport(api)
        count = 0

        def placed(
            channel: str, profile: Profile = "developer", institution: str | None = None
        ) -> Scene:
            nonlocal count
            count += 1
            environ = {
                "SSCT_SETTLEMENT_CHANNEL": channel,
                "SSCT_TERMINAL_PROFILE": profile,
                "SSCT_SECURITY_PRODUCTION": "false",
                "SSCT_CARDS_REGIONS": "990100",
            }
            directory = tmp_path / str(count)
            office = Office(transport, ADMIN_TOKEN)
            around = scene_over(
                transport, office, directory, clock=clock, random=chance, environ=environ
            )
            scene = scenes.enter_context(around)
            code = office.enrolment_code(institution) if institution else DEVELOPMENT_CODE.code
            scene.terminal.enrol(code)
            assert scene.terminal.sync().error is None
            return scene

        yield placed


def settle(scene: Scene, bill: str = BILL, profile: str = "adult-3.0") -> str:
    return _done(scene, Function.SETTLEMENT, bill, profile)


def take_back(scene: Scene, number: str) -> str:
    return _done(scene, Function.CANCELLATION, number)


def _done(scene: Scene, function: Function, what: str, profile: str = "adult-3.0") -> str:
    outcome = scene.serve(card_of(profile), function, PINS[profile], what, True)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    return outcome.receipt.number


def card_of(profile: str) -> SimulatedCard:
    return SimulatedCard(load_profile(profile), random=random.Random(9).randbytes)


def name(scene: Scene) -> str:
    assert scene.terminal.identity is not None
    return scene.terminal.identity.terminal_id


def own(scene: Scene) -> tuple[StatementLine, ...]:
    return scene.terminal.day_statement(DAY).lines


def agrees(scene: Scene, lines: tuple[StatementLine, ...]) -> bool:
    channel = scene.terminal.centre.channel
    return all(channel.agrees(DAY, total, "institution") for total in totals_of(lines))


@pytest.fixture(params=["direct", "national"])
def channel(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def two_that_settled(place: Place, channel: str) -> tuple[Scene, Scene]:
    """One terminal settled and took back, then another settled the same bill."""
    first, second = place(channel), place(channel)
    take_back(first, settle(first))
    settle(second)
    return first, second


def test_the_centre_compares_the_sum_of_an_institutions_terminals(
    place: Place, channel: str
) -> None:
    first, second = two_that_settled(place, channel)
    both = own(first) + own(second)
    assert len(both) == 3
    for clerk in (first, second):
        assert agrees(clerk, both)
        assert not agrees(clerk, own(first))
        assert not agrees(clerk, own(second))
        centre = clerk.terminal.centre.channel
        assert set(centre.statement(DAY, both, "institution")) == set(both)
        assert set(centre.statement(DAY, (), "institution")) == set(both)
    assert not agrees(first, (*both[:-1], replace(both[-1], fund_fen=both[-1].fund_fen + 1)))


def test_the_centre_names_the_terminal_of_a_line_that_it_alone_has(
    place: Place, channel: str
) -> None:
    first, second = two_that_settled(place, channel)
    told = first.terminal.centre.channel.statement(DAY, own(first), "institution")
    assert {line.number: line.terminal for line in told if line not in own(first)} == {
        own(second)[0].number: name(second)
    }


def test_a_line_names_visit_and_person_for_3202_alone(place: Place, channel: str) -> None:
    first, second = two_that_settled(place, channel)
    (line,) = own(second)
    told = first.terminal.centre.channel.statement(DAY, (), "institution")
    (centres,) = [each for each in told if each == line]
    for each in (line, centres):
        named = (each.visit_id, each.person_id)
        if channel == "direct":
            assert named == (None, None)
        else:
            operation = second.terminal.journal.find(line.number)
            assert operation is not None
            reference = reference_of(operation)
            assert named == (reference["mdtrt_id"], reference["psn_no"])
            assert reference["psn_no"] not in repr(each)


def test_a_terminal_enrolled_anew_is_told_by_its_new_name(place: Place, channel: str) -> None:
    scene = place(channel)
    settle(scene)
    before = name(scene)
    scene.terminal.enrol(DEVELOPMENT_CODE.code)
    (line,) = scene.terminal.centre.channel.statement(DAY, (), "institution")
    assert line.terminal == name(scene) != before


def test_over_the_direct_channel_a_terminal_may_ask_for_itself_alone(place: Place) -> None:
    first, second = two_that_settled(place, "direct")
    for scene in (first, second):
        client = scene.terminal.client.money
        assert client.lines(DAY) == own(scene)
        assert {line.terminal for line in client.lines(DAY)} == {name(scene)}
        assert sum(total.count for total in client.totals(DAY)) == len(own(scene))


def test_a_kiosk_is_not_told_what_others_booked(place: Place) -> None:
    kiosk, desk = place("direct", "kiosk"), place("direct", "point-of-use")
    settle(kiosk)
    for ask in (kiosk.terminal.client.money.lines, kiosk.terminal.client.money.totals):
        with pytest.raises(Refused) as caught:
            ask(DAY, "institution")
        assert caught.value.problem.code == "ROLE_NOT_ALLOWED"
    assert kiosk.terminal.client.money.lines(DAY) == own(kiosk)
    assert desk.terminal.client.money.lines(DAY, "institution") == own(kiosk)


def test_a_kiosk_gets_its_own_rows_alone_from_3202(place: Place) -> None:
    kiosk, desk = place("national", "kiosk"), place("national")
    take_back(kiosk, settle(kiosk))
    settle(desk)
    guessed = replace(own(desk)[0], fund_fen=0)
    centre = kiosk.terminal.centre.channel
    assert set(centre.statement(DAY, ())) == set(own(kiosk))
    assert set(centre.statement(DAY, (guessed,))) == {*own(kiosk), guessed}
    assert set(desk.terminal.centre.channel.statement(DAY, ())) == {*own(kiosk), *own(desk)}


def test_another_institution_is_another_ledger(place: Place, channel: str) -> None:
    first, elsewhere = place(channel), place(channel, institution=OTHER)
    settle(elsewhere)
    assert agrees(first, ())
    assert first.terminal.centre.channel.statement(DAY, (), "institution") == ()
    assert agrees(elsewhere, own(elsewhere))


def test_lines_come_in_pages(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = two_that_settled(place, "direct")
    monkeypatch.setattr(money_desk, "PAGE", 2)
    first.network.paths.clear()
    read = first.terminal.client.money.lines(DAY, "institution")
    assert set(read) == {*own(first), *own(second)}
    assert len(read) == 3
    assert len(first.network.paths) == 2


def test_a_ledger_that_changes_between_two_pages_is_read_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two_that_settled(place, "direct")
    monkeypatch.setattr(money_desk, "PAGE", 1)
    client = first.terminal.client.money
    (settled,) = own(second)
    asked, page = [], client._page

    def meanwhile(request: StatementRequest) -> Statement:
        answer = page(request)
        asked.append(request.skip)
        if len(asked) == 1:
            take_back(second, settled.number)
        return answer

    monkeypatch.setattr(client, "_page", meanwhile)
    assert set(client.lines(DAY, "institution")) == {*own(first), *own(second)}
    assert asked == [0, 1, 0, 1, 2, 3]


def test_a_ledger_that_never_stands_still_is_no_answer(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = two_that_settled(place, "direct")
    client = first.terminal.client.money
    page = client._page
    monkeypatch.setattr(client, "_page", lambda request: replace(page(request), lines=()))
    with pytest.raises(BadMessage):
        client.lines(DAY, "institution")


def test_a_file_of_a_large_institution_goes_up(place: Place) -> None:
    clerk = place("national")
    settle(clerk)
    (line,) = own(clerk)
    chance = random.Random(3)
    many = tuple(
        replace(
            line,
            number=f"{clerk.terminal.institution}{chance.randrange(10**18):018d}",
            settlement_id=f"S{chance.randrange(10**12)}",
        )
        for _ in range(45_000)
    )
    assert clerk.terminal.centre.channel.statement(DAY, many) == (line,)


# Adding terminals up


def reconciled(clerk: Scene, *others: Scene, always_lines: bool = False) -> Report:
    terminal = clerk.terminal
    statements = [other.terminal.day_statement(DAY) for other in others]
    own, channel = terminal.day_statement(DAY), terminal.centre.channel
    return reconcile(terminal.journal, channel, own, statements, always_lines=always_lines)


def lose_the_answer(scene: Scene, bill: str, profile: str) -> Operation:
    """A settlement that the centre has booked, and its terminal does not know."""
    national = scene.terminal.centre.channel.name == "national"
    scene.network.fail(PATH + "2207" if national else "/v1/settlements", Fault.ANSWER_LOST)
    query = PATH + "5203" if national else "/v1/operations/query"
    scene.network.fail(query, *[Fault.REQUEST_LOST] * 3)
    scene.serve(card_of(profile), Function.SETTLEMENT, PINS[profile], bill, True)
    (unknown,) = scene.terminal.journal.open_operations()
    return unknown


def found(report: Report) -> set[tuple[str | None, Differs, Repair]]:
    return {(each.terminal, each.differs, each.repair) for each in report.differences}


def test_a_day_without_faults_is_equal_when_all_are_added_up(place: Place, channel: str) -> None:
    first, second = two_that_settled(place, channel)
    for clerk, other in ((first, second), (second, first)):
        report = reconciled(clerk, other)
        assert report.equal
        assert not reconciled(clerk, other, always_lines=True).differences
        assert [each.terminal_id for each in report.statements] == [name(clerk), name(other)]


def test_each_difference_is_found_at_its_terminal_and_mended_there(
    place: Place, channel: str
) -> None:
    first, second = place(channel), place(channel)
    gone = settle(first, OTHERS_BILL, "adult-2.0")
    first.terminal.client.reverse(gone)
    unknown = lose_the_answer(second, BILL, "adult-3.0")
    only_first = (name(first), Differs.OURS_ONLY, Repair.VOID)
    open_one = (name(second), Differs.THEIRS_ONLY, Repair.RESOLVE)
    undone = (name(second), Differs.THEIRS_ONLY, Repair.REVERSE)
    for clerk, other in ((first, second), (second, first)):
        assert found(reconciled(clerk, other)) == {only_first, open_one}
    second.terminal.journal.reverse(unknown, Evidence.REVERSAL)
    for clerk, other in ((first, second), (second, first)):
        assert found(reconciled(clerk, other)) == {only_first, undone}
    report = reconciled(first, second)
    assert repair(report, first.terminal.journal, first.terminal.centre) == 1
    assert found(reconciled(first, second)) == {undone}
    report = reconciled(second)
    assert repair(report, second.terminal.journal, second.terminal.centre) == 1
    assert reconciled(first, second).equal
    voided = first.terminal.journal.find(gone)
    assert voided is not None
    assert voided.evidence is Evidence.RECONCILED


def test_a_terminal_whose_statement_is_missing_is_named(place: Place, channel: str) -> None:
    first, second = two_that_settled(place, channel)
    third = place(channel)
    report = reconciled(third, first)
    assert found(report) == {(name(second), Differs.THEIRS_ONLY, Repair.STATEMENT)}
    assert report.missing == (name(second),)
    assert repair(report, third.terminal.journal, third.terminal.centre) == 0
    assert any(name(second) in note.en for note in notes(report))
    assert reconciled(third, first, second).equal


def test_a_statement_that_was_written_too_early_is_told(place: Place, channel: str) -> None:
    first, second = place(channel), place(channel)
    early = second.terminal.day_statement(DAY)
    settle(second)
    terminal = first.terminal
    report = reconcile(
        terminal.journal, terminal.centre.channel, terminal.day_statement(DAY), (early,)
    )
    assert found(report) == {(name(second), Differs.THEIRS_ONLY, Repair.STATEMENT)}
    assert report.early == (name(second),)
    assert report.missing == ()
    second.wait_until(BEGINS + timedelta(days=1))
    assert not is_early(second.terminal.day_statement(DAY))


def test_over_3201_a_kiosk_among_others_is_told_to_add_them(place: Place) -> None:
    kiosk, desk = place("national", "kiosk"), place("national")
    settle(desk)
    report = reconciled(kiosk)
    assert not report.equal
    assert report.differences == ()
    assert any("--with" in note.en for note in notes(report))
    assert reconciled(kiosk, desk).equal


def test_what_another_day_has_as_done_is_never_reversed(place: Place, channel: str) -> None:
    """The centre may put a settlement on another day than its answer told the terminal."""
    scene, clerk = place(channel), place(channel)
    number = settle(scene)
    yesterday = DAY - timedelta(days=1)
    standing = {
        other.number: other.standing for other in scene.terminal.day_statement(yesterday).others
    }
    assert standing == {number: "other_day"}
    line = own(scene)[0]

    class Misdated(DirectChannel):
        """A centre that has the line on the day before."""

        def agrees(self, day: date, total: DayTotal, scope: Scope = "terminal") -> bool:
            return False

        def statement(
            self, day: date, ours: Sequence[StatementLine], scope: Scope = "terminal"
        ) -> tuple[StatementLine, ...]:
            return (line,)

    for here, others in ((scene, ()), (clerk, (scene,))):
        terminal = here.terminal
        statements = [other.terminal.day_statement(yesterday) for other in others]
        misdated = Misdated(terminal.client)
        report = reconcile(
            terminal.journal, misdated, terminal.day_statement(yesterday), statements
        )
        assert found(report) == {(name(scene), Differs.THEIRS_ONLY, Repair.OTHER_DAY)}
        assert repair(report, terminal.journal, terminal.centre) == 0
    assert agrees(scene, own(scene))


def test_a_number_given_at_two_terminals_is_two_bookings(place: Place) -> None:
    """Numbers begin anywhere and may meet; the centre's own number tells the bookings apart."""
    scene = place("direct")
    number = settle(scene)
    (line,) = own(scene)
    twin = replace(line, settlement_id="S999999", terminal="T000099", total_fen=line.total_fen + 1)

    class Twins(DirectChannel):
        """A centre with another terminal's booking under the same number."""

        def statement(
            self, day: date, ours: Sequence[StatementLine], scope: Scope = "terminal"
        ) -> tuple[StatementLine, ...]:
            return line, twin

    terminal = scene.terminal
    statement = terminal.day_statement(DAY)
    report = reconcile(terminal.journal, Twins(terminal.client), statement, always_lines=True)
    assert found(report) == {("T000099", Differs.THEIRS_ONLY, Repair.STATEMENT)}
    assert repair(report, terminal.journal, terminal.centre) == 0
    assert agrees(scene, own(scene))
    assert terminal.journal.find(number) is not None


# The report


def test_the_report_has_the_sums_of_each_terminal_and_of_the_institution(place: Place) -> None:
    first, second = two_that_settled(place, "direct")
    unknown = lose_the_answer(second, OTHERS_BILL, "adult-2.0")
    second.terminal.journal.reverse(unknown, Evidence.REVERSAL)
    report = reconciled(first, second)
    table = list(csv.DictReader(io.StringIO(as_csv(report).removeprefix("\ufeff"))))
    difference, *sums = table
    assert difference["终端 terminal"] == name(second)
    counted: Counter[tuple[str, str]] = Counter()
    money: Counter[str] = Counter()
    for row in sums:
        counted[row["类别 difference"], row["终端 terminal"]] += int(row["笔数 count"])
        money[row["类别 difference"]] += round(float(row["终端总额 total here"]) * 100)
    assert counted == {
        ("终端合计 sum of the terminal", name(first)): 2,
        ("终端合计 sum of the terminal", name(second)): 1,
        ("机构合计 sum of the institution", ""): 3,
    }
    assert set(money.values()) == {3 * own(second)[0].total_fen}
    page = as_html(report, "示例市第一医院")
    assert page.count(f"<td>{name(first)}</td>") == 2
    assert page.count(f"<td>{name(second)}</td>") == 2
    assert f"ssct reconcile {DAY.isoformat()} --repair" in page
    assert f"{name(second)} (1)" in page
