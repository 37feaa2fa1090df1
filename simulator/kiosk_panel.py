"""The developer's panel beside the kiosk: what hands, cables and clocks do to the real machine.

For development only, on this machine only; it is no part of the terminal and never installed with
it. What it can do is the table `ACTIONS`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Lock

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from apdu.readers.inprocess import Chip
from apdu.status import CardError
from simulator.card.card import SimulatedCard
from simulator.card.profile import BUILT_IN, load_profile
from simulator.city import card_ref
from simulator.clock import SimulatedClock
from simulator.network import Fault
from simulator.office import OfficeRefused
from simulator.pin_pad import PAD_KEYS, SimulatedPad
from simulator.portrait import portrait
from simulator.scene import Scene
from terminal.kiosk.assembly import RunningKiosk

log = logging.getLogger(__name__)

LONGEST_STEP = timedelta(days=400)

_WITH_PHOTO = ("adult-3.0", "adult-2.0")
_FILES = Path(__file__).parent / "panel"


class PanelRefused(Exception):
    """What the panel was asked for is not possible now. The message says why."""


class Panel:
    """Moves the simulated parts of one kiosk. Every method may be called from any thread."""

    def __init__(
        self,
        scene: Scene,
        running: RunningKiosk,
        clock: SimulatedClock,
        random: Callable[[int], bytes],
        pad: SimulatedPad | None = None,
    ) -> None:
        self._scene = scene
        self._running = running
        self._clock = clock
        self._random = random
        self._lock = Lock()
        self._chips: dict[str, SimulatedCard] = {}
        self._inserted = ""
        self._pad = pad

    def card(self, profile: str) -> SimulatedCard:
        """The plastic of a built-in profile; always the same one."""
        if profile not in BUILT_IN:
            raise PanelRefused(f"there is no profile {profile!r}")
        if profile not in self._chips:
            described = load_profile(profile)
            if profile in _WITH_PHOTO:
                files = {**described.files, "SSSEEF08": {"hex": portrait().hex().upper()}}
                described = replace(described, files=files)
            self._chips[profile] = SimulatedCard(described, random=self._random)
        return self._chips[profile]

    def insert(self, profile: str) -> None:
        """Put a card in; one that is in there comes out first."""
        chip: Chip = self.card(profile)
        with self._lock:
            if self._inserted:
                self._scene.slot.remove()
            self._scene.slot.insert(chip)
            self._inserted = profile

    def remove(self) -> None:
        """Take the card out."""
        with self._lock:
            self._scene.slot.remove()
            self._inserted = ""

    def tear(self, writes: int) -> None:
        """Let the card's power fail after so many bytes of its next write."""
        if not self._inserted:
            raise PanelRefused("there is no card to tear")
        if not 0 <= writes <= 10_000:
            raise PanelRefused("0 to 10000 bytes")
        self.card(self._inserted).memory.tear_after(writes)

    def network(self, *, connected: bool) -> None:
        """Cut the network, or mend it."""
        if connected:
            self._scene.network.heal()
        else:
            self._scene.network.connected = False

    def lose_answer(self, path: str) -> None:
        """Let the answer to the next request to `path` be lost."""
        self._scene.network.fail(path, Fault.ANSWER_LOST)

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        step = timedelta(seconds=seconds)
        if not timedelta() <= step <= LONGEST_STEP:
            raise PanelRefused(f"0 seconds to {LONGEST_STEP.days} days")
        self._clock.advance(step)
        self._running.inbox.nudge()

    def lose(self, profile: str, kind: str) -> None:
        """Report a card lost at the service centre, or release it, and let the terminal hear."""
        ref = card_ref(load_profile(profile))
        office = self._scene.office
        match kind:
            case "temporary":
                office.report_temporary_loss(ref)
            case "formal":
                office.report_formal_loss(ref)
            case "release":
                office.release_loss(ref)
            case _:
                raise PanelRefused(f"there is no loss of the kind {kind!r}")
        self._scene.terminal.sync()

    def sync(self) -> None:
        """Have the terminal synchronise."""
        self._scene.terminal.sync()

    def key(self, key: str) -> None:
        """Press a key of the PIN pad, where the kiosk has one."""
        if self._pad is None:
            raise PanelRefused("this kiosk has no PIN pad: type on the screen")
        if key not in PAD_KEYS:
            raise PanelRefused(f"the pad has no key {key!r}")
        if not self._pad.wanted:
            raise PanelRefused("nobody is asked for a PIN now")
        self._pad.press(key)

    def state(self) -> Mapping[str, object]:
        """What the panel shows."""
        return {
            "card": self._inserted,
            "connected": self._scene.network.connected,
            "time": self._clock.now().strftime("%Y-%m-%d %H:%M:%S"),
            "screen": type(self._running.stage.page.view).__name__,
        }

    def application(self) -> Starlette:
        """The panel's own small web application."""
        web = _PanelWeb(self, self._running.page_url)
        return Starlette(
            routes=[
                Route("/", web.page),
                Route("/state", web.state),
                Route("/do", web.do, methods=["POST"]),
                Route("/panel.css", web.file),
                Route("/panel.js", web.file),
            ]
        )


ACTIONS: Mapping[str, Callable[[Panel, str], None]] = {
    "insert": lambda panel, value: panel.insert(value),
    "remove": lambda panel, _: panel.remove(),
    "tear": lambda panel, value: panel.tear(int(value)),
    "network": lambda panel, value: panel.network(connected=value == "on"),
    "lose-answer": lambda panel, value: panel.lose_answer(value),
    "advance": lambda panel, value: panel.advance(float(value)),
    "temporary": lambda panel, value: panel.lose(value, "temporary"),
    "formal": lambda panel, value: panel.lose(value, "formal"),
    "release": lambda panel, value: panel.lose(value, "release"),
    "sync": lambda panel, _: panel.sync(),
    "key": lambda panel, value: panel.key(value),
}
"""What can be asked for, and how it is done."""


class _PanelWeb:
    """The panel's pages. A press must come from the panel's own page."""

    def __init__(self, panel: Panel, kiosk_url: str) -> None:
        self._panel = panel
        self._kiosk_url = kiosk_url
        self._page = Environment(
            loader=PackageLoader("simulator", "panel"), autoescape=True, undefined=StrictUndefined
        ).get_template("panel.html")

    async def page(self, _: Request) -> Response:
        profiles = [(name, load_profile(name)) for name in BUILT_IN]
        html = self._page.render(kiosk=self._kiosk_url, profiles=profiles)
        return HTMLResponse(html, headers={"cache-control": "no-store"})

    async def file(self, request: Request) -> Response:
        return FileResponse(_FILES / request.url.path.lstrip("/"))

    async def state(self, _: Request) -> Response:
        return JSONResponse(self._panel.state())

    async def do(self, request: Request) -> Response:
        if request.headers.get("origin") != f"http://{request.headers.get('host')}":
            return JSONResponse({"said": "not from this page"}, 403)
        asked = await request.json()
        action = ACTIONS.get(str(asked.get("do")))
        if action is None:
            return JSONResponse({"said": "no such action"}, 400)
        try:
            await run_in_threadpool(action, self._panel, str(asked.get("value", "")))
        except (PanelRefused, OfficeRefused, CardError, ValueError) as error:
            return JSONResponse({"said": str(error)}, 409)
        return JSONResponse(self._panel.state())
