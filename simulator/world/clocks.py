"""One simulated clock for the world, and the clocks on the walls, which may be set wrongly."""

from __future__ import annotations

from datetime import datetime, timedelta

from simulator.clock import SimulatedClock


class WallClock:
    """The clock of one machine: the world's, stepped by `offset`. Steady time cannot be stepped."""

    def __init__(self, world: SimulatedClock) -> None:
        self._world = world
        self.offset = timedelta()

    def now(self) -> datetime:
        """What this clock shows."""
        return self._world.now() + self.offset

    def monotonic(self) -> float:
        """Seconds since the world began."""
        return self._world.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let the world go on."""
        self._world.sleep(seconds)
