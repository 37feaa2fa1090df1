"""What the back office wants of a clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable


class Clock(Protocol):
    """Wall time."""

    def now(self) -> datetime:
        """The present instant, timezone-aware."""
        ...


@runtime_checkable
class MovableClock(Clock, Protocol):
    """A simulated clock, which can be told to go on."""

    def advance(self, duration: timedelta) -> None:
        """Let time pass."""
        ...

    @property
    def runs(self) -> bool:
        """Whether time passes by itself too."""
        ...

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, which is quick, whenever time was moved; the answer ends that."""
        ...
