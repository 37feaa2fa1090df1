"""The transport purse as a function: balance, validity, trips; and cards that have none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random

import pytest

from apdu.transit import NoTransitPurse
from apdu.transit_records import JOURNEY_LENGTH, Journey
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.city import HOSPITAL
from simulator.clock import SHANGHAI, SimulatedClock
from simulator.embedded import embedded_scene
from simulator.scene import Scene
from terminal.drivers.scripted import ScriptedDriver
from terminal.flow import drive
from terminal.functions import FUNCTIONS
from terminal.functions.transit import trip
from terminal.outcome import Done, Outcome, Refused
from terminal.policy import Function
from terminal.screens import AskPin, Details

RANDOM = Random(7).randbytes


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock = SimulatedClock(datetime(2026, 3, 16, 9, tzinfo=SHANGHAI))
    with embedded_scene(tmp_path, clock=clock, random=RANDOM) as scene:
        scene.terminal.enrol(scene.office.enrolment_code(HOSPITAL))
        scene.terminal.sync()
        yield scene


def serve(scene: Scene, profile: str, *functions: Function) -> tuple[list[Outcome], ScriptedDriver]:
    """One card uses the functions one after the other; every PIN is the right one."""
    described = load_profile(profile)
    pin = described.pin.value if described.pin else ""
    driver = ScriptedDriver(answer=lambda _: pin)
    with scene.card_in(SimulatedCard(described, random=RANDOM)) as session:
        visit = scene.terminal.visit(session, "test")
        outcomes = [drive(FUNCTIONS[one].flow(visit), driver) for one in functions]
    return outcomes, driver


def test_the_purse_is_shown_and_the_pin_is_asked_again_afterwards(scene: Scene) -> None:
    asked = (Function.QUERY, Function.TRANSIT, Function.QUERY)
    outcomes, driver = serve(scene, "contactless-3.0", *asked)
    assert [type(one) for one in outcomes] == [Done, Done, Done]
    assert sum(isinstance(screen, AskPin) for screen in driver.screens) == 2
    details = next(s for s in driver.screens if isinstance(s, Details) and s.title.zh == "交通钱包")
    rows = {row.label.zh: row for row in details.sections[0].rows}
    purse = load_profile("contactless-3.0").transit
    assert purse is not None
    assert rows["余额"].value.zh == f"¥ {purse.balance_fen / 100:,.2f}"
    assert purse.number not in str(driver.screens)
    assert rows["卡号"].value.zh.endswith(purse.number[-4:])


def test_a_card_without_a_purse_is_told_so(scene: Scene) -> None:
    outcomes, _ = serve(scene, "adult-2.0", Function.TRANSIT)
    assert isinstance(outcomes[0], Refused)
    assert outcomes[0].code == NoTransitPurse.code


def test_a_trip_says_when_with_what_and_how_much() -> None:
    # File 001E (facts A2): kind, terminal 8, industry, line 2, station 2, operator 2, RFU,
    # amount 4, balance 4, time 7, city 2, acquirer 8, limits 6.
    row = bytes.fromhex(
        "04" "0000000000000001" "01" "0002" "0003" "0004" "00" "00000190" "00001388"
        "20260315083000" "2900" "12002900FFFFFFFF" "000000000000"
    )  # fmt: skip
    assert len(row) == JOURNEY_LENGTH
    shown = trip(Journey.parse(row))
    assert shown.label.zh == "2026-03-15 08:30 地铁 出站"
    assert shown.label.en == "2026-03-15 08:30 metro, exit"
    assert shown.value.zh == "¥ 4.00"
