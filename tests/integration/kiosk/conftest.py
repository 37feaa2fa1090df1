"""A kiosk on simulated parts before a real Chromium; the clock is moved by the tests alone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from simulator.clock import SimulatedClock
from simulator.kiosk import BEGINS, EmbeddedKiosk, embedded_kiosk

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE = 15_000
LANDSCAPE, PORTRAIT = (1920, 1080), (1080, 1920)


@dataclass
class Hall:
    """The kiosk and who stands before it."""

    kiosk: EmbeddedKiosk
    clock: SimulatedClock
    page: Page

    def at(self, kind: str) -> None:
        """Wait until a screen of this kind is shown."""
        self.page.locator(f"main.{kind}").wait_for(timeout=PATIENCE)

    def title(self, words: str) -> None:
        """Wait until the title says so."""
        expect(self.page.locator("#title")).to_contain_text(words, timeout=PATIENCE)

    def press(self, name: str) -> None:
        """Press the button with this id."""
        self.page.locator(f"#{name}").click(timeout=PATIENCE)

    def enter(self, pin: str) -> None:
        """Type a PIN on the screen's pad."""
        self.at("ask_pin")
        for typed, digit in enumerate(pin, 1):
            self.press(f"key-{digit}")
            expect(self.page.locator("#dots")).to_have_text("●" * typed, timeout=PATIENCE)
        self.press("enter")

    def insert(self, profile: str = "adult-3.0") -> None:
        self.kiosk.panel.insert(profile)

    def remove(self) -> None:
        self.kiosk.panel.remove()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.kiosk.panel.advance(seconds)

    def text(self) -> str:
        """Everything that is on the screen, on one line."""
        return re.sub(r"\s+", " ", self.page.locator("body").inner_text())


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        lacking = f"{CHROMIUM} is not installed (apt-get install chromium)"
        if os.environ.get("SSCT_REQUIRE_REAL") == "1":
            pytest.fail(f"SSCT_REQUIRE_REAL=1, but {lacking}")
        pytest.skip(lacking)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


Stand = Callable[..., AbstractContextManager[Page]]


@pytest.fixture
def stand(browser: Browser) -> Stand:
    """Opens a page of its own before a kiosk; whatever its script complains about fails."""

    @contextmanager
    def standing(url: str, size: tuple[int, int] = LANDSCAPE) -> Iterator[Page]:
        width, height = size
        context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce"
        )
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        outside: list[str] = []
        page.on("request", lambda request: outside.append(request.url))
        page.goto(url)
        page.locator("#title").wait_for(timeout=PATIENCE)
        yield page
        context.close()
        assert complaints == []
        origin = url.split("?")[0]
        assert [one for one in outside if not one.startswith((origin, "data:"))] == []

    return standing


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
