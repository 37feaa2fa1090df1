"""A terminal before the small back office: new, and enrolled with a first blacklist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from apdu.sam import SoftwareSam
from simulator.clock import SimulatedClock
from terminal.app import Terminal
from terminal.settings import load_settings

from .small_centre import CARD, NOW, Centre, Open, publish, status_of


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture
def centre(clock: SimulatedClock) -> Centre:
    return Centre(clock)


@pytest.fixture
def opened(tmp_path: Path, clock: SimulatedClock, centre: Centre) -> Iterator[Open]:
    terminals: list[Terminal] = []

    def open_terminal() -> Terminal:
        for terminal in terminals:
            terminal.close()
        terminal = Terminal.open(
            load_settings(None, {"SSCT_TERMINAL_DATA_DIR": str(tmp_path / "data")}),
            clock=clock,
            random=Random(len(terminals)).randbytes,
            sam=SoftwareSam.development(Random(1).randbytes),
            transport=centre,
        )
        terminals.append(terminal)
        return terminal

    yield open_terminal
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def terminal(opened: Open, centre: Centre) -> Terminal:
    """Enrolled, with a first blacklist, and a card that is active at the centre."""
    terminal = opened()
    terminal.enrol("one-time-code")
    publish(centre, 1)
    terminal.sync()
    centre.states[CARD.card_id] = status_of("active")
    centre.requests.clear()
    return terminal
