"""Every function of the menu, its card pulled or answering nonsense at every command.

The functions are taken from the registry, so a new one is here from its first day. A willing holder
answers whatever is asked. What each function must do in each case stands with its own tests; here
it is what holds for all of them: a typed end, nothing left open in the journal, nothing held in the
reader, and the next card served.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apdu.readers.inprocess import InProcessReader
from apdu.status import CardError
from simulator.card.profile import load_profile
from simulator.scene import Scene
from simulator.story import INITIAL_PIN, OWN_PIN
from terminal.drivers.scripted import Scripted, ScriptedDriver
from terminal.flow import run
from terminal.functions import FUNCTIONS
from terminal.outcome import Cancelled, Done, Failed, Outcome, Refused, Stopped, Unknown
from terminal.policy import Function
from terminal.screens import (
    AskAmount,
    AskIdentity,
    AskPin,
    AskScan,
    Choose,
    Confirm,
    Identity,
    Screen,
)
from tests.unit.functions_bench import (
    GARBAGE,
    Chip,
    answering_from,
    chip_of,
    fresh_scene,
    pull_at,
)

ADULT, FRESH, NEXT = (load_profile(name) for name in ("adult-3.0", "not-active", "adult-2.0"))
PIN = "246810"
MOST_QUESTIONS = 25
HOLDERS = {"adult": (ADULT, PIN), "not yet active": (FRESH, INITIAL_PIN)}
CASES = [
    pytest.param(function, "not yet active" if function is Function.ACTIVATION else "adult")
    for function in FUNCTIONS
]
IDS = [function.value for function in FUNCTIONS]


def willing(holder: str) -> Callable[[Screen], Scripted]:
    """Says yes, takes the first option, enters the PIN and then a new one; gives up in the end."""
    profile, pin = HOLDERS[holder]
    asked = 0
    pins = 0

    def answer(screen: Screen) -> Scripted:
        nonlocal asked, pins
        asked += 1
        if asked > MOST_QUESTIONS:
            return Cancelled()
        if isinstance(screen, AskPin):
            pins += 1
            return pin if pins == 1 else OWN_PIN
        if isinstance(screen, Choose):
            return screen.options[0].key if screen.options else Cancelled()
        if isinstance(screen, Confirm):
            return True
        if isinstance(screen, AskIdentity):
            return Identity(profile.holder.name, profile.holder.ssn)
        if isinstance(screen, AskAmount):
            return "1.00"
        return "nothing" if isinstance(screen, AskScan) else None

    return answer


def use(scene: Scene, chip: Chip, function: Function, holder: str) -> Outcome:
    """One use of a function; a card that fails before it begins is a failure of it."""
    driver = ScriptedDriver(answer=willing(holder))
    try:
        with scene.card_in(chip) as session:
            visit = scene.terminal.visit(session, "demo")
            return run(FUNCTIONS[function].flow(visit), driver)
    except CardError as error:
        return Failed(error)


def in_order(scene: Scene) -> None:
    """Nothing is open, nothing is held, and the next card is served."""
    journal = scene.terminal.journal
    assert journal.open_operations() == ()
    assert journal.verify_chain().ok
    assert isinstance(scene.reader, InProcessReader)
    assert not scene.reader.wait_for_card(0)
    chip = Chip(chip_of(NEXT))
    assert isinstance(use(scene, chip, Function.READ, "adult"), Done)


def commands(tmp_path: Path, function: Function, holder: str) -> int:
    """How many commands an undisturbed use takes, tried on a stage of its own."""
    place = tmp_path / "undisturbed"
    place.mkdir()
    with fresh_scene(place) as scene:
        chip = Chip(chip_of(HOLDERS[holder][0]))
        outcome = use(scene, chip, function, holder)
        assert isinstance(outcome, Done | Refused | Stopped), outcome
        in_order(scene)
        return chip.count


@pytest.mark.parametrize(("function", "holder"), CASES, ids=IDS)
def test_a_card_pulled_at_any_command(tmp_path: Path, function: Function, holder: str) -> None:
    total = commands(tmp_path, function, holder)
    assert total > 3
    with fresh_scene(tmp_path) as scene:
        assert isinstance(scene.reader, InProcessReader)
        for at in range(1, total + 1):
            for done in (False, True):
                chip = Chip(chip_of(HOLDERS[holder][0]))
                pull_at(chip, scene.reader, at, done=done)
                outcome = use(scene, chip, function, holder)
                # Whoever pulls at the last command may be through all the same.
                assert isinstance(outcome, Failed | Done | Refused), (at, done, outcome)
                in_order(scene)


@pytest.mark.parametrize(("function", "holder"), CASES, ids=IDS)
def test_nonsense_from_any_command_on(tmp_path: Path, function: Function, holder: str) -> None:
    with fresh_scene(tmp_path) as scene:
        for garbage in GARBAGE.values():
            for at in range(1, 14, 2):
                chip = Chip(chip_of(HOLDERS[holder][0]))
                chip.meddle = answering_from(at, garbage)
                outcome = use(scene, chip, function, holder)
                assert not isinstance(outcome, Unknown)
                if isinstance(outcome, Failed):
                    assert isinstance(outcome.error, CardError)
                in_order(scene)
                if chip.count < at:
                    break  # it was through before the nonsense began
