"""What happened in a world, told so that a person can follow it; and what was hit how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from simulator.clock import SimulatedClock

Coverage = Counter[tuple[str, str]]
"""(what was going on, what hit it) -> how often."""


class Story:
    """The lines of one world, with the world's time, and its coverage.

    Nothing of this machine (paths, addresses, times) may be told: the same seed tells the same.
    """

    def __init__(self, clock: SimulatedClock) -> None:
        self.lines: list[str] = []
        self.coverage: Coverage = Counter()
        self._clock = clock
        self._depth = 0
        self._doing: list[str] = []

    def tell(self, what: str) -> None:
        """Add a line."""
        self.lines.append(f"{self._clock.now():%d.%m. %H:%M:%S}  {'  ' * self._depth}{what}")

    def hit(self, by: str, what: str) -> None:
        """Tell that something went wrong, and count it for what is going on."""
        self.coverage[self._doing[-1] if self._doing else "at rest", by] += 1
        self.tell(f"! {what}")

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """What is counted meanwhile is counted for `what`, and told beneath it."""
        self.coverage[what, "played"] += 1
        self._doing.append(what)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self._doing.pop()
