"""`ssct kiosk --embedded`: the kiosk on simulated parts, with a developer's panel beside it.

Everything is in this process, as in the demo; the clock runs, and the panel can move it on.
"""

from __future__ import annotations

import logging
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from simulator.city import HOSPITAL
from simulator.clock import SHANGHAI, RunningClock, SimulatedClock
from simulator.embedded import embedded_scene
from simulator.kiosk_panel import Panel
from simulator.pin_pad import SimulatedEncryptingPad, SimulatedPad
from simulator.scene import Scene
from terminal.devices.pin_pad import EncryptingPad, Listener, Port
from terminal.devices.protocols import Printer
from terminal.kiosk.assembly import RunningKiosk, running_kiosk
from terminal.kiosk.operator_login import write_password
from terminal.kiosk.serving import LocalServer
from terminal.kiosk.stopping import until_told_to_stop

BEGINS = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
"""When the built-in cards have bills to settle: the morning on which the demo begins."""

PANEL_PORT = 8792
_PAD_SECONDS = 60
"""How long the simulated pad waits for a PIN by itself."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EmbeddedKiosk:
    """A kiosk on simulated parts, the panel that moves them, and its PIN pad if it has one."""

    scene: Scene
    running: RunningKiosk
    panel: Panel
    pad: SimulatedPad | None


@dataclass(frozen=True, slots=True)
class Fittings:
    """How a kiosk on simulated parts is fitted out. `port` 0 takes a free one.

    Pages of `framed_by` may show its page. `with_pad`: PINs are typed on an encrypting pad, whose
    keys the panel presses. Without `operator_password` nobody gets into the operator's page.
    """

    port: int = 0
    framed_by: tuple[str, ...] = ()
    with_pad: bool = False
    printer: Printer | None = None
    operator_password: str | None = field(default=None, repr=False)


_PLAIN = Fittings()


@contextmanager
def embedded_kiosk(
    directory: Path,
    *,
    clock: SimulatedClock,
    random: Callable[[int], bytes],
    fittings: Fittings = _PLAIN,
) -> Iterator[EmbeddedKiosk]:
    """Set the scene in `directory`, enrol the terminal and serve."""
    with (
        embedded_scene(directory, clock=clock, random=random) as scene,
        kiosk_on(scene, clock=clock, random=random, fittings=fittings) as kiosk,
    ):
        yield kiosk


@contextmanager
def kiosk_on(
    scene: Scene,
    *,
    clock: SimulatedClock,
    random: Callable[[int], bytes],
    fittings: Fittings = _PLAIN,
) -> Iterator[EmbeddedKiosk]:
    """A kiosk on a scene that is set: the terminal is enrolled, synchronised and serves."""
    with _pad(random) if fittings.with_pad else nullcontext() as pad:
        terminal = scene.terminal
        password_file = None
        if fittings.operator_password is not None:
            password_file = terminal.settings.terminal.data_dir / "operator-password"
            write_password(password_file, fittings.operator_password, random)
        own = replace(
            terminal.settings.kiosk,
            port=fittings.port,
            operator_port=0,
            operator_password_file=password_file,
        )
        terminal.settings = replace(terminal.settings, kiosk=own)
        terminal.enrol(scene.office.enrolment_code(HOSPITAL))
        terminal.sync()
        with running_kiosk(
            terminal,
            scene.reader,
            random=random,
            framed_by=fittings.framed_by,
            patience=0.5,
            printer=fittings.printer,
            pin_pad=pad.connected if pad else None,
        ) as running:
            device = pad.device if pad else None
            yield EmbeddedKiosk(
                scene, running, Panel(scene, running, clock, random, device), device
            )


@dataclass(frozen=True, slots=True)
class _Pad:
    """An encrypting pad on a pseudo-terminal, and the terminal's end of its line."""

    device: SimulatedEncryptingPad
    key: bytes
    random: Callable[[int], bytes]

    def connected(self, listener: Listener) -> EncryptingPad:
        """The terminal's side."""
        return EncryptingPad(
            self._line, listener, master_key=self.key, random=self.random, seconds=_PAD_SECONDS
        )

    def _line(self) -> Port:
        from serial import Serial

        line: Port = Serial(self.device.device, timeout=None)
        return line


@contextmanager
def _pad(random: Callable[[int], bytes]) -> Iterator[_Pad]:
    key = random(16)
    device = SimulatedEncryptingPad(key, random)
    try:
        yield _Pad(device, key, random)
    finally:
        device.close()


def serve(port: int, panel_port: int, *, with_pad: bool = False) -> None:
    """Serve kiosk and panel until Ctrl-C. Raises `PortTaken`."""
    clock = RunningClock(BEGINS, time.monotonic)
    password = secrets.token_urlsafe(9)
    fittings = Fittings(
        port=port,
        framed_by=(f"http://127.0.0.1:{panel_port}",),
        with_pad=with_pad,
        operator_password=password,
    )
    with (
        tempfile.TemporaryDirectory(prefix="ssct-kiosk-") as directory,
        embedded_kiosk(
            Path(directory), clock=clock, random=secrets.token_bytes, fittings=fittings
        ) as kiosk,
    ):
        server = LocalServer(kiosk.panel.application(), panel_port, "kiosk-panel")
        server.start()
        try:
            print(f"屏幕和开发面板 screen and panel: {server.origin}")
            print(f"只有屏幕 the screen alone: {kiosk.running.page_url}")
            print(
                f"运维页 the operator's page: {kiosk.running.operator_url} "
                f"密码 its password: {password}"
            )
            print("按 Ctrl-C 结束。 Ctrl-C ends it.", flush=True)
            until_told_to_stop()
        finally:
            server.close()
