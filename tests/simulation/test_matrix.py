"""The crash matrix: every single fault at every place of every flow, none of them sampled.

`ssct simulate --matrix` plays the pairs of all flows too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import pytest

from simulator.world.disk import Moment, Trouble
from simulator.world.life import live
from simulator.world.matrix import FLOWS, Case, Flow, Places, Use, double, places, single, try_case
from simulator.world.runner import quiet
from simulator.world.wire import Mishap
from terminal.functions import FUNCTIONS
from terminal.policy import Function

PARTS = 3
BY_NAME = {flow.name: flow for flow in FLOWS}
pytestmark = pytest.mark.timeout(600)


@cache
def known_places(flow: Flow) -> Places:
    return places(flow)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", BY_NAME)
def test_after_any_single_fault_everything_comes_out_even(name: str, part: int) -> None:
    flow = BY_NAME[name]

    _hold(list(single(flow, known_places(flow)))[part::PARTS])


@pytest.mark.parametrize("mishap", [Mishap.ANSWER_LOST, Mishap.LATE], ids=lambda one: one.name)
def test_after_a_lost_answer_and_a_kill_everything_comes_out_even(mishap: Mishap) -> None:
    settlement = BY_NAME["settlement"]
    cases = double(settlement, known_places(settlement))

    _hold([case for case in cases if f": {mishap.value}," in case.name][::2])


def test_every_place_of_a_clean_run_is_hit_by_everything_that_can_hit_it() -> None:
    settlement = BY_NAME["settlement"]
    at = known_places(settlement)
    cases = list(single(settlement, at))

    assert Moment.COMMITTED in at.moments
    assert at.paths[at.change] == "/v1/settlements"
    troubles = len(at.moments) * 2 + at.moments.count(Moment.COMMITTED)
    assert len(cases) == troubles + len(at.paths) * len(Mishap) + at.commands * 3
    assert len({case.name for case in cases}) > len(cases) - len(at.paths) * len(Mishap)
    assert {trouble.value for trouble in Trouble} <= {c.name.split(" before")[0] for c in cases} | {
        c.name.split(" after")[0] for c in cases
    }


def test_every_function_that_changes_something_is_in_the_matrix() -> None:
    """A new function that moves money has to come here too."""
    changing = {function for function in FUNCTIONS if function.is_value}
    without_centre = {Function.PIN_CHANGE, Function.DEBIT, Function.PROVISIONAL}
    used = {flow.play.function for flow in FLOWS if isinstance(flow.play, Use)}

    assert used == changing | without_centre


def test_a_world_says_what_went_wrong() -> None:
    life = live(5)

    assert "seed 5" in life.report()
    assert "everything holds" in life.report()


def _hold(cases: Iterable[Case]) -> None:
    with quiet():
        for case in cases:
            life = try_case(case)
            assert life.violation is None, f"{case.flow.name}: {case.name}\n{life.report()}"
