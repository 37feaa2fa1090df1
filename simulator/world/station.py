"""One terminal of a world: a machine with a disk, a reader, a security module and a clock.

The machine and its disk stay; the process on it dies and is started again. Starting is what the
product does: open the store, recover, and only then serve.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apdu.readers.inprocess import InProcessReader
from apdu.status import CardError
from backend_client.errors import BackendError
from backend_client.sealing import Sealer, blind_index
from backend_client.transport import Transport
from simulator.world.chance import Chance
from simulator.world.clocks import WallClock
from simulator.world.disk import Disk, Moment, Trouble, write_files
from simulator.world.founding import founding, station_settings
from simulator.world.holder import AtTheScreen, Holder
from simulator.world.kill import Killed
from simulator.world.module import Module
from simulator.world.plastic import Tear
from simulator.world.story import Story
from simulator.world.warm import warm
from terminal.admission import Decision
from terminal.app import Terminal
from terminal.errors import StoreError, TerminalError
from terminal.flow import Flow, run
from terminal.outcome import Outcome
from terminal.policy import Function
from terminal.session import CardSession
from terminal.store.key import load_key
from terminal.store.store import DATABASE, KEY_FILE
from terminal.visit import Visit

FACE = "kiosk"

Decided = Callable[["Station", Holder, Decision], None]
"""Hears of every decision on a card."""


class Station:
    """One terminal. `terminal` is the running process, None while it is down.

    `left_open` are the numbers that the last recovery could not bring to an end.
    """

    def __init__(
        self,
        number: int,
        directory: Path,
        clock: WallClock,
        chance: Chance,
        story: Story,
        *,
        channel: str,
        has_psam: bool,
    ) -> None:
        write_files(directory, founding().stations[number])
        self.name = f"terminal {number + 1}"
        self.clock = clock
        self.disk = Disk(directory, self._hit)
        self.reader = InProcessReader(self.name)
        # The module is a device of its own: it outlives the process.
        self.module = Module(number, chance.bytes, has_psam=has_psam, on_tear=self._module_torn)
        self.terminal: Terminal | None = None
        self.terminal_id = ""
        self.list_version = 0
        self.left_open: frozenset[str] = frozenset()
        self._depth = 0
        self._synchronising = False
        self._seen: tuple[int, int] | None = None
        self._random = chance.bytes
        self._story = story
        self._settings = station_settings(directory, channel)
        self._key = load_key(directory / KEY_FILE)
        self._sealer = Sealer(self._key, chance.bytes)

    def connect(self, transport: Transport) -> None:
        """Lay the line to the back office."""
        self._transport = transport

    def start(self) -> bool:
        """Start the process and let it recover; whether it serves now."""
        if self.terminal is not None:
            return True
        self.disk.restart()
        sam = self.module.opened()
        with self.process("starts"):
            try:
                terminal = Terminal.open(
                    self._settings,
                    clock=self.clock,
                    random=self._random,
                    sam=sam,
                    transport=self._transport,
                    disk=self.disk.connect,
                )
            except StoreError as error:
                self._story.tell(f"{self.name} cannot start: {error.code}")
                return False
            warm(terminal.store.engine)
            self.terminal = terminal
            self._look_around(terminal)
            self._recover(terminal)
        return self.terminal is not None

    def _look_around(self, terminal: Terminal) -> None:
        """Note what the process says of itself, for the checks."""
        if terminal.identity is not None and not self.terminal_id:
            # However often it is enrolled: at the back office its numbers stay those of the first.
            self.terminal_id = terminal.identity.terminal_id
        head = terminal.blacklist.head()
        self.list_version = max(self.list_version, head.version if head else 0)

    def _recover(self, terminal: Terminal) -> None:
        try:
            recovery = terminal.recover()
        except StoreError as error:
            self._story.tell(f"{self.name} cannot recover: {error.code}")
            self.stop()
            return
        self.left_open = frozenset(each.number for each in recovery.still_open)
        closed, still_open = len(recovery.closed), len(recovery.still_open)
        self._story.tell(f"{self.name} serves; recovered {closed}, still open {still_open}")

    def stop(self) -> None:
        """The process ends in good order."""
        if self.terminal is not None:
            self.terminal.close()
            self.terminal = None

    @property
    def busy(self) -> bool:
        """Whether the process is in the middle of something."""
        return self._depth > 0

    def power_cut(self) -> None:
        """The machine loses its power; what it is in the middle of finds out by itself."""
        self.disk.cut()
        if not self.busy:
            self._bury()

    def close(self) -> None:
        """The world ends."""
        self.disk.look_away()
        self.stop()

    def alive(self) -> None:
        """Raise `Killed` when the process is dead."""
        self.disk.breathe()

    @contextmanager
    def process(self, doing: str) -> Iterator[None]:
        """What the process does: if it dies of it, that ends here, and the machine stays."""
        self._depth += 1
        try:
            yield
        except Killed:
            if self.disk.alive or self._depth > 1:
                raise
        finally:
            self._depth -= 1
        if not self.disk.alive:
            if self._depth:
                raise Killed
            self._story.tell(f"{self.name} died: {doing}")
            self._bury()

    def serve(
        self,
        holder: Holder,
        function: Function,
        flow: Callable[[Visit], Flow],
        driver: AtTheScreen,
        decided: Decided,
    ) -> Outcome | None:
        """A holder uses a function, by its flow; None when it was not to come to an end."""
        terminal, outcome = self.terminal, None
        if terminal is None:
            return None
        with self.process(f"serving {function}"):
            try:
                holder.plastic.enter(self.reader, self.alive)
                self.module.push_home()
                with CardSession.open(self.reader, terminal.sam) as session:
                    visit = terminal.visit(session, FACE)
                    visit.admit = self._observed(visit, holder, decided)
                    outcome = run(flow(visit), driver)
            except CardError as error:
                self._story.tell(f"{self.name} cannot read the card: {error.code}")
            finally:
                holder.plastic.leave()
        return outcome

    def enrol(self, code: str) -> None:
        """Somebody enrols it, as it may be already."""
        if self.terminal is None:
            return
        with self.process("enrolling"):
            try:
                self.terminal.enrol(code)
                self._story.tell(f"{self.name} is enrolled anew")
            except (TerminalError, BackendError) as error:
                self._story.tell(f"{self.name} cannot be enrolled: {error.code}")

    def sync(self) -> None:
        """Clock and blacklist, and what is still open, as the product does in the background.

        Who comes while that goes on waits for its turn, and then finds nothing left to do.
        """
        terminal = self.terminal
        if terminal is None or self._synchronising:
            return
        with self.process("synchronising"):
            self._synchronising = True
            try:
                report = terminal.sync()
                self.list_version = max(self.list_version, report.after or 0)
                problem = report.error.code if report.error else "ok"
                recovery = terminal.resolve_unknown()
                left = len(recovery.still_open)
                told = f"list {report.after}, {problem}, {left} operations open"
                self._story.tell(f"{self.name} synchronises: {told}")
            except StoreError as error:
                self._story.tell(f"{self.name} cannot synchronise: {error.code}")
            finally:
                self._synchronising = False

    def truth(self) -> sqlite3.Connection:
        """A plain connection to its database, for the checks: it bypasses all of our code."""
        return self.disk.look(DATABASE)

    def index(self, holder: Holder) -> bytes:
        """By which its database finds the card of a holder."""
        return blind_index(self._key, holder.card.card_id.encode())

    def opened(self, column: str, number: str, sealed: bytes) -> dict[str, Any]:
        """What a sealed column of one operation holds."""
        place = f"operation/{column}/{number}".encode()
        content: dict[str, Any] = json.loads(self._sealer.open(sealed, place))
        return content

    def has_changed(self) -> bool:
        """Whether its database was written to since this was asked."""
        looking = self.truth()
        seen = id(looking), looking.execute("PRAGMA data_version").fetchone()[0]
        before, self._seen = self._seen, seen
        return seen != before

    def _observed(
        self, visit: Visit, holder: Holder, decided: Decided
    ) -> Callable[[Function], Decision]:
        admit = visit.admit

        def observed(function: Function) -> Decision:
            decision = admit(function)
            decided(self, holder, decision)
            return decision

        return observed

    def _bury(self) -> None:
        """Clear away what is left of a dead process, and put its disk as the kill left it."""
        if self.terminal is not None:
            self.terminal.close()
            self.terminal = None
        self.disk.restart()

    def _module_torn(self, tear: Tear) -> None:
        self._story.hit(f"PSAM: {tear.value}", f"the PSAM of {self.name}: {tear.value}")

    def _hit(self, trouble: Trouble, moment: Moment) -> None:
        what = trouble.value if trouble is not Trouble.KILL else f"{trouble.value} {moment.value}"
        self._story.hit(what, f"{self.name}: {trouble.value} {moment.value}")
