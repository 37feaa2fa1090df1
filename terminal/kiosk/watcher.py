"""Waits at the reader, in a thread of its own, and tells the inbox of cards that come and go.

It blocks in the reader; it never touches a card. A reader that went away is told once, tried again
after a pause that grows, and told again when it is back.
"""

from __future__ import annotations

import logging
from threading import Event, Thread

from apdu.connection import Reader
from apdu.status import CardError
from terminal.kiosk.inbox import CardCame, CardLeft, Inbox, ReaderTrouble

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds of one wait: how long ending may take."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class ReaderWatcher:
    """Follows one reader until it is closed."""

    def __init__(self, reader: Reader, inbox: Inbox, *, patience: float = PATIENCE) -> None:
        self._reader = reader
        self._inbox = inbox
        self._patience = patience
        self._ending = Event()
        self._thread = Thread(target=self._watch, name="reader-watcher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; takes as long as one wait at most."""
        self._ending.set()
        self._thread.join(2 * self._patience + _LONGEST_PAUSE)

    def _watch(self) -> None:
        present = False
        pause = 0.0
        while not self._ending.is_set():
            try:
                if present:
                    changed = self._reader.wait_for_removal(self._patience)
                else:
                    changed = self._reader.wait_for_card(self._patience)
            except CardError as error:
                if not pause:
                    log.warning("the reader is away: %s", error.code)
                    if present:
                        self._inbox.put(CardLeft())
                    self._inbox.put(ReaderTrouble(error))
                present = False
                pause = min(max(2 * pause, _FIRST_PAUSE), _LONGEST_PAUSE)
                self._ending.wait(pause)
                continue
            if pause:
                pause = 0.0
                self._inbox.put(ReaderTrouble(None))
            if changed:
                present = not present
                self._inbox.put(CardCame() if present else CardLeft())
