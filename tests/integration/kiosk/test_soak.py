"""Many visits in one browser: no memory, thread, handle or temporary file is left behind.

A few dozen in the ordinary run; `make soak` does 2 000 (SSCT_SOAK_VISITS).
"""

from __future__ import annotations

import gc
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from .hall import Hall

pytestmark = pytest.mark.integration

VISITS = int(os.environ.get("SSCT_SOAK_VISITS", "16"))
OURS = ("apdu.", "backend_client.", "terminal.")
"""Whose objects are counted: the driver of the browser keeps a record of every request it saw."""

WARM = 4
"""Visits before the first look: imports, caches and pools have filled by then."""


@pytest.fixture
def own_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process puts temporary files, away from those of others."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@dataclass(frozen=True)
class Held:
    """What process and page hold between two visits; `heap` in bytes."""

    threads: int
    handles: int
    files: int
    objects: int
    nodes: int
    heap: int


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
    )


def browser_metrics(hall: Hall) -> Mapping[str, float]:
    session = hall.page.context.new_cdp_session(hall.page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    answer = session.send("Performance.getMetrics")
    session.detach()
    return {one["name"]: one["value"] for one in answer["metrics"]}


def visit(hall: Hall, number: int) -> None:
    """One of several kinds of visit, in turn."""
    hall.insert()
    hall.at("menu")
    match number % 4:
        case 0:
            hall.press("item-read")
            hall.at("details")
        case 1:
            hall.press("item-query")
            hall.enter("246810")
            hall.at("details")
            hall.press("reveal")
            hall.shows("张三")
        case 2:
            hall.press("item-settlement")
            hall.at("ask_pin")
            hall.press("cancel")
            hall.at("menu")
        case 3:
            hall.press("tool-language")
            hall.press("cancel")
            hall.at("take_card")
    hall.remove()
    hall.at("attract")
    hall.wait(1)


def test_visits_leave_nothing_behind(own_temporary_directory: Path, hall: Hall) -> None:
    for number in range(WARM):
        visit(hall, number)
    before = held(hall)
    for number in range(VISITS):
        visit(hall, number)
    after = held(hall)
    assert after.threads == before.threads
    assert after.handles <= before.handles + 2
    assert after.files <= before.files + 2
    assert after.nodes <= before.nodes + 50
    assert after.objects <= before.objects + 10
    assert after.heap <= before.heap + 400_000
    assert hall.kiosk.running.kiosk.visits == WARM + VISITS
