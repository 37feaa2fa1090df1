"""The worlds bite: each of the deliberate faults is found by one of the first worlds.

How many it took is kept as a property of the test (`--junitxml` writes it).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulator.world.founding import founding
from simulator.world.life import live
from tests.simulation.planted import PLANTS, Planted

MOST = 120
"""Worlds that are searched; the fault that hides best was found in the 40th or so."""


def test_there_are_enough_of_them() -> None:
    assert len(PLANTS) >= 12


@pytest.mark.timeout(600)
@pytest.mark.parametrize("planted", PLANTS, ids=lambda planted: planted.name.replace(" ", "-"))
def test_a_planted_fault_is_found(
    planted: Planted,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    founding()  # made before anything is planted
    planted.plant(monkeypatch)

    for seed in range(MOST):
        violation = live(seed, planted.weather, planted.theme).violation
        if violation is not None:
            record_property("worlds", seed + 1)
            record_property("found", str(violation))
            return
    pytest.fail(f"{planted.name}: not found in {MOST} worlds")
