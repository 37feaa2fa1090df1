"""Many visits in one browser: no memory, thread, handle or temporary file is left behind.

The kiosk is a process of its own, so that its memory is not that of the browser's driver. A few in
the ordinary run; `make soak` does 2 000 (SSCT_SOAK_VISITS).
"""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page

from .hall import Hall, Visitor, standing
from .processes import running

pytestmark = pytest.mark.integration

VISITS = int(os.environ.get("SSCT_SOAK_VISITS", "8"))
OURS = ("apdu.", "backend_client.", "terminal.")
"""Whose objects are counted: the driver of the browser keeps a record of every request it saw."""

WARM = 8
"""Visits before the first look, one of each kind: imports, caches and pools have filled by then."""

GROWTH = 32 * 1024 * 1024
"""What the resident memory of a process may grow, in bytes: allocators keep what they once had.

Over 2 000 visits that is 16 KiB a visit, less than one screen.
"""

HEAP = 1_000_000
"""What the page may hold more, in bytes, all in all: the engine's own caches."""

PIN = "246810"


@dataclass(frozen=True)
class Held:
    """What the kiosk's process and its page hold between two visits; sizes in bytes.

    `resident` is the process's memory, `nodes` and `heap` are the page's, `renderer` is the memory
    of the browser's processes for pages.
    """

    threads: int
    handles: int
    files: int
    resident: int
    nodes: int
    heap: int
    renderer: int


@dataclass
class Street(Visitor):
    """Who stands before a kiosk that is a process of its own, and moves its parts by the panel."""

    page: Page
    pid: int
    panel: str
    temporary: Path

    def insert(self, profile: str = "adult-3.0") -> None:
        self._do("insert", profile)

    def remove(self) -> None:
        self._do("remove")

    def wait(self, seconds: float) -> None:
        self._do("advance", str(seconds))

    def held(self) -> Held:
        metrics = browser_metrics(self)
        process = Path(f"/proc/{self.pid}")
        return Held(
            threads=sum(1 for _ in (process / "task").iterdir()),
            handles=sum(1 for _ in (process / "fd").iterdir()),
            files=sum(1 for _ in self.temporary.rglob("*")),
            resident=resident(self.pid),
            nodes=int(metrics["Nodes"]),
            heap=int(metrics["JSHeapUsedSize"]),
            renderer=sum(resident(one) for one in renderers(self)),
        )

    def _do(self, what: str, value: str = "") -> None:
        body = json.dumps({"do": what, "value": value}).encode()
        asked = Request(f"{self.panel}/do", body, {"origin": self.panel})
        with urlopen(asked, timeout=30) as answer:
            assert answer.status == 200


@pytest.fixture
def street(tmp_path: Path, browser: Browser) -> Iterator[Street]:
    with running(
        "kiosk", "--embedded", "--panel-port", "0", SSCT_KIOSK_PORT="0", TMPDIR=str(tmp_path)
    ) as kiosk:
        panel = kiosk.line("screen and panel:").split(": ")[1].strip()
        url = kiosk.line("screen alone:").split(": ")[1].strip()
        with standing(browser, url) as page:
            yield Street(page, kiosk.popen.pid, panel, tmp_path)


def resident(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def renderers(hall: Visitor) -> list[int]:
    browser = hall.page.context.browser
    assert browser is not None
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return [one["id"] for one in processes if one["type"] == "renderer"]


def browser_metrics(hall: Visitor) -> Mapping[str, float]:
    session = hall.page.context.new_cdp_session(hall.page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    answer = session.send("Performance.getMetrics")
    session.detach()
    return {one["name"]: one["value"] for one in answer["metrics"]}


def visit(hall: Visitor, number: int) -> None:
    """One of several kinds of visit, in turn; from the hall to the hall."""
    KINDS[number % len(KINDS)](hall)
    hall.remove()
    hall.at("attract")
    hall.wait(1)


def looks_at_the_card(hall: Visitor) -> None:
    hall.insert()
    hall.press_item("read")
    hall.at("details")


def looks_at_the_account(hall: Visitor) -> None:
    hall.insert()
    hall.press_item("query")
    hall.enter(PIN)
    hall.at("details")
    hall.press("reveal")
    hall.shows("张三")


def pulls_the_card_at_the_pin(hall: Visitor) -> None:
    hall.insert()
    hall.press_item("settlement")
    hall.at("ask_pin")
    hall.remove()
    hall.at("message")
    hall.press("next")


def settles_a_bill(hall: Visitor) -> None:
    takes_the_first(hall, "settlement")


def takes_the_settlement_back(hall: Visitor) -> None:
    takes_the_first(hall, "cancel")


def takes_the_first(hall: Visitor, function: str) -> None:
    """Agree to the first that a function offers, and see the receipt."""
    hall.insert()
    hall.press_item(function)
    hall.enter(PIN)
    hall.at("choose")
    hall.press("option-1")
    hall.at("confirm")
    hall.press("yes")
    hall.at("receipt")
    hall.press("next")
    hall.at("menu")


def shows_a_forged_card(hall: Visitor) -> None:
    hall.insert("forged")
    hall.at("message")


def waits_until_warned(hall: Visitor) -> None:
    hall.insert()
    hall.at("menu")
    hall.wait(61)
    hall.page.locator("#warning[open]").wait_for()
    hall.press("warning-stay")
    hall.at("menu")


def asks_for_english_and_ends(hall: Visitor) -> None:
    hall.insert()
    hall.at("menu")
    hall.press("tool-language")
    hall.press("cancel")
    hall.at("take_card")


KINDS = (
    looks_at_the_card,
    looks_at_the_account,
    pulls_the_card_at_the_pin,
    settles_a_bill,
    takes_the_settlement_back,
    shows_a_forged_card,
    waits_until_warned,
    asks_for_english_and_ends,
)


def test_visits_leave_no_object_and_no_thread_behind(hall: Hall) -> None:
    for number in range(WARM):
        visit(hall, number)
    before = ours(), threading.active_count()
    for number in range(WARM):
        visit(hall, number)
    after = ours(), threading.active_count()
    assert after[0] <= before[0] + 10
    assert after[1] == before[1]
    assert hall.kiosk.running.kiosk.visits == 2 * WARM


def ours() -> int:
    gc.collect()
    return sum(str(type(one).__module__).startswith(OURS) for one in gc.get_objects())


@pytest.mark.timeout(0)
def test_a_kiosk_holds_after_many_visits_what_it_held_before(street: Street) -> None:
    for number in range(WARM):
        visit(street, number)
    before = street.held()
    for number in range(VISITS):
        visit(street, number)
    after = street.held()
    print(f"{VISITS} visits\n before {before}\n after  {after}")
    assert after.threads <= before.threads
    assert after.handles <= before.handles + 2
    assert after.files <= before.files + 2
    assert after.nodes <= before.nodes + 50
    assert after.heap <= before.heap + HEAP
    assert after.resident <= before.resident + GROWTH
    assert after.renderer <= before.renderer + 2 * GROWTH
