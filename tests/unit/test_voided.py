"""What a reconciliation voids, as its holder hears of it; and what it leaves to others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.scene import Audience, Scene
from simulator.story import BEGINS
from terminal.outcome import Done
from terminal.policy import Function
from terminal.screens import Message, Screen
from terminal.store.journal import Kind

ADULT = load_profile("adult-3.0")
PIN, BILL = "246810", "B2026031000001"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    chance = random.Random(5).randbytes
    with embedded_scene(tmp_path, clock=SimulatedClock(BEGINS), random=chance) as ready:
        ready.terminal.enrol(DEVELOPMENT_CODE.code)
        assert ready.terminal.sync().error is None
        yield ready


def chip() -> SimulatedCard:
    return SimulatedCard(ADULT, random=random.Random(9).randbytes)


def serve(scene: Scene, function: Function, *answers: str | bool) -> str:
    outcome = scene.serve(chip(), function, PIN, *answers)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    return outcome.receipt.number


@pytest.mark.parametrize("kind", [Kind.SETTLEMENT, Kind.CANCELLATION])
def test_a_holder_with_a_receipt_is_told_once_that_it_was_voided(scene: Scene, kind: Kind) -> None:
    number = serve(scene, Function.SETTLEMENT, BILL, True)
    if kind is Kind.CANCELLATION:
        number = serve(scene, Function.CANCELLATION, number, True)
    done = scene.terminal.journal.find(number)
    assert done is not None
    scene.terminal.journal.void(done)
    told: list[Message] = []

    class Listening(Audience):
        def saw(self, screen: Screen) -> None:
            if isinstance(screen, Message) and screen.code is not None:
                told.append(screen)

    scene.audience = Listening()
    for _ in range(2):
        scene.serve(chip(), Function.RECORDS, PIN)
    (message,) = told
    assert message.code == "OPERATION_VOIDED"
    assert ("still stands" in message.title.en) == (kind is Kind.CANCELLATION)
    assert "cash" in message.body[0].en  # it may have been paid, so nobody says that it was not
    assert number in message.body[1].en


def test_what_was_settled_for_another_institution_is_left_to_it(scene: Scene) -> None:
    """Asked in the name of this one, the centre knows no such number: `--repair` would void it."""
    number = serve(scene, Function.SETTLEMENT, BILL, True)
    journal, day = scene.terminal.journal, BEGINS.date()
    assert [one.number for one in journal.done_about(day)] == [number]
    scene.terminal.enrol(scene.office.enrolment_code("990100000102"))
    assert list(journal.done_about(day)) == []
    nothing = scene.serve(chip(), Function.CANCELLATION, PIN)
    assert isinstance(nothing, Done)
    assert nothing.receipt is None
