"""The real parts that integration tests use: a pcscd of their own, and a virtual slot in it.

Missing parts skip with a printed reason; with SSCT_REQUIRE_REAL=1 they fail instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from apdu.readers.pcsc import PcscReader
from simulator import pcscd
from simulator.virtual_reader import VirtualReader
from tests.integration.kiosk.hall import CHROMIUM, launch

# Before any test of this process can make its first PC/SC call, which is when libpcsclite looks.
pcscd.reserve_socket()


@dataclass(frozen=True)
class VirtualSlot:
    """One slot from both sides: `reader` as the terminal sees it, `panel` where cards go in."""

    reader: PcscReader
    panel: VirtualReader


@pytest.fixture(scope="session")
def real_pcscd() -> Iterator[pcscd.PrivatePcscd]:
    """A private pcscd; every worker of pytest-xdist has its own, so tests run side by side."""
    lacking = pcscd.missing()
    if lacking:
        if os.environ.get("SSCT_REQUIRE_REAL") == "1":
            pytest.fail(f"SSCT_REQUIRE_REAL=1, but {lacking}")
        pytest.skip(lacking)
    with pcscd.PrivatePcscd() as service:
        yield service


@pytest.fixture
def virtual_slot(real_pcscd: pcscd.PrivatePcscd) -> Iterator[VirtualSlot]:
    """The first virtual slot, empty at the beginning and at the end."""
    reader = PcscReader(real_pcscd.readers[0])
    with VirtualReader(real_pcscd.ports[0]) as panel:
        yield VirtualSlot(reader, panel)
        panel.remove()
        assert reader.wait_for_removal(timeout=10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium; a process can drive only one at a time.

    For one module: its driver keeps an event loop in this thread, where others need their own.
    """
    if not Path(CHROMIUM).exists():
        lacking = f"{CHROMIUM} is not installed (apt-get install chromium)"
        if os.environ.get("SSCT_REQUIRE_REAL") == "1":
            pytest.fail(f"SSCT_REQUIRE_REAL=1, but {lacking}")
        pytest.skip(lacking)
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()
