"""The back office of a world: a process on its own disk, which can die and be started again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend_client.errors import NoReply, Unreachable
from backend_client.transport import Reply, Request
from simulator import city
from simulator.backoffice.api import Api
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.database import open_engine
from simulator.clock import SimulatedClock
from simulator.office import Office, OfficeRefused
from simulator.world.chance import Chance
from simulator.world.disk import Disk, Fuse, Moment, Trouble, write_files
from simulator.world.founding import CENTRE_FILE, SEALING_KEY, founding
from simulator.world.kill import Killed
from simulator.world.story import Story
from simulator.world.warm import warm

_STAFF = "world-staff"


class Centre:
    """The back office, and its staff. `up` tells whether its process runs."""

    def __init__(
        self, directory: Path, clock: SimulatedClock, chance: Chance, story: Story
    ) -> None:
        write_files(directory, founding().centre)
        self.up = False
        self.disk = Disk(directory, self._hit)
        self._clock = clock
        self._random = chance.bytes
        self._story = story
        self._office = Office(self, _STAFF)
        self.start()

    def start(self) -> None:
        """Start the process, on what its disk has kept."""
        if self.up:
            return
        self.disk.restart()
        engine = open_engine(f"sqlite:///{self.disk.directory / CENTRE_FILE}", self.disk.connect)
        self._backoffice = BackOffice(
            engine,
            now=self._clock.now,
            random=self._random,
            sealing_key=SEALING_KEY,
            figures=founding().figures,
            rules=city.RULES,
        )
        warm(engine)
        self._api = Api(self._backoffice, admin_token=_STAFF)
        self.up = True

    def stop(self) -> None:
        """The power of its machine fails."""
        self.disk.cut()
        self._bury()

    def close(self) -> None:
        """The world ends."""
        self.disk.look_away()
        if self.up:
            self._backoffice.close()
            self.up = False

    def send(self, request: Request) -> Reply:
        """Answer a request. Raises `Unreachable` when it is down, `NoReply` when it dies of it."""
        if not self.up:
            raise Unreachable("the back office is down")
        try:
            return self._api.dispatch(request)
        except Killed:
            self._bury()
            raise NoReply("the back office died") from None

    def send_dangerously(self, request: Request, step: int) -> Reply:
        """Answer a request, and die at that durable step of it, if there are so many."""
        self.disk.burn(Fuse(step, Trouble.KILL))
        try:
            return self.send(request)
        finally:
            self.disk.defuse()

    @contextmanager
    def staffed(self) -> Iterator[Office]:
        """The staff do something; what the back office refuses is told and nothing more."""
        try:
            yield self._office
        except OfficeRefused as refused:
            self._story.tell(f"the back office refuses: {refused.code}")
        except (Unreachable, NoReply):
            self._story.tell("the staff find the back office down")

    def truth(self) -> sqlite3.Connection:
        """A plain connection to its database, for the checks: it bypasses all of our code."""
        return self.disk.look(CENTRE_FILE)

    def _bury(self) -> None:
        self.up = False
        self._backoffice.close()
        self.disk.restart()

    def _hit(self, trouble: Trouble, moment: Moment) -> None:
        what = f"back office: {trouble.value} {moment.value}"
        self._story.hit(what, what)
