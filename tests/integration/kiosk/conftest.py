"""A kiosk on simulated parts before a real Chromium; the clock is moved by the tests alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page

from simulator.clock import SimulatedClock
from simulator.kiosk import BEGINS, EmbeddedKiosk, embedded_kiosk

from .hall import Hall, standing

Stand = Callable[..., AbstractContextManager[Page]]


@pytest.fixture
def stand(browser: Browser) -> Stand:
    return partial(standing, browser)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(BEGINS)


@pytest.fixture
def embedded(tmp_path: Path, clock: SimulatedClock) -> Iterator[EmbeddedKiosk]:
    random = Random(20260316).randbytes
    with embedded_kiosk(tmp_path, clock=clock, random=random) as kiosk:
        yield kiosk


@pytest.fixture
def hall(embedded: EmbeddedKiosk, clock: SimulatedClock, stand: Stand) -> Iterator[Hall]:
    with stand(embedded.running.page_url) as page:
        yield Hall(embedded, clock, page)
