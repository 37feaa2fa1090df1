"""Who leaves, who may not, and cards that answer nonsense: each has its own end."""

from __future__ import annotations

import pytest

from apdu.status import CardError, PinBlocked
from simulator.scene import Scene
from terminal.outcome import Cancelled, Done, Failed, Refused, Stopped, TimedOut
from terminal.reasons import Reason
from terminal.store.journal import State

from .functions_bench import (
    ACTIVATION,
    ADULT,
    BILL,
    CHANGE_PIN,
    CONFIRM,
    FORGED,
    GARBAGE,
    LOOK_UP,
    OLD,
    PIN,
    READ,
    SETTLEMENT,
    Chip,
    Job,
    answering_from,
    assert_in_order,
    chip_of,
    is_active,
    money,
    operations,
    serve,
)

JOBS = (READ, LOOK_UP, CHANGE_PIN, ACTIVATION, SETTLEMENT)
EVERY_JOB = pytest.mark.parametrize("job", JOBS, ids=lambda job: job.function.value)


@pytest.mark.parametrize("leaves", [Cancelled(), TimedOut()], ids=["cancel", "time-out"])
@EVERY_JOB
def test_leaving_at_any_question_changes_nothing(scene: Scene, job: Job, leaves: Exception) -> None:
    chip = chip_of(job.profile)
    before = money(scene)
    for number in range(len(job.answers)):
        outcome = serve(scene, chip, job, *job.answers[:number], leaves)
        assert isinstance(outcome, Stopped)
        assert_in_order(scene)
    assert money(scene) == before
    assert is_active(scene, job.profile) == (job.profile is ADULT)
    assert isinstance(serve(scene, chip, job), Done)


def test_saying_no_to_the_amounts_settles_nothing(scene: Scene) -> None:
    before = money(scene)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT, PIN, BILL, False)
    assert isinstance(outcome, Stopped)
    assert CONFIRM not in scene.network.paths
    assert money(scene) == before
    assert operations(scene) == {State.REVERSED: 1}


def test_a_blocked_pin_settles_nothing(scene: Scene) -> None:
    chip = chip_of(ADULT)
    outcome = serve(scene, chip, SETTLEMENT, "111111", "222222", "333333")
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, PinBlocked)
    again = serve(scene, chip, SETTLEMENT)
    assert isinstance(again, Failed)
    assert isinstance(again.error, PinBlocked)
    assert operations(scene) == {}
    assert_in_order(scene)


@pytest.mark.article(26)
@EVERY_JOB
def test_a_forged_card_is_refused_everything(scene: Scene, job: Job) -> None:
    outcome = serve(scene, chip_of(FORGED), job)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.article) == (Reason.NOT_AUTHENTIC, 26)
    assert "/v1/cards/status" not in scene.network.paths, "nobody is asked about a forged card"
    assert scene.terminal.audit.latest(1)[0].outcome == "refused"
    assert_in_order(scene)


@pytest.mark.article(30)
def test_an_old_card_is_read_and_nothing_else(scene: Scene) -> None:
    assert isinstance(serve(scene, chip_of(OLD), READ), Done)
    for job in (LOOK_UP, CHANGE_PIN, ACTIVATION, SETTLEMENT):
        outcome = serve(scene, chip_of(OLD), job)
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.article) == (Reason.STOPPED_OLD_CARD, 30)


@pytest.mark.parametrize("garbage", list(GARBAGE.values()), ids=list(GARBAGE))
@pytest.mark.parametrize("job", [LOOK_UP, SETTLEMENT], ids=lambda job: job.function.value)
def test_garbage_from_the_card_ends_in_a_typed_error(
    scene: Scene, job: Job, garbage: bytes
) -> None:
    before = money(scene)
    for at in range(1, 13):
        chip = Chip(chip_of(job.profile))
        chip.meddle = answering_from(at, garbage)
        outcome = serve(scene, chip, job)
        assert isinstance(outcome, Failed | Refused | Stopped | Done), outcome
        if isinstance(outcome, Failed):
            assert isinstance(outcome.error, CardError)
        if isinstance(outcome, Refused):
            assert outcome.code in (Reason.NOT_AUTHENTIC, "PIN_NOT_SET")
        if isinstance(outcome, Done):
            # It was through before the garbage began, or the garbage said 9000 to VERIFY, which is
            # all that any card says to it.
            assert chip.count < at or (job is LOOK_UP and garbage.endswith(b"\x90\x00"))
        assert_in_order(scene)
        if job is SETTLEMENT and isinstance(outcome, Done):
            break
        assert money(scene) == before
