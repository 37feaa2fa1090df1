"""The network between one terminal and the back office, on which anything may happen to a message.

What is late arrives after its sender has given up, between other messages, which it thereby
overtakes or is overtaken by: the post holds it until then.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from backend_client.errors import NoReply, Unreachable
from backend_client.transport import Reply, Request
from simulator.clock import SimulatedClock
from simulator.world.centre import Centre
from simulator.world.kill import Killed
from simulator.world.story import Story

TIMEOUT = timedelta(seconds=60)
"""How long a terminal waits for an answer (`[backend] total_timeout`)."""


class Mishap(Enum):
    """What happens to one message."""

    NOT_CONNECTED = "no connection"
    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    SENT_TWICE = "sent twice"
    LATE = "request late"
    COPY_LATE = "copy arrives later"
    GARBLED = "answer garbled"
    KILLED_UNSENT = "terminal killed before it left"
    KILLED_SENT = "terminal killed before the answer"


class Luck(Protocol):
    """Decides what happens to a message."""

    def mishap(self, request: Request) -> Mishap | None:
        """What happens to this message."""
        ...

    def delay(self) -> timedelta:
        """How late a late message is, beyond the time-out."""
        ...

    def centre_dies_at(self) -> int | None:
        """The durable step at which the back office dies of the next message, if it does."""
        ...


class Post:
    """The messages that are still under way, of all terminals."""

    def __init__(self, clock: SimulatedClock, centre: Centre, story: Story) -> None:
        self._clock = clock
        self._centre = centre
        self._story = story
        self._late: list[tuple[datetime, int, str, Request]] = []
        self._count = 0
        self._delivering = False

    @property
    def waiting(self) -> tuple[str, ...]:
        """The paths of the messages under way, in the order of their arrival."""
        return tuple(_path(request) for _, _, _, request in sorted(self._late, key=lambda m: m[:2]))

    def hold(self, sender: str, request: Request, delay: timedelta) -> None:
        """Let a request arrive later."""
        self._count += 1
        due = self._clock.now() + delay
        heapq.heappush(self._late, (due, self._count, sender, request))

    def deliver(self, *, all_of_it: bool = False) -> None:
        """Let arrive what is due by now, or everything. Nobody waits for the answers."""
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._late and (all_of_it or self._late[0][0] <= self._clock.now()):
                _, _, sender, request = heapq.heappop(self._late)
                answer = self._arrive(request)
                self._story.tell(f"~ late from {sender}: {_path(request)} -> {answer}")
        finally:
            self._delivering = False

    def _arrive(self, request: Request) -> str:
        """What became of it; nobody hears it."""
        try:
            return str(self._centre.send(request).status)
        except (Unreachable, NoReply):
            return "back office down"


class Wire:
    """The line of one terminal: a `backend_client.transport.Transport`.

    `alive` raises `Killed` when the terminal is dead, `die` kills it; `meanwhile` lets other things
    happen while a message is under way.
    """

    def __init__(
        self,
        name: str,
        clock: SimulatedClock,
        centre: Centre,
        post: Post,
        story: Story,
        luck: Luck,
        *,
        alive: Callable[[], None],
        die: Callable[[], None],
        meanwhile: Callable[[], None],
    ) -> None:
        self.connected = True
        self.planned: deque[tuple[int, Mishap]] = deque()
        self.paths: list[str] = []
        self._name = name
        self._clock = clock
        self._centre = centre
        self._post = post
        self._story = story
        self._luck = luck
        self._alive = alive
        self._die = die
        self._meanwhile = meanwhile

    def send(self, request: Request) -> Reply:
        """See `Transport.send`."""
        self._alive()
        self._meanwhile()
        self._alive()
        self._post.deliver()
        path = _path(request)
        mishap = self._mishap(request)
        self.paths.append(path)
        if not self.connected:
            raise Unreachable("the network is cut")
        if mishap is not None:
            self._story.hit(mishap.value, f"{self._name}: {path}: {mishap.value}")
        return self._carry(request, mishap)

    def _mishap(self, request: Request) -> Mishap | None:
        """What is planned for this message, counted by how many were sent, else what luck says."""
        if self.planned and self.planned[0][0] == len(self.paths):
            return self.planned.popleft()[1]
        return self._luck.mishap(request)

    def _carry(self, request: Request, mishap: Mishap | None) -> Reply:
        match mishap:
            case Mishap.NOT_CONNECTED:
                raise Unreachable("no connection")
            case Mishap.REQUEST_LOST:
                raise self._given_up()
            case Mishap.ANSWER_LOST:
                self._arrive(request)
                raise self._given_up()
            case Mishap.SENT_TWICE:
                self._arrive(request)
                return self._arrive(request)
            case Mishap.LATE:
                self._post.hold(self._name, request, TIMEOUT + self._luck.delay())
                raise self._given_up()
            case Mishap.COPY_LATE:
                reply = self._arrive(request)
                self._post.hold(self._name, request, self._luck.delay())
                return reply
            case Mishap.GARBLED:
                self._arrive(request)
                return Reply(200, b'{"portal": "please log in"}')
            case Mishap.KILLED_UNSENT:
                self._die()
                raise Killed
            case Mishap.KILLED_SENT:
                self._arrive(request)
                self._die()
                raise Killed
            case None:
                return self._arrive(request)

    def _arrive(self, request: Request) -> Reply:
        step = self._luck.centre_dies_at()
        if step is None:
            return self._centre.send(request)
        return self._centre.send_dangerously(request, step)

    def _given_up(self) -> NoReply:
        self._story.tell(f"{self._name} waits in vain")
        self._clock.advance(TIMEOUT)
        return NoReply("no answer in time")


def _path(request: Request) -> str:
    return request.path.partition("?")[0]
