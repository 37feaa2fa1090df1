"""What changes while the holder thinks, who asks at the same time, and faults of the program."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from apdu.readers.inprocess import InProcessReader
from backend_client.errors import NotEnrolled
from backend_client.messages import Problem, dump
from backend_client.transport import Reply
from simulator.city import card_ref
from simulator.network import Fault
from simulator.scene import Audience, Scene
from terminal.outcome import Done, Failed, Refused, Unknown
from terminal.reasons import Reason
from terminal.screens import Confirm, Screen
from terminal.store.journal import Evidence, State

from .functions_bench import (
    ACTIVATE,
    ACTIVATION,
    ADULT,
    BILL_FEN,
    CONFIRM,
    FRESH,
    QUERY,
    SETTLEMENT,
    Job,
    assert_in_order,
    assert_torn,
    chip_of,
    money,
    operations,
    serve,
)

UNAUTHORISED = Problem("about:blank", "no", 401, "UNAUTHORIZED")


class Meanwhile(Audience):
    """Does something once, when the first screen of a kind is shown."""

    def __init__(self, kind: type[Screen], happens: Callable[[], object]) -> None:
        self._kind = kind
        self._happens: Callable[[], object] | None = happens

    def saw(self, screen: Screen) -> None:
        if isinstance(screen, self._kind) and self._happens is not None:
            happens, self._happens = self._happens, None
            happens()


@pytest.mark.article(18)
def test_a_loss_reported_while_the_holder_looks_at_the_amounts_stops_the_settlement(
    scene: Scene,
) -> None:
    before = money(scene)

    def report() -> None:
        scene.office.report_temporary_loss(card_ref(ADULT))
        scene.terminal.sync()

    scene.audience = Meanwhile(Confirm, report)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.article) == (Reason.LISTED_TEMPORARY_LOSS, 18)
    assert CONFIRM not in scene.network.paths
    scene.office.release_loss(card_ref(ADULT))
    assert money(scene) == before
    assert_in_order(scene)


def test_amounts_that_have_expired_are_not_settled(scene: Scene) -> None:
    before = money(scene)
    clock = scene.clock
    scene.audience = Meanwhile(Confirm, lambda: clock.advance(timedelta(minutes=16)))
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Refused)
    assert outcome.code == "TRIAL_EXPIRED"
    assert money(scene) == before
    assert_in_order(scene)


def test_a_card_swapped_before_the_confirm_settles_nothing(scene: Scene) -> None:
    before = money(scene)
    reader = scene.reader
    assert isinstance(reader, InProcessReader)

    def swap() -> None:
        reader.remove()
        reader.insert(chip_of(FRESH))

    scene.audience = Meanwhile(Confirm, swap)
    assert_torn(serve(scene, chip_of(ADULT), SETTLEMENT))
    assert CONFIRM not in scene.network.paths
    assert money(scene) == before
    assert_in_order(scene)


@pytest.mark.parametrize("job", [ACTIVATION, SETTLEMENT], ids=lambda job: job.function.value)
def test_what_the_background_has_resolved_is_told_as_it_ended(scene: Scene, job: Job) -> None:
    def overtake(reply: Reply) -> Reply:
        scene.terminal.resolve_unknown()
        return reply

    scene.network.fail(ACTIVATE if job is ACTIVATION else CONFIRM, Fault.ANSWER_LOST)
    scene.network.garble(QUERY, overtake)
    outcome = serve(scene, chip_of(job.profile), job)
    assert isinstance(outcome, Done)
    assert (outcome.receipt is not None) is (job is SETTLEMENT)
    assert operations(scene) == {State.CONFIRMED: 1}
    assert_in_order(scene)


def breaks_down(_: Reply) -> Reply:
    raise ValueError("a fault of the program")


def test_a_fault_of_the_program_while_sending_is_a_lost_answer(scene: Scene) -> None:
    before = money(scene)
    scene.network.garble(CONFIRM, breaks_down)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    assert money(scene) == before - BILL_FEN
    assert_in_order(scene)


def test_a_fault_of_the_program_while_asking_gives_a_slip(scene: Scene) -> None:
    scene.network.garble(CONFIRM, breaks_down)
    scene.network.garble(QUERY, breaks_down)
    assert isinstance(serve(scene, chip_of(ADULT), SETTLEMENT), Unknown)
    assert operations(scene) == {State.UNKNOWN: 1}
    assert [o.state for o in scene.terminal.resolve_unknown().closed] == [State.CONFIRMED]
    assert_in_order(scene)


def test_a_token_that_the_centre_refuses_is_an_answer(scene: Scene) -> None:
    scene.network.garble(CONFIRM, lambda _: Reply(401, dump(UNAUTHORISED), {}))
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NotEnrolled)
    assert operations(scene) == {State.REFUSED: 1}
    with scene.terminal.store.reading() as connection:
        closed_by = connection.exec_driver_sql("SELECT evidence FROM operation").scalars().all()
    assert closed_by == [Evidence.ANSWER.value]
