"""Gate worlds and the gate's crash matrix, for `ssct simulate --gate`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from simulator.gate_matrix import RIDES, cases, places, try_case
from simulator.gate_world import GateWorld


@dataclass(frozen=True, slots=True)
class GateReport:
    """Whether everything held, and what is to be told of it."""

    holds: bool
    lines: tuple[str, ...]


def live(seed: int, directory: Path) -> None:
    """Let the gate world of this seed live. Raises `AssertionError`, with its story."""
    world = GateWorld(seed, directory)
    try:
        world.live()
    except AssertionError as error:
        story = "\n".join(world.story)
        raise AssertionError(f"seed {seed}: {error}\n{story}") from error
    finally:
        world.close()


def run_gate_worlds(seeds: Iterable[int]) -> GateReport:
    """One world for each seed."""
    return _run([(f"--seed {seed}", lambda at, seed=seed: live(seed, at)) for seed in seeds])  # type: ignore[misc]


def run_gate_matrix() -> GateReport:
    """Every single fault of every ride."""
    with TemporaryDirectory() as directory:
        known = {ride: places(ride, Path(directory) / ride) for ride in RIDES}
    every = [case for ride, at in known.items() for case in cases(ride, at)]
    return _run([("--matrix", lambda at, case=case: try_case(case, at)) for case in every])  # type: ignore[misc]


def _run(worlds: list[tuple[str, Callable[[Path], None]]]) -> GateReport:
    logging.getLogger("terminal").setLevel(logging.CRITICAL)  # the faults are on purpose
    for number, (again, world) in enumerate(worlds, 1):
        with TemporaryDirectory() as directory:
            try:
                world(Path(directory) / "world")
            except AssertionError as error:
                lines = (str(error), f"again: ssct simulate --gate {again}")
                return GateReport(False, (*lines, f"{number} gate worlds, the last does not hold"))
    return GateReport(True, (f"{len(worlds)} gate worlds, 0 in which something does not hold",))
