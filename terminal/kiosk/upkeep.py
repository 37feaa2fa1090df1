"""Keeps clock and blacklist up to date while the kiosk serves, and ends what was left open.

A thread of its own that never touches a card. It works only while nobody is being served: a list
changes between visits, not within one (facts 4.4); applying one is atomic all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from terminal.app import Terminal

log = logging.getLogger(__name__)

EVERY = 300.0
"""Seconds between two synchronisations."""

WHEN_BUSY = 20.0
"""Seconds after which a kiosk that was busy is looked at again."""


class Upkeep:
    """Synchronises `terminal` from time to time, when `idle()` says that nobody is served."""

    def __init__(
        self, terminal: Terminal, idle: Callable[[], bool], *, every: float = EVERY
    ) -> None:
        self._terminal = terminal
        self._idle = idle
        self._every = every
        self._ending = Event()
        self._thread = Thread(target=self._run, name="kiosk-upkeep", daemon=True)

    def start(self) -> None:
        """Begin, at once with a first synchronisation."""
        self._thread.start()

    def close(self) -> None:
        """End, after the exchange that is going on."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._ending.wait(pause):
            pause = self._every if self.once() else WHEN_BUSY

    def once(self) -> bool:
        """Synchronise if nobody is served; False when somebody is. Never raises."""
        if not self._idle():
            return False
        try:
            self._terminal.sync()
            self._terminal.resolve_unknown()
        except Exception:
            log.exception("the upkeep did not work; it is tried again")
        return True
