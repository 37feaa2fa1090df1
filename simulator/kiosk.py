"""`ssct kiosk --embedded`: the kiosk on simulated parts, with a developer's panel beside it.

Everything is in this process, as in the demo; the clock runs, and the panel can move it on.
"""

from __future__ import annotations

import logging
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Event

from simulator.city import HOSPITAL
from simulator.clock import SHANGHAI, RunningClock, SimulatedClock
from simulator.embedded import embedded_scene
from simulator.kiosk_panel import Panel
from simulator.scene import Scene
from terminal.kiosk.assembly import RunningKiosk, running_kiosk
from terminal.kiosk.serving import LocalServer

BEGINS = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
"""When the built-in cards have bills to settle: the morning on which the demo begins."""

PANEL_PORT = 8792

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EmbeddedKiosk:
    """A kiosk on simulated parts, and the panel that moves them."""

    scene: Scene
    running: RunningKiosk
    panel: Panel


@contextmanager
def embedded_kiosk(
    directory: Path,
    *,
    clock: SimulatedClock,
    random: Callable[[int], bytes],
    port: int = 0,
    framed_by: tuple[str, ...] = (),
) -> Iterator[EmbeddedKiosk]:
    """Set the scene in `directory`, enrol the terminal and serve. `port` 0 takes a free one."""
    with embedded_scene(directory, clock=clock, random=random) as scene:
        terminal = scene.terminal
        own = replace(terminal.settings.kiosk, port=port, operator_port=0)
        terminal.settings = replace(terminal.settings, kiosk=own)
        terminal.enrol(scene.office.enrolment_code(HOSPITAL))
        terminal.sync()
        with running_kiosk(
            terminal, scene.reader, random=random, framed_by=framed_by, patience=0.5
        ) as running:
            panel = Panel(scene, running, clock, random)
            yield EmbeddedKiosk(scene, running, panel)


def serve(port: int, panel_port: int) -> None:
    """Serve kiosk and panel until Ctrl-C. Raises `PortTaken`."""
    clock = RunningClock(BEGINS, time.monotonic)
    origin = f"http://127.0.0.1:{panel_port}"
    with (
        tempfile.TemporaryDirectory(prefix="ssct-kiosk-") as directory,
        embedded_kiosk(
            Path(directory), clock=clock, random=secrets.token_bytes, port=port, framed_by=(origin,)
        ) as kiosk,
    ):
        server = LocalServer(kiosk.panel.application(), panel_port, "kiosk-panel")
        server.start()
        try:
            print(f"屏幕和开发面板 screen and panel: {server.origin}")
            print(f"只有屏幕 the screen alone: {kiosk.running.page_url}")
            print("按 Ctrl-C 结束。 Ctrl-C ends it.", flush=True)
            Event().wait()
        except KeyboardInterrupt:
            pass
        finally:
            server.close()
