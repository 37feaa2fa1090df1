"""The PIN's steps: asked until right, tries told, blocked, changed; nothing typed stays behind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.status import CardRemoved, PinBlocked, PinWrong
from simulator.card.card import SimulatedCard
from simulator.card.description import PinState
from simulator.card.profile import load_profile
from terminal.admission import Admitted, Decision
from terminal.admission import Refused as NotAdmitted
from terminal.drivers.scripted import Scripted, ScriptedDriver
from terminal.flow import Flow, drive
from terminal.functions import pin as pin_function
from terminal.functions.entry import holder_verified, is_initial, new_pin, verified_pin
from terminal.outcome import Cancelled, Done, Failed, Outcome, Refused, Stopped, TimedOut
from terminal.policy import Function
from terminal.reasons import WORDING, Reason
from terminal.screens import Answer, AskPin, Progress, Screen
from terminal.session import CardSession
from terminal.settings import PinSettings
from terminal.text import Text
from terminal.visit import Visit

RULES = PinSettings(initial=("123456",), min_length=6, max_length=6)
DONE = Done(Text("好", "good"))


def counter() -> Callable[[int], bytes]:
    """Bytes that never repeat."""
    state = iter(range(1, 10_000_000))
    return lambda n: next(state).to_bytes(max(n, 4), "big")[-n:]


def a_card(pin: str | None = "246810", tries_left: int = 3) -> SimulatedCard:
    state = None if pin is None else PinState(pin, initial=False, retries=3, tries_left=tries_left)
    return SimulatedCard(replace(load_profile("adult-3.0"), pin=state), random=counter())


class Recorder:
    """Keeps every PIN that a flow was given, to see what became of it."""

    def __init__(self, *answers: Scripted) -> None:
        self.pins: list[Pin] = []
        self._inner = ScriptedDriver(answers)

    @property
    def screens(self) -> list[Screen]:
        return self._inner.screens

    @property
    def questions(self) -> list[AskPin]:
        return [screen for screen in self.screens if isinstance(screen, AskPin)]

    def show(self, screen: Screen) -> Answer:
        answer = self._inner.show(screen)
        if isinstance(answer, Pin):
            self.pins.append(answer)
        return answer

    def all_wiped(self) -> bool:
        return all(pin.length == 0 for pin in self.pins)


@pytest.fixture
def reader() -> InProcessReader:
    return InProcessReader("test")


class Desk:
    """A card in a reader and a visit with it; admission says what it is told to."""

    def __init__(self, reader: InProcessReader, chip: SimulatedCard) -> None:
        reader.insert(chip)
        self.reader = reader
        self.session = CardSession.open(reader, SoftwareSam.development(counter()))
        self.decision: Decision = Admitted(Function.PIN_CHANGE, 1, requires_pin=True)
        self.visit = Visit(
            card=self.session.card,
            basic=self.session.basic,
            client=cast(Any, None),
            channel=cast(Any, None),
            channel_of=cast(Any, None),
            sam=cast(Any, None),
            purchases=None,
            outbox=cast(Any, None),
            offline=cast(Any, None),
            journal=cast(Any, SimpleNamespace(untold=lambda _: ())),
            clock=cast(Any, None),
            place="",
            pin_rules=RULES,
            admit=lambda _: self.decision,
            still_here=self.session.still_here,
            resolve=cast(Any, None),
            remember=cast(Any, None),
            new_id=cast(Any, None),
            catalogue=lambda: None,
            refresh=lambda: None,
        )


@pytest.fixture
def desk(reader: InProcessReader) -> Iterator[Desk]:
    with (found := Desk(reader, a_card())).session:
        yield found


def as_flow(step: Generator[Screen, Answer, Any], results: list[Any]) -> Flow:
    results.append((yield from step))
    return DONE


def drive_step(step: Generator[Screen, Answer, Any], driver: Recorder) -> tuple[Outcome, list[Any]]:
    results: list[Any] = []
    return drive(as_flow(step, results), driver), results


def test_a_right_pin_is_handed_on_and_remembered(desk: Desk) -> None:
    driver = Recorder("246810")
    outcome, results = drive_step(verified_pin(desk.visit), driver)
    assert outcome == DONE
    assert results[0].matches(Pin("246810"))
    assert desk.visit.pin_verified


def test_a_wrong_pin_is_told_with_the_tries_left_and_asked_again(desk: Desk) -> None:
    driver = Recorder("111111", "222222", "246810")
    outcome, results = drive_step(verified_pin(desk.visit), driver)
    assert outcome == DONE
    results[0].wipe()
    assert [question.tries_left for question in driver.questions] == [3, 2, 1]
    assert "2" in str(driver.questions[1].note)
    assert "One try is left" in str(driver.questions[2].note)
    assert driver.all_wiped()


def test_after_the_last_try_the_pin_is_blocked(desk: Desk) -> None:
    driver = Recorder("111111", "222222", "333333")
    outcome, _ = drive_step(verified_pin(desk.visit), driver)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, PinBlocked)
    assert driver.all_wiped()


def test_a_blocked_pin_is_told_before_it_is_asked_for(reader: InProcessReader) -> None:
    desk = Desk(reader, a_card(tries_left=0))
    driver = Recorder()
    outcome, _ = drive_step(verified_pin(desk.visit), driver)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, PinBlocked)
    assert driver.screens == []


def test_the_last_try_is_announced(reader: InProcessReader) -> None:
    desk = Desk(reader, a_card(tries_left=1))
    driver = Recorder("246810")
    assert drive_step(verified_pin(desk.visit), driver)[0] == DONE
    assert "last try" in str(driver.questions[0].note)


def test_a_card_without_a_pin_is_refused_where_one_is_needed(reader: InProcessReader) -> None:
    desk = Desk(reader, a_card(pin=None))
    _, results = drive_step(verified_pin(desk.visit), Recorder())
    assert isinstance(results[0], Refused)
    assert results[0].code == "PIN_NOT_SET"


@pytest.mark.parametrize("happens", [Cancelled(), TimedOut(), CardRemoved("pulled")])
def test_leaving_after_a_wrong_pin_leaves_nothing_behind(desk: Desk, happens: Exception) -> None:
    driver = Recorder("111111", happens)
    outcome, _ = drive_step(verified_pin(desk.visit), driver)
    assert isinstance(outcome, Stopped | Failed)
    assert driver.all_wiped()


def test_the_pin_is_asked_once_a_visit(desk: Desk) -> None:
    admitted = Admitted(Function.QUERY, 1, requires_pin=True)
    driver = Recorder("246810")
    drive_step(holder_verified(desk.visit, admitted), driver)
    drive_step(holder_verified(desk.visit, admitted), driver)
    assert len(driver.questions) == 1
    assert driver.all_wiped()


def test_no_pin_is_asked_where_the_settings_want_none(desk: Desk) -> None:
    admitted = Admitted(Function.QUERY, 1, requires_pin=False)
    driver = Recorder()
    assert drive_step(holder_verified(desk.visit, admitted), driver)[0] == DONE
    assert driver.questions == []


@pytest.mark.article(16)
@pytest.mark.parametrize(
    ("first", "says"),
    [("123456", "初始密码"), ("246810", "原密码"), ("12345", "6"), ("1234567", "6")],
)
def test_a_new_pin_that_will_not_do_is_asked_for_again(first: str, says: str) -> None:
    driver = Recorder(first, "654321", "654321")
    outcome, results = drive_step(new_pin(RULES, Pin("246810")), driver)
    assert outcome == DONE
    assert results[0].matches(Pin("654321"))
    assert says in str(driver.questions[1].note)
    results[0].wipe()
    assert driver.all_wiped()


def test_two_new_pins_that_differ_are_asked_for_again() -> None:
    driver = Recorder("654321", "654322", "654321", "654321")
    outcome, results = drive_step(new_pin(RULES, Pin("246810")), driver)
    assert outcome == DONE
    assert "不一致" in str(driver.questions[2].note)
    assert results[0].matches(Pin("654321"))
    results[0].wipe()
    assert driver.all_wiped()


def test_cancelling_between_the_two_wipes_the_first() -> None:
    driver = Recorder("654321", Cancelled())
    outcome, _ = drive_step(new_pin(RULES, Pin("246810")), driver)
    assert isinstance(outcome, Stopped)
    assert driver.all_wiped()


def test_initial_pins_are_known() -> None:
    assert is_initial(RULES, Pin("123456"))
    assert not is_initial(RULES, Pin("246810"))


def test_changing_the_pin_changes_it(desk: Desk) -> None:
    driver = Recorder("246810", "654321", "654321")
    outcome = drive(pin_function.flow(desk.visit), driver)
    assert isinstance(outcome, Done)
    assert driver.all_wiped()
    desk.session.card.verify_pin(Pin("654321"))
    with pytest.raises(PinWrong):
        desk.session.card.verify_pin(Pin("246810"))


def test_changing_the_pin_needs_admission(desk: Desk) -> None:
    wording = WORDING[Reason.FROZEN]
    desk.decision = NotAdmitted(
        Function.PIN_CHANGE, Reason.FROZEN, None, wording.text, wording.advice, 1
    )
    driver = Recorder()
    outcome = drive(pin_function.flow(desk.visit), driver)
    assert outcome == Refused("FROZEN", wording.text, wording.advice)
    assert driver.screens == []


def test_a_card_pulled_while_the_pin_changes_says_that_either_may_hold(desk: Desk) -> None:
    driver = Recorder("246810", "654321", "654321")
    show = driver.show

    def pull_at_the_change(screen: Screen) -> Answer:
        if isinstance(screen, Progress):
            desk.reader.remove()
        return show(screen)

    driver.show = pull_at_the_change  # type: ignore[method-assign]  # the hand at the slot
    outcome = drive(pin_function.flow(desk.visit), driver)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, CardRemoved)
    assert outcome.changed is not None
    assert "new PIN" in outcome.changed.en
    assert driver.all_wiped()
