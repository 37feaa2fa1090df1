"""Following the blacklist in the background: for faces that run for long.

A `Follower` has a thread of its own, which asks again and again what is new and lets the back
office answer when there is something (Article 18: the function freezes at once). It never touches a
card. After a failure it waits longer and longer, by chance, so that a back office that comes back
is not met by everybody at once. `stop` ends it at any time, also in the middle of a question.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Protocol

from backend_client.errors import BackendError
from backend_client.transport import Transport
from terminal.app import Terminal
from terminal.errors import TerminalError, explain
from terminal.synchronisation import SyncReport

_GLANCE = 0.1

log = logging.getLogger(__name__)

Heard = Callable[[SyncReport], None]


class PatientTransport(Transport, Protocol):
    """A transport whose questions may take long, and can be ended from another thread."""

    def interrupt(self) -> None:
        """Have the question that waits for its answer end now."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of the pauses after failures.

    A pause is random between half its bound and the bound, which doubles from `first_pause` up to
    `longest_pause`.
    """

    first_pause: float = 1.0
    longest_pause: float = 60.0


class Source(Protocol):
    """Where news comes from. One thread asks, another may interrupt."""

    def next(self) -> SyncReport:
        """Wait for news, take it, and say what came of it.

        Raises `StoreError`, and `BackendError` where there is nothing to say.
        """
        ...

    def interrupt(self) -> None:
        """Have `next` come back now."""
        ...


class LongPoll:
    """News by questions that the back office answers when there is something."""

    def __init__(self, terminal: Terminal, transport: PatientTransport, wait: float) -> None:
        self._terminal = terminal
        self._transport = transport
        self._wait = wait

    def next(self) -> SyncReport:
        """See `Source.next`."""
        return self._terminal.follow(self._transport, self._wait)

    def interrupt(self) -> None:
        """See `Source.interrupt`."""
        self._transport.interrupt()


class Follower:
    """Keeps the blacklist of a terminal up to date until it is stopped.

    `heard` is called on the follower's thread after each answer, with what came of it; it must not
    take long. `random(n)` gives n unpredictable bytes.
    """

    def __init__(
        self,
        source: Source,
        *,
        random: Callable[[int], bytes],
        pace: Pace | None = None,
        heard: Heard | None = None,
    ) -> None:
        self._source = source
        self._random = random
        self._pace = pace or Pace()
        self._heard = heard
        self._state = Condition()
        self._stopping = False
        self._last: SyncReport | None = None
        self._thread: Thread | None = None

    def start(self) -> Follower:
        """Begin to follow."""
        self._thread = Thread(target=self._run, name="blacklist follower", daemon=True)
        self._thread.start()
        return self

    def stop(self, patience: float = 10.0) -> bool:
        """End it, and wait up to `patience` seconds for its thread; whether that has ended."""
        with self._state:
            self._stopping = True
            self._state.notify_all()
        for _ in range(math.ceil(patience / _GLANCE)):
            self._source.interrupt()  # again and again: it may just have been about to ask
            if self._thread is not None:
                self._thread.join(_GLANCE)
            if not self.is_running:
                return True
        return False

    @property
    def is_running(self) -> bool:
        """Whether its thread is there."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def last(self) -> SyncReport | None:
        """What came of the last answer, None before the first."""
        with self._state:
            return self._last

    def wait_for(self, version: int, patience: float) -> bool:
        """Wait until a version at least as new is in force; False when it is not in that time."""
        with self._state:
            return self._state.wait_for(lambda: self._is_at(version), patience)

    def __enter__(self) -> Follower:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _is_at(self, version: int) -> bool:
        return self._last is not None and (self._last.after or -1) >= version

    def _run(self) -> None:
        failures = 0
        while not self._stopping:
            failed = self._once()
            failures = failures + 1 if failed else 0
            if failures:
                with self._state:
                    self._state.wait_for(lambda: self._stopping, self._pause(failures))

    def _once(self) -> bool:
        """Ask once; whether that failed."""
        try:
            report = self._source.next()
        except (TerminalError, BackendError) as error:
            log.error("the blacklist cannot be followed: %s", explain(error).code)  # noqa: TRY400
            return True
        if self._stopping:
            return False
        with self._state:
            self._last = report
            self._state.notify_all()
        if self._heard is not None:
            self._heard(report)
        return report.error is not None

    def _pause(self, failures: int) -> float:
        bound = min(self._pace.longest_pause, self._pace.first_pause * 2.0 ** (failures - 1))
        return bound * (0.5 + int.from_bytes(self._random(4), "big") / 2**33)
