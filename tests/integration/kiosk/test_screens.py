"""The screens that ask for an identity or a code, and the one that shows a code, by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from simulator.clock import SimulatedClock
from simulator.kiosk import BEGINS
from terminal.kiosk.inbox import Inbox, Pressed
from terminal.kiosk.serving import LocalServer
from terminal.kiosk.stage import Stage
from terminal.kiosk.views import Preferences, Task
from terminal.kiosk.web import KioskWeb
from terminal.screens import AskAmount, AskIdentity, AskScan, Identity, Row, Section, ShowQr
from terminal.text import Text

from .conftest import Stand
from .hall import LANDSCAPE, PATIENCE, PORTRAIT
from .test_accessible import AXE, faults

pytestmark = pytest.mark.integration

TITLE = Text("请出示", "Please show")


@dataclass
class Wall:
    """A page that shows what is on the stage, with nobody behind it."""

    stage: Stage
    inbox: Inbox
    url: str


@pytest.fixture
def wall() -> Iterator[Wall]:
    stage, inbox = Stage(Preferences(large=True)), Inbox(SimulatedClock(BEGINS))
    web = KioskWeb(stage, inbox, key="0123456789")
    server = LocalServer(web.app, 0, "wall")
    server.start()
    yield Wall(stage, inbox, f"{server.origin}/?key=0123456789")
    web.close()
    server.close()


def pressed(wall: Wall) -> object:
    """The next answer; touches do not count."""
    while not isinstance(happened := wall.inbox.wait(), Pressed):
        pass
    return happened.answer


def looked_at(page: Page, kind: str) -> None:
    page.locator(f"main.{kind}").wait_for(timeout=PATIENCE)
    page.evaluate(AXE)
    assert faults(page, 30) == []


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT])
def test_an_identity_is_typed_on_the_screen(
    wall: Wall, stand: Stand, size: tuple[int, int]
) -> None:
    with stand(wall.url, size) as page:
        wall.stage.show(Task(AskIdentity(TITLE, Text("号码不对。", "Not a number."))))
        looked_at(page, "ask_identity")
        page.locator("#name").fill("张三")
        for key in ("1", "9", "erase", "X"):
            page.locator(f"#type-{key}").click()
        page.locator("#enter-identity").click()
        assert pressed(wall) == Identity("张三", "1X")


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT])
def test_an_amount_is_typed_beside_its_limits(
    wall: Wall, stand: Stand, size: tuple[int, int]
) -> None:
    limits = (Section(TITLE, (Row(TITLE, Text("¥ 100.00", "¥ 100.00")),)),)
    with stand(wall.url, size) as page:
        wall.stage.show(Task(AskAmount(TITLE, limits, Text("太多。", "Too much."))))
        looked_at(page, "ask_amount")
        expect(page.locator("main")).to_contain_text("100.00")
        for key in ("1", "point", "9", "erase", "5"):
            page.locator(f"#type-{key}").click()
        page.locator("#enter-amount").click()
        assert pressed(wall) == "1.5"


def test_a_code_comes_from_the_scanner_that_types_it(wall: Wall, stand: Stand) -> None:
    with stand(wall.url) as page:
        wall.stage.show(Task(AskScan(TITLE)))
        looked_at(page, "ask_scan")
        expect(page.locator("#scan")).to_be_focused()
        page.keyboard.type("SSCT:abc/1?x=2")
        page.keyboard.press("Enter")
        assert pressed(wall) == "SSCT:abc/1?x=2"


def test_a_code_for_the_telephone_is_drawn_within_the_page(wall: Wall, stand: Stand) -> None:
    with stand(wall.url) as page:
        shown = ShowQr(TITLE, "secret-payload", (TITLE,), BEGINS + timedelta(minutes=1))
        wall.stage.show(Task(shown))
        looked_at(page, "show_qr")
        expect(page.locator("main")).to_contain_text("09:01:00")
        assert "secret-payload" not in page.content()
        page.locator("#next").click()
        assert pressed(wall) is None
