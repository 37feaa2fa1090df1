"""The kiosk as it runs on a machine: its own process, a real PC/SC reader, a back office elsewhere.

After a visit nothing of the holder is left in the process's memory or in the page. The process runs
with the allocator settings of deploy/, under which what is freed is overwritten.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes

import pytest
from playwright.sync_api import Page, expect

from simulator import pcscd
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.virtual_reader import VirtualReader

from .conftest import Stand
from .hall import PATIENCE
from .processes import ROOT, back_office, running

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("kiosk-process")]

PROFILE = load_profile("adult-2.0")  # one whose data no source text of ours quotes
PIN = "135790"
OVERWRITTEN = {
    "PYTHONMALLOC": "malloc",
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.perturb=165",
}
"""As deploy/ssct-kiosk.service sets them."""


@dataclass
class Machine:
    """The kiosk's process, its page's address, and where cards go in."""

    pid: int
    url: str
    panel: VirtualReader


@pytest.fixture
def machine(real_pcscd: pcscd.PrivatePcscd, tmp_path: Path) -> Iterator[Machine]:
    with (
        back_office(tmp_path / "office") as address,
        VirtualReader(real_pcscd.ports[0]) as panel,
    ):
        environment = {
            "SSCT_BACKEND_URL": address,
            "SSCT_TERMINAL_DATA_DIR": str(tmp_path / "terminal"),
            "SSCT_READER_PATTERN": real_pcscd.readers[0],
            "SSCT_KIOSK_PORT": "0",
            "SSCT_KIOSK_OPERATOR_PORT": "0",
        }
        subprocess.run(
            [sys.executable, "-m", "terminal.cli", "enrol", "SSCT-DEVELOPMENT"],
            check=True,
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
        )
        with running("kiosk", **environment, **OVERWRITTEN) as kiosk:
            file = Path(kiosk.line("address is in:").split("in: ")[1].strip())
            yield Machine(kiosk.popen.pid, file.read_text("ascii").strip(), panel)
            panel.remove()


def secrets_of_the_holder() -> dict[str, bytes]:
    """What must be gone, in the encodings in which a process may hold it."""
    holder, card = PROFILE.holder, PROFILE.card
    texts = {"name": holder.name, "ssn": holder.ssn, "PIN": PIN}
    found = {}
    for what, text in texts.items():
        for encoding in ("utf-8", "utf-16-le", "gb18030"):
            found[f"{what} as {encoding}"] = text.encode(encoding)
    found["card number"] = card.number.encode()
    return found


def memory(pid: int) -> Iterator[bytes]:
    """Everything that the process may write to: heap, stacks, anonymous maps."""
    maps = Path(f"/proc/{pid}/maps").read_text("ascii").splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as mem:
        for line in maps:
            span, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            begin, end = (int(one, 16) for one in span.split("-"))
            mem.seek(begin)
            try:
                yield mem.read(end - begin)
            except OSError:
                continue


def left_in(pid: int) -> list[str]:
    """Which of the holder's secrets the process still holds."""
    wanted = secrets_of_the_holder()
    found = set()
    for piece in memory(pid):
        found |= {what for what, secret in wanted.items() if secret in piece}
    return sorted(found)


def heap_of(page: Page) -> str:
    """Everything that the page's script could still reach, after a collection."""
    session = page.context.new_cdp_session(page)
    pieces: list[str] = []
    session.on("HeapProfiler.addHeapSnapshotChunk", lambda one: pieces.append(one["chunk"]))
    session.send("HeapProfiler.collectGarbage")
    session.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
    session.detach()
    return "".join(pieces)


def test_a_visit_leaves_nothing_of_the_holder_in_process_and_page(
    machine: Machine, stand: Stand
) -> None:
    with stand(machine.url) as page:
        machine.panel.insert(SimulatedCard(PROFILE, random=token_bytes))
        page.locator("#item-query").click(timeout=2 * PATIENCE)
        for typed, digit in enumerate(PIN, 1):
            page.locator(f"#key-{digit}").click(timeout=PATIENCE)
            expect(page.locator("#dots")).to_have_text("●" * typed, timeout=PATIENCE)
        page.locator("#enter").click()
        page.locator("#reveal").click(timeout=PATIENCE)
        page.locator("#reveal[aria-pressed=true]").wait_for(timeout=PATIENCE)
        # The test can see what it looks for, while it is there.
        assert {"ssn as utf-8", "name as utf-16-le", "card number"} <= set(left_in(machine.pid))
        assert PROFILE.holder.ssn in page.content()
        page.locator("#next").click()
        page.locator("#item-settlement").click(timeout=PATIENCE)
        page.locator("#option-1").click(timeout=PATIENCE)
        page.locator("#yes").click(timeout=PATIENCE)
        page.locator("main.receipt").wait_for(timeout=PATIENCE)
        page.locator("#next").click()
        page.locator("main.menu").wait_for(timeout=PATIENCE)
        machine.panel.remove()
        page.locator("main.attract").wait_for(timeout=PATIENCE)
        assert settled(lambda: left_in(machine.pid)) == []
        assert PROFILE.holder.ssn not in page.content()
        assert PROFILE.holder.ssn not in heap_of(page)
        assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def settled(look: Callable[[], list[str]]) -> list[str]:
    """What `look` finds, given a little time to have nothing."""
    for _ in range(20):
        found = look()
        if not found:
            break
        time.sleep(0.25)
    return found
