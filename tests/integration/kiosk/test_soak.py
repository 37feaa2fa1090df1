"""Many visits in one browser: no memory, thread, handle or temporary file is left behind.

Two dozen in the ordinary run; `make soak` does 2 000 (SSCT_SOAK_VISITS).
"""

from __future__ import annotations

import gc
import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from .hall import Hall

pytestmark = pytest.mark.integration

VISITS = int(os.environ.get("SSCT_SOAK_VISITS", "16"))
OURS = ("apdu.", "backend_client.", "terminal.")
"""Whose objects are counted: the driver of the browser keeps a record of every request it saw."""

WARM = 16
"""Visits before the first look: imports, caches and pools have filled by then."""

GROWTH = 32 * 1024 * 1024
"""What the resident memory of a process may grow, in bytes: allocators keep what they once had.

Over 2 000 visits that is 16 KiB a visit, less than one screen.
"""

PIN = "246810"


@pytest.fixture
def own_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process puts temporary files, away from those of others."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@dataclass(frozen=True)
class Held:
    """What process and page hold between two visits.

    `heap` is the page's, `kiosk` and `renderer` the resident memory of this process and of the
    page's, all in bytes.
    """

    threads: int
    handles: int
    files: int
    objects: int
    nodes: int
    heap: int
    kiosk: int
    renderer: int


def held(hall: Hall) -> Held:
    gc.collect()
    metrics = browser_metrics(hall)
    return Held(
        threads=threading.active_count(),
        handles=sum(1 for _ in Path("/proc/self/fd").iterdir()),
        files=sum(1 for _ in Path(tempfile.gettempdir()).rglob("*")),
        objects=sum(str(type(one).__module__).startswith(OURS) for one in gc.get_objects()),
        nodes=int(metrics["Nodes"]),
        heap=int(metrics["JSHeapUsedSize"]),
        kiosk=resident(os.getpid()),
        renderer=sum(resident(process) for process in renderers(hall)),
    )


def resident(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def renderers(hall: Hall) -> list[int]:
    browser = hall.page.context.browser
    assert browser is not None
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return [one["id"] for one in processes if one["type"] == "renderer"]


def browser_metrics(hall: Hall) -> Mapping[str, float]:
    session = hall.page.context.new_cdp_session(hall.page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    answer = session.send("Performance.getMetrics")
    session.detach()
    return {one["name"]: one["value"] for one in answer["metrics"]}


def visit(hall: Hall, number: int) -> None:
    """One of several kinds of visit, in turn; from the hall to the hall."""
    KINDS[number % len(KINDS)](hall)
    hall.remove()
    hall.at("attract")
    hall.wait(1)


def looks_at_the_card(hall: Hall) -> None:
    hall.insert()
    hall.press_item("read")
    hall.at("details")


def looks_at_the_account(hall: Hall) -> None:
    hall.insert()
    hall.press_item("query")
    hall.enter(PIN)
    hall.at("details")
    hall.press("reveal")
    hall.shows("张三")


def pulls_the_card_at_the_pin(hall: Hall) -> None:
    hall.insert()
    hall.press_item("settlement")
    hall.at("ask_pin")
    hall.remove()
    hall.at("message")
    hall.press("next")


def settles_a_bill(hall: Hall) -> None:
    hall.insert()
    hall.press_item("settlement")
    hall.enter(PIN)
    hall.at("choose")
    hall.press("option-1")
    hall.at("confirm")
    hall.press("yes")
    hall.at("receipt")
    hall.press("next")
    hall.at("menu")


def takes_the_settlement_back(hall: Hall) -> None:
    hall.insert()
    hall.press_item("cancel")
    hall.enter(PIN)
    hall.at("choose")
    hall.press("option-1")
    hall.at("confirm")
    hall.press("yes")
    hall.at("receipt")
    hall.press("next")
    hall.at("menu")


def shows_a_forged_card(hall: Hall) -> None:
    hall.insert("forged")
    hall.at("message")


def waits_until_warned(hall: Hall) -> None:
    hall.insert()
    hall.at("menu")
    hall.wait(61)
    hall.page.locator("#warning[open]").wait_for()
    hall.press("warning-stay")
    hall.at("menu")


def asks_for_english_and_ends(hall: Hall) -> None:
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


def test_visits_leave_nothing_behind(
    own_temporary_directory: Path, hall: Hall, record_property: Callable[[str, object], None]
) -> None:
    for number in range(WARM):
        visit(hall, number)
    before = held(hall)
    for number in range(VISITS):
        visit(hall, number)
    after = held(hall)
    record_property("before", before)
    record_property("after", after)
    print(f"{VISITS} visits\n before {before}\n after  {after}")
    assert after.threads == before.threads
    assert after.handles <= before.handles + 2
    assert after.files <= before.files + 2
    assert after.nodes <= before.nodes + 50
    assert after.objects <= before.objects + 10
    assert after.heap <= before.heap + 400_000
    assert after.kiosk <= before.kiosk + GROWTH
    assert after.renderer <= before.renderer + GROWTH
    assert hall.kiosk.running.kiosk.visits == WARM + VISITS
