"""A card that is pulled at any command: nothing is lost or doubled, and it works again."""

from __future__ import annotations

from pathlib import Path

import pytest

from apdu.readers.inprocess import InProcessReader
from backend_client.transport import Reply
from simulator.scene import Scene
from simulator.story import INITIAL_PIN, OWN_PIN
from terminal.outcome import Done, Failed
from terminal.receipt import Receipt
from terminal.store.journal import State

from .functions_bench import (
    ACTIVATION,
    ADULT,
    BILL_FEN,
    CHANGE_PIN,
    CONFIRM,
    FRESH,
    LOOK_UP,
    PIN,
    READ,
    SETTLEMENT,
    Chip,
    Job,
    assert_in_order,
    assert_torn,
    chip_of,
    fresh_scene,
    has_pin,
    is_active,
    money,
    open_bills,
    operations,
    pull_at,
    serve,
)


def commands_of(scene: Scene, job: Job) -> int:
    chip = Chip(chip_of(job.profile))
    assert isinstance(serve(scene, chip, job), Done)
    return chip.count


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("job", [READ, LOOK_UP], ids=lambda job: job.function.value)
def test_a_card_pulled_while_it_is_read_changes_nothing(scene: Scene, job: Job, done: bool) -> None:
    chip = chip_of(job.profile)
    assert isinstance(scene.reader, InProcessReader)
    for at in range(1, commands_of(scene, job) + 1):
        held = Chip(chip)
        pull_at(held, scene.reader, at, done=done)
        assert_torn(serve(scene, held, job))
        assert_in_order(scene)
    assert isinstance(serve(scene, chip, job), Done)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_card_pulled_while_its_pin_changes_has_one_of_the_two(scene: Scene, done: bool) -> None:
    seen: set[str] = set()
    assert isinstance(scene.reader, InProcessReader)
    for at in range(1, commands_of(scene, CHANGE_PIN) + 1):
        chip = chip_of(ADULT)
        held = Chip(chip)
        pull_at(held, scene.reader, at, done=done)
        outcome = serve(scene, held, CHANGE_PIN)
        assert_torn(outcome)
        assert_in_order(scene)
        changed = has_pin(chip, OWN_PIN)
        assert changed or has_pin(chip, PIN)
        if changed:
            assert isinstance(outcome, Failed)
            assert outcome.changed is not None, "the holder is told that it may have changed"
        seen.add("new" if changed else "old")
        old, new = (OWN_PIN, "135791") if changed else (PIN, OWN_PIN)
        assert isinstance(serve(scene, chip, CHANGE_PIN, old, new, new), Done)
    assert seen == ({"old", "new"} if done else {"old"})


@pytest.mark.article(12)
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_an_activation_torn_anywhere_is_completed_by_the_next(tmp_path: Path, done: bool) -> None:
    (tmp_path / "good").mkdir()
    with fresh_scene(tmp_path / "good") as scene:
        commands = commands_of(scene, ACTIVATION)
    with fresh_scene(tmp_path) as scene:
        assert isinstance(scene.reader, InProcessReader)
        for at in range(1, commands + 1):
            chip = chip_of(FRESH)
            held = Chip(chip)
            pull_at(held, scene.reader, at, done=done)
            assert_torn(serve(scene, held, ACTIVATION))
            assert_in_order(scene)
            assert not is_active(scene, FRESH)
            assert has_pin(chip, OWN_PIN if done and at == commands else INITIAL_PIN)
        # The last one was torn at the change of its PIN, before or after it took effect.
        again = (True, OWN_PIN) if done else ACTIVATION.answers
        assert isinstance(serve(scene, chip, ACTIVATION, *again), Done)
        assert is_active(scene, FRESH)
        assert has_pin(chip, OWN_PIN)
        assert operations(scene) == {State.CONFIRMED: 1}


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_settlement_torn_anywhere_charges_nothing_and_works_again(
    tmp_path: Path, done: bool
) -> None:
    (tmp_path / "good").mkdir()
    with fresh_scene(tmp_path / "good") as scene:
        before = money(scene)
        commands = commands_of(scene, SETTLEMENT)
        assert money(scene) == before - BILL_FEN
    with fresh_scene(tmp_path) as scene:
        chip = chip_of(ADULT)
        assert isinstance(scene.reader, InProcessReader)
        for at in range(1, commands + 1):
            held = Chip(chip)
            pull_at(held, scene.reader, at, done=done)
            assert_torn(serve(scene, held, SETTLEMENT))
            assert_in_order(scene)
            assert money(scene) == before
            assert open_bills(scene) == 1
        assert isinstance(serve(scene, chip, SETTLEMENT), Done)
        assert money(scene) == before - BILL_FEN
        assert operations(scene)[State.CONFIRMED] == 1


def test_a_card_pulled_once_money_moves_is_settled_all_the_same(scene: Scene) -> None:
    """From the confirm on the card is not needed; who pulls it then still gets the receipt."""
    before = money(scene)
    reader = scene.reader
    assert isinstance(reader, InProcessReader)

    def pull(reply: Reply) -> Reply:
        reader.remove()
        return reply

    scene.network.garble(CONFIRM, pull)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Done)
    assert isinstance(outcome.receipt, Receipt)
    assert money(scene) == before - BILL_FEN
