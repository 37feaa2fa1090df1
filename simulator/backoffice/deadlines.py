"""Deadlines raise events when they pass: overdue duties (10, 11, 23) and lapsed losses (18).

`Deadlines` writes down what has passed and says when the next one will. `DeadlineWatch` has that
done at the time: it waits for the next deadline and for nothing else, and is woken by a new one, or
by a simulated clock that was moved. What passed while the back office was off is written when it
starts. Several processes may watch over one database; each event is still written once.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Thread

from simulator.backoffice.bell import Bell
from simulator.backoffice.clocks import Clock, MovableClock
from simulator.backoffice.database import Database
from simulator.backoffice.errors import Refused
from simulator.backoffice.overdue import Overdue
from simulator.backoffice.register import Register

log = logging.getLogger(__name__)

_AT_ONCE = 500
"""How many events one transaction writes, so that nobody waits long for it at midnight."""

_AGAIN = timedelta(seconds=30)
"""When to try again after the database would not do it."""

_LONGEST = timedelta(hours=1)
"""After how long at the latest to look again: somebody may have set the clock, or another process
over this database may have ended and left its deadlines to this one."""


class Deadlines:
    """All deadlines of one back office. Safe to share between threads.

    `bell` rings when there is a new one, and when some have passed and are written down.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        register: Register,
        overdue: Overdue,
        bell: Bell,
    ) -> None:
        self.bell = bell
        self.now = now
        self._database = database
        self._register = register
        self._overdue = overdue

    def raise_passed(self) -> datetime | None:
        """Write down every deadline that has passed; when the next one will, None for never."""
        while True:
            with self._database.transaction() as session:
                now = self.now()
                lapses = self._register.note_lapses(session, now, _AT_ONCE)
                overdue = self._overdue.note(session, now, _AT_ONCE)
                if lapses or overdue:
                    self.bell.ring_after(session)
                coming = (self._register.next_lapse(session), self._overdue.next_due(session))
            due = min((each for each in coming if each is not None), default=None)
            if due is None or due > now:
                return due


class DeadlineWatch:
    """Raises what has passed on a thread of its own, from `with` on to its end."""

    def __init__(self, deadlines: Deadlines, clock: Clock) -> None:
        self._deadlines = deadlines
        self._clock = clock
        self._stopping = False
        self._thread = Thread(target=self._run, name="deadline watch", daemon=True)
        self._leave: Callable[[], None] = lambda: None

    def __enter__(self) -> DeadlineWatch:
        if isinstance(self._clock, MovableClock):
            self._leave = self._clock.listen(self._deadlines.bell.ring)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        self._stopping = True
        self._deadlines.bell.ring()
        self._thread.join()

    def _run(self) -> None:
        bell = self._deadlines.bell
        rung = bell.rung
        while not self._stopping:
            due = self._raised()
            bell.wait(rung, self._seconds_to(due))
            rung = bell.rung

    def _raised(self) -> datetime | None:
        """Raise what has passed; when to look again."""
        try:
            return self._deadlines.raise_passed()
        except Refused as refused:
            log.warning("passed deadlines could not be raised: %s", refused.code)
        except Exception as error:
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s in\n%s", type(error).__name__, frames)  # noqa: TRY400
        return self._deadlines.now() + _AGAIN

    def _seconds_to(self, due: datetime | None) -> float | None:
        """How long to wait; None where the clock stands until it is moved."""
        if isinstance(self._clock, MovableClock) and not self._clock.runs:
            return None
        left = _LONGEST if due is None else min(due - self._deadlines.now(), _LONGEST)
        return max(left.total_seconds(), 0)
