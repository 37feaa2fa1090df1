"""An agent that serves the embedded scene on a loopback port, for tests."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx

from apdu.readers.inprocess import InProcessReader
from apdu.ssc.driver import PinPad
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.scene import Scene
from simulator.story import BEGINS
from terminal.agent.assembly import RunningAgent, running_agent
from terminal.agent.client import AgentClient
from terminal.agent.readers import NamedReaders, Readers
from terminal.agent.scopes import Scope
from terminal.agent.tokens import TokenBook

ALLOWED = "https://his.example"
PATIENCE = 0.05  # of the readers' watchers, so that a test ends soon


@dataclass
class AgentBench:
    """A running agent, the scene behind it, and who calls."""

    scene: Scene
    running: RunningAgent
    book: TokenBook
    client: AgentClient
    token: str

    @property
    def slot(self) -> InProcessReader:
        slot = self.scene.reader
        assert isinstance(slot, InProcessReader)
        return slot

    @property
    def origin(self) -> str:
        return self.running.origin

    def insert(self, profile: str = "adult-3.0") -> SimulatedCard:
        chip = SimulatedCard(load_profile(profile), random=random.Random(7).randbytes)
        self.slot.insert(chip)
        return chip

    def token_for(self, *scopes: Scope) -> str:
        made, _ = self.book.create("another", scopes, BEGINS, random.Random(len(scopes)).randbytes)
        return made

    def http(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401
        """One plain call, as any program makes it."""
        headers = {"authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        headers = {name: value for name, value in headers.items() if value is not None}
        return httpx.request(method, self.origin + path, headers=headers, timeout=30, **options)


@contextmanager
def agent_bench(
    directory: Path,
    *,
    readers: Readers | None = None,
    pin_pad: PinPad | None = None,
    **settings: Any,  # noqa: ANN401
) -> Iterator[AgentBench]:
    """An agent at the scene's reader, or at `readers`; `settings` are those of [agent]."""
    chance = random.Random(5).randbytes
    with embedded_scene(directory, clock=SimulatedClock(BEGINS), random=chance) as scene:
        terminal = scene.terminal
        terminal.enrol(DEVELOPMENT_CODE.code)
        assert terminal.sync().error is None
        chosen: dict[str, Any] = {"port": 0, "origins": (ALLOWED,)} | settings
        own = replace(terminal.settings.agent, **chosen)
        terminal.settings = replace(terminal.settings, agent=own)
        book = TokenBook(terminal.settings.terminal.data_dir)
        token, _ = book.create("his", Scope, BEGINS, chance)
        served = readers or NamedReaders([scene.reader], patience=PATIENCE)
        with (
            running_agent(terminal, served, random=chance, pin_pad=pin_pad) as running,
            AgentClient(running.origin, token) as client,
        ):
            yield AgentBench(scene, running, book, client, token)


MINUTE = timedelta(minutes=1)


def until(reached: Callable[[], bool]) -> bool:
    """Whether `reached` comes true before a patient caller gives up."""
    pause = threading.Event()
    return any(reached() or pause.wait(0.01) for _ in range(2000))
