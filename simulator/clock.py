"""A clock that stands still until told to move: the demo's, the simulation's and the tests'."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


class SimulatedClock:
    """Wall clock, monotonic clock and sleep in one, all moved by `advance` alone.

    `start` is a timezone-aware instant; `now` reports it in Shanghai time. Threads may share one
    clock: moving it is atomic.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a simulated clock starts at a timezone-aware instant")
        self._start = start.astimezone(SHANGHAI)
        self._elapsed = timedelta()
        self._lock = Lock()
        self._listeners: list[Callable[[], None]] = []

    @property
    def runs(self) -> bool:
        """Whether time passes by itself too."""
        return False

    def now(self) -> datetime:
        """The present instant, timezone-aware, in Asia/Shanghai."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed.total_seconds()

    def advance(self, duration: timedelta) -> None:
        """Move time forward. Raises `ValueError` for a negative duration: time does not return."""
        if duration < timedelta():
            raise ValueError("a simulated clock does not go backwards")
        with self._lock:
            self._elapsed += duration
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever time was moved; the answer ends that."""
        with self._lock:
            self._listeners.append(listener)

        def leave() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return leave

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once. Raises `ValueError` when they are negative."""
        self.advance(timedelta(seconds=seconds))


class RunningClock(SimulatedClock):
    """A simulated clock that also runs: `seconds` tells how much time passes by itself.

    For a developer who looks on: time passes as on the wall, and can be moved forward besides.
    """

    def __init__(self, start: datetime, seconds: Callable[[], float]) -> None:
        super().__init__(start)
        self._seconds = seconds
        self._began = seconds()

    @property
    def runs(self) -> bool:
        """Whether time passes by itself too."""
        return True

    def now(self) -> datetime:
        """The present instant."""
        return super().now() + timedelta(seconds=self._ran())

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return super().monotonic() + self._ran()

    def _ran(self) -> float:
        return self._seconds() - self._began
