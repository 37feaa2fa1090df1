"""Whether the terminal's clock can be believed.

Blacklist ages and losses that lift by themselves are only as good as the clock. It loses trust when
it goes back behind what this store has seen, or moves otherwise than the machine's steady time, or
differs from the back office; it regains trust when the back office's time agrees with it.

What it gained or lost against steady time adds up from one confirmation by the back office to the
next, so that it cannot be walked forward in small steps. While the program is off there is no
steady time to compare with. Forward, a clock may then have been set to anything: therefore it
counts as not `confirmed` from each start until the back office has agreed. Admission makes this of
it: losses do not lift by that clock. Nothing else is stopped, because nothing else becomes possible
when a clock runs ahead; blacklist and status only look older than they are.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

from terminal.clock import Clock
from terminal.store.store import Store

TOLERANCE = timedelta(minutes=5)
"""Differences up to this are ordinary drift."""

_MARK = "clock"
_WRITE_EVERY = timedelta(minutes=1)


class ClockGuard:
    """Watches one clock across restarts. Ask `trusted` before a decision."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._looking = Lock()
        self._since, self._steady_since = clock.now(), clock.monotonic()
        self._confirmed = False

    @property
    def confirmed(self) -> bool:
        """Whether the back office has agreed with this clock since the program began."""
        return self._confirmed

    def trusted(self) -> bool:
        """Look at the clock, remember what was seen, and say whether it can be believed."""
        with self._looking:
            now = self._clock.now()
            drifted = self._drifted(now)
            latest, trusted = self._mark(now)
            if not trusted:
                return False
            if drifted or now < latest - TOLERANCE:
                self._put(latest, trusted=False)
                return False
            if now - latest >= _WRITE_EVERY:
                self._put(now, trusted=True)
            return True

    def confirm(self, server_now: datetime) -> bool:
        """Compare with the back office's time; that settles whether the clock is believed."""
        with self._looking:
            now = self._clock.now()
            self._since, self._steady_since = now, self._clock.monotonic()
            trusted = abs(now - server_now) <= TOLERANCE
            self._confirmed = trusted
            self._put(now if trusted else server_now, trusted=trusted)
            return trusted

    def _drifted(self, now: datetime) -> bool:
        """Whether wall time moved otherwise than steady time since start or last confirmation."""
        passed = timedelta(seconds=self._clock.monotonic() - self._steady_since)
        return abs(now - self._since - passed) > TOLERANCE

    def _mark(self, now: datetime) -> tuple[datetime, bool]:
        """The latest instant seen, and whether the clock was believed then."""
        kept = self._store.get(_MARK)
        if kept is None:
            self._put(now, trusted=True)
            return now, True
        return datetime.fromisoformat(kept["latest"]), bool(kept["trusted"])

    def _put(self, latest: datetime, *, trusted: bool) -> None:
        self._store.put(_MARK, {"latest": latest.isoformat(), "trusted": trusted})
