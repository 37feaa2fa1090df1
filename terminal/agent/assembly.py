"""Puts the agent together: readers, sessions, web application, server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from apdu.readers.pcsc_events import CardEvent, CardEventKind
from apdu.ssc.driver import PinPad
from terminal.agent.guard import FAILURES_PER_MINUTE, Doors
from terminal.agent.ldt33 import Ldt33Socket
from terminal.agent.operations import Agent
from terminal.agent.point_of_use import PointOfUse
from terminal.agent.rate import RateLimit
from terminal.agent.readers import EventBus, Readers
from terminal.agent.scopes import Scope
from terminal.agent.sessions import Sessions
from terminal.agent.shared_module import one_at_a_time
from terminal.agent.tokens import TokenBook
from terminal.agent.web import AgentWeb
from terminal.app import Terminal
from terminal.kiosk.serving import LocalServer
from terminal.kiosk.upkeep import Upkeep
from terminal.settings import AgentSettings

_GONE = (CardEventKind.REMOVED, CardEventKind.READER_REMOVED, CardEventKind.SERVICE_LOST)


@dataclass(frozen=True, slots=True)
class RunningAgent:
    """An agent that serves at `origin`."""

    origin: str
    sessions: Sessions


@contextmanager
def running_agent(
    terminal: Terminal,
    readers: Readers,
    *,
    random: Callable[[int], bytes],
    pin_pad: PinPad | None = None,
    upkeep: float | None = None,
) -> Iterator[RunningAgent]:
    """Serve programs and pages on this machine until the block is left.

    `pin_pad` is for the LD/T 33 functions. `upkeep`: seconds between two synchronisations, None
    for none. Raises `PortTaken`.
    """
    own = terminal.settings.agent
    terminal.sam = one_at_a_time(terminal.sam)
    sessions = Sessions(terminal, readers, random=random)
    bus = EventBus(readers, lambda event: _card_left(sessions, event))
    point = PointOfUse(terminal, readers, random, pin_pad)
    limit = RateLimit(own.calls_per_minute, terminal.clock.monotonic)
    socket = Ldt33Socket(
        point.devices,
        lease=own.lease.total_seconds(),
        gate=point.gate,
        witness=point.witness,
        count=limit.take,
        debits=point.debits,
    )
    web = AgentWeb(
        Agent(terminal, readers, sessions, own.lease.total_seconds()),
        bus,
        socket,
        doors=_doors(own),
        tokens=TokenBook(terminal.settings.terminal.data_dir),
        limit=limit,
        failures=RateLimit(FAILURES_PER_MINUTE, terminal.clock.monotonic),
    )
    with ExitStack() as closing:
        server = LocalServer(web.app, own.port, "agent-web", sockets=True)
        closing.callback(server.close)
        bus.start()
        closing.callback(bus.close)
        server.start()
        closing.callback(web.close)
        closing.callback(sessions.close)
        if upkeep is not None:
            keeper = Upkeep(terminal, lambda: not sessions.busy, every=upkeep)
            keeper.start()
            closing.callback(keeper.close)
        yield RunningAgent(server.origin, sessions)


def _doors(own: AgentSettings) -> Doors:
    allowed = frozenset(map(Scope, own.unchanged_scopes))
    return Doors(own.hosts, own.origins, dict.fromkeys(own.unchanged_pages, allowed))


def _card_left(sessions: Sessions, event: CardEvent) -> None:
    if event.kind in _GONE:
        sessions.card_left(event.reader)
