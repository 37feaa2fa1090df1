"""Any mixture of faults in a settlement: once all is healed, money moved once or not at all."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from apdu.readers.inprocess import InProcessReader
from simulator.network import Fault
from terminal.outcome import Cancelled, Done, Refused, TimedOut, Unknown
from terminal.store.journal import State
from tests.unit.functions_bench import (
    ADULT,
    BILL_FEN,
    CONFIRM,
    QUERY,
    REVERSE,
    SETTLEMENT,
    TRIAL,
    Chip,
    chip_of,
    fresh_scene,
    money,
    open_bills,
    operations,
    pull_at,
    serve,
)

FAULT = st.sampled_from(Fault)
COMMANDS = 14
QUESTIONS = len(SETTLEMENT.answers)


def rarely(values: range) -> st.SearchStrategy[int | None]:
    """None three times out of four, so that most visits come as far as the money."""
    return st.sampled_from([None] * 3 * len(values) + list(values))


@dataclass(frozen=True)
class Visit:
    """What goes wrong while one holder tries to settle one bill."""

    faults: dict[str, list[Fault]]
    pulled_at: int | None
    done: bool
    leaves_at: int | None
    leaves: Exception


VISITS = st.builds(
    Visit,
    faults=st.fixed_dictionaries(
        {
            TRIAL: st.lists(FAULT, max_size=1),
            CONFIRM: st.lists(FAULT, min_size=1, max_size=1),
            QUERY: st.lists(FAULT, max_size=4),
            REVERSE: st.lists(FAULT, max_size=2),
        }
    ),
    pulled_at=rarely(range(1, COMMANDS + 1)),
    done=st.booleans(),
    leaves_at=rarely(range(QUESTIONS)),
    leaves=st.sampled_from([Cancelled(), TimedOut()]),
)


@settings(max_examples=25, deadline=None)
@given(visits=st.lists(VISITS, min_size=1, max_size=3))
def test_money_moves_once_or_not_at_all(visits: list[Visit]) -> None:
    with tempfile.TemporaryDirectory() as directory, fresh_scene(Path(directory)) as scene:
        before = money(scene)
        chip = chip_of(ADULT)
        assert isinstance(scene.reader, InProcessReader)
        for visit in visits:
            for path, faults in visit.faults.items():
                scene.network.fail(path, *faults)
            held = Chip(chip)
            if visit.pulled_at is not None:
                pull_at(held, scene.reader, visit.pulled_at, done=visit.done)
            answers = list(SETTLEMENT.answers)
            if visit.leaves_at is not None:
                answers[visit.leaves_at :] = [visit.leaves]
            outcome = serve(scene, held, SETTLEMENT, *answers)
            paid = before - money(scene)
            if isinstance(outcome, Done) and outcome.receipt is not None:
                assert paid == BILL_FEN, "a receipt is given for money that moved"
            elif isinstance(outcome, Refused) and outcome.code == "OPERATION_REVERSED":
                assert paid == 0, "nobody is told that nothing was charged when it was"
            elif not isinstance(outcome, Unknown):
                assert paid in (0, BILL_FEN)
            assert scene.terminal.journal.verify_chain().ok

        scene.network.heal()
        assert scene.terminal.recover().still_open == ()
        settled = operations(scene).get(State.CONFIRMED, 0)
        assert settled in (0, 1)
        assert before - money(scene) == settled * BILL_FEN
        assert open_bills(scene) == 1 - settled
        assert scene.terminal.journal.open_operations() == ()
