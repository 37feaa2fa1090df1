"""What became of an operation whose answer was lost, told to who comes back."""

from __future__ import annotations

import pytest

from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.network import Fault
from simulator.scene import Audience, Scene
from simulator.story import OWN_PIN
from terminal.outcome import Cancelled, Done, Stopped, Unknown
from terminal.screens import Message, ReceiptScreen, Screen, Tone

from .functions_bench import (
    ACTIVATE,
    ACTIVATION,
    ADULT,
    CHANGE_PIN,
    CONFIRM,
    FRESH,
    LOOK_UP,
    PIN,
    QUERY,
    READ,
    SETTLEMENT,
    Job,
    chip_of,
    is_active,
    serve,
    shown,
)


def numbers_told(screens: list[Screen]) -> list[str]:
    return [screen.receipt.number for screen in screens if isinstance(screen, ReceiptScreen)]


def left_unknown(scene: Scene, job: Job, fault: Fault, chip: SimulatedCard) -> str:
    """Serve `job` so that its holder leaves with a slip; the number on it."""
    scene.network.fail(ACTIVATE if job is ACTIVATION else CONFIRM, fault)
    scene.network.fail(QUERY, *[Fault.REQUEST_LOST] * 3)
    outcome = serve(scene, chip, job)
    assert isinstance(outcome, Unknown)
    return outcome.number


@pytest.mark.parametrize("by", ["admission", "recovery"])
def test_a_settlement_confirmed_later_gives_its_receipt_once(scene: Scene, by: str) -> None:
    chip = chip_of(ADULT)
    number = left_unknown(scene, SETTLEMENT, Fault.ANSWER_LOST, chip)
    if by == "recovery":
        assert len(scene.terminal.recover().closed) == 1
    other = load_profile("adult-2.0")
    assert other.pin is not None
    assert numbers_told(shown(scene, chip_of(other), LOOK_UP, other.pin.value)) == []
    assert numbers_told(shown(scene, chip, READ)) == [], "not before the PIN"
    screens = shown(scene, chip, SETTLEMENT, PIN)
    assert numbers_told(screens) == [number]
    (receipt,) = [s.receipt for s in screens if isinstance(s, ReceiptScreen)]
    assert any(line.value.zh == "¥ 250.20" for line in receipt.lines)
    last = screens[-1]
    assert isinstance(last, Message)
    assert last.title.en == "There is no bill to settle."
    assert numbers_told(shown(scene, chip, SETTLEMENT, PIN)) == []


@pytest.mark.parametrize("job", [LOOK_UP, CHANGE_PIN], ids=lambda job: job.function.value)
def test_every_function_behind_the_pin_tells_it(scene: Scene, job: Job) -> None:
    chip = chip_of(ADULT)
    number = left_unknown(scene, SETTLEMENT, Fault.ANSWER_LOST, chip)
    scene.terminal.recover()
    assert numbers_told(shown(scene, chip, job)) == [number]


def test_a_receipt_that_was_not_seen_is_shown_again(scene: Scene) -> None:
    chip = chip_of(ADULT)
    number = left_unknown(scene, SETTLEMENT, Fault.ANSWER_LOST, chip)
    scene.terminal.recover()

    class Leaves(Audience):
        def saw(self, screen: Screen) -> None:
            if isinstance(screen, ReceiptScreen):
                raise Cancelled

    scene.audience = Leaves()
    assert isinstance(serve(scene, chip, SETTLEMENT), Stopped)
    assert numbers_told(shown(scene, chip, SETTLEMENT, PIN)) == [number]


def test_a_settlement_reversed_later_is_told_as_not_done(scene: Scene) -> None:
    chip = chip_of(ADULT)
    number = left_unknown(scene, SETTLEMENT, Fault.REQUEST_LOST, chip)
    screens = shown(scene, chip, SETTLEMENT)
    (message,) = [s for s in screens if isinstance(s, Message) and number in str(s.body)]
    assert message.code == "OPERATION_REVERSED"
    assert len(numbers_told(screens)) == 1, "and then the bill is settled"
    assert number not in numbers_told(screens)
    again = shown(scene, chip, LOOK_UP)
    assert not [s for s in again if isinstance(s, Message) and number in str(s.body)]


@pytest.mark.article(12)
def test_an_activation_that_came_through_later_is_told(scene: Scene) -> None:
    chip = chip_of(FRESH)
    number = left_unknown(scene, ACTIVATION, Fault.ANSWER_LOST, chip)
    scene.terminal.recover()
    screens = shown(scene, chip, LOOK_UP, OWN_PIN)
    assert [s.tone for s in screens if isinstance(s, Message) and number in str(s.body)] == [
        Tone.SUCCESS
    ]


@pytest.mark.article(12)
def test_an_activation_that_was_undone_is_told_before_the_next(scene: Scene) -> None:
    chip = chip_of(FRESH)
    number = left_unknown(scene, ACTIVATION, Fault.REQUEST_LOST, chip)
    screens = shown(scene, chip, ACTIVATION, True, OWN_PIN)
    assert [s.code for s in screens if isinstance(s, Message) and number in str(s.body)] == [
        "OPERATION_REVERSED"
    ]
    assert is_active(scene, FRESH)


def test_what_was_told_at_once_is_not_told_again(scene: Scene) -> None:
    chip = chip_of(ADULT)
    scene.network.fail(CONFIRM, Fault.ANSWER_LOST)
    assert isinstance(serve(scene, chip, SETTLEMENT), Done)
    assert numbers_told(shown(scene, chip, LOOK_UP)) == []
