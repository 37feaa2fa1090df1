"""Time, handed in: nothing below the command line asks the machine for it.

Instants are timezone-aware. Days, hours and operation numbers are those of Shanghai.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")

_DAY = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}")


class Clock(Protocol):
    """Wall time, steady time, and waiting."""

    def now(self) -> datetime:
        """The present instant, timezone-aware."""
        ...

    def monotonic(self) -> float:
        """Seconds from some start, never going back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since the machine started, or thereabouts."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def local(instant: datetime) -> datetime:
    """`instant` in Shanghai time.

    Raises `ValueError` for an instant without a time zone: such a one could mean any.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(SHANGHAI)


def day_of(text: str) -> date:
    """The day of this system's times (2000 to 2999) that is written YYYY-MM-DD.

    Raises `ValueError`.
    """
    if _DAY.fullmatch(text) is None:
        raise ValueError("a day is written YYYY-MM-DD")
    return date.fromisoformat(text)
