"""How often a caller may call: a bucket that fills evenly and is emptied call by call."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from terminal.agent.errors import TooManyCalls

_MOST_CALLERS = 1_024


class RateLimit:
    """`per_minute` calls a minute for each caller, at once or spread. Thread-safe."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count one call. Raises `TooManyCalls`."""
        now, rate = self._monotonic(), self._per_minute / 60
        with self._lock:
            left, at = self._buckets.pop(caller, (float(self._per_minute), now))
            left = min(self._per_minute, left + (now - at) * rate)
            if left < 1:
                self._buckets[caller] = left, now
                raise TooManyCalls((1 - left) / rate)
            self._buckets[caller] = left - 1, now
            # Who has not called for longest has a full bucket again, or is one of very many.
            while len(self._buckets) > _MOST_CALLERS:
                self._buckets.popitem(last=False)
