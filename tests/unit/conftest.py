"""What several unit tests share: the embedded scene, ready to serve cards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.scene import Scene
from simulator.story import BEGINS


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Back office, terminal and reader in this process; the terminal is enrolled and in sync."""
    chance = random.Random(5).randbytes
    with embedded_scene(tmp_path, clock=SimulatedClock(BEGINS), random=chance) as ready:
        ready.terminal.enrol(DEVELOPMENT_CODE.code)
        assert ready.terminal.sync().error is None
        ready.network.paths.clear()
        yield ready
