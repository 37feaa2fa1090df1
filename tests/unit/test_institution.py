"""One institution, several terminals, one centre: what the centre tells of it, and to whom."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from backend_client.errors import BadMessage, Refused
from backend_client.messages import Profile
from backend_client.money_messages import Statement, StatementLine, StatementRequest
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
from simulator.office import Office
from simulator.scene import Scene
from simulator.story import BEGINS
from terminal.outcome import Done
from terminal.policy import Function
from terminal.reconciliation import lines_of, totals_of

DAY = BEGINS.date()
OTHER = SAMPLE_INSTITUTIONS[0][0]
PIN, BILL = "246810", "B2026031000001"

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


def settle(scene: Scene) -> str:
    return _done(scene, Function.SETTLEMENT, BILL)


def take_back(scene: Scene, number: str) -> str:
    return _done(scene, Function.CANCELLATION, number)


def _done(scene: Scene, function: Function, what: str) -> str:
    card = SimulatedCard(load_profile("adult-3.0"), random=random.Random(9).randbytes)
    outcome = scene.serve(card, function, PIN, what, True)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    return outcome.receipt.number


def name(scene: Scene) -> str:
    assert scene.terminal.identity is not None
    return scene.terminal.identity.terminal_id


def own(scene: Scene) -> tuple[StatementLine, ...]:
    return lines_of(scene.terminal.journal, DAY)


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
    chance = random.Random(3)
    many = tuple(
        replace(
            own(clerk)[0],
            number=f"{clerk.terminal.institution}{chance.randrange(10**18):018d}",
            settlement_id=f"S{chance.randrange(10**12)}",
        )
        for _ in range(20_000)
    )
    assert clerk.terminal.centre.channel.statement(DAY, many) == own(clerk)
