"""The sessions of callers: one for each reader, each with its lease."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from apdu.connection import Reader
from apdu.status import NoCard
from terminal.agent.card_thread import CardThread
from terminal.agent.errors import Ending, ReaderTaken, SessionUnknown
from terminal.agent.guard import Caller
from terminal.agent.readers import Readers
from terminal.app import Terminal
from terminal.session import CardSession

_ID_BYTES = 16
_JOIN_SECONDS = 10.0


@dataclass(slots=True)
class Session:
    """One caller's hold on one card. Only the caller that opened it may use it."""

    id: str
    reader: str
    caller: Caller = field(repr=False)
    thread: CardThread = field(repr=False)


class Sessions:
    """All open sessions. Thread-safe."""

    def __init__(
        self, terminal: Terminal, readers: Readers, *, random: Callable[[int], bytes]
    ) -> None:
        self._terminal = terminal
        self._readers = readers
        self._random = random
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}
        self._ending = False

    @property
    def busy(self) -> bool:
        """Whether somebody is being served."""
        return bool(self._open)

    def open(self, caller: Caller, wanted: str | None, *, wait: float, lease: float) -> Session:
        """Begin with the card in the reader `wanted`; the session's `opened` tells how that went.

        Raises `ReaderTaken`, `ReaderNotFound`, `ReaderAmbiguous` or `ServiceUnavailable`.
        """
        reader = self._readers.find(wanted)
        session_id = self._random(_ID_BYTES).hex()
        thread = CardThread(
            self._terminal,
            lambda: self._card(reader, wait),
            face=caller.face,
            lease=lease,
            ended=lambda: self._forget(session_id),
        )
        session = Session(session_id, reader.name, caller, thread)
        with self._lock:
            if self._ending:
                raise Ending("no new sessions")
            if any(other.reader == reader.name for other in self._open.values()):
                raise ReaderTaken(f"{reader.name} is in another session")
            self._open[session_id] = session
        thread.start()
        return session

    def find(self, session_id: str, caller: Caller) -> Session:
        """The caller's session. Raises `SessionUnknown`, also for another caller's."""
        with self._lock:
            session = self._open.get(session_id)
        if session is None or session.caller.id != caller.id:
            raise SessionUnknown("there is no such session")
        return session

    def card_left(self, reader: str) -> None:
        """End the session at a reader whose card was taken out, or that went away itself."""
        with self._lock:
            gone = [one for one in self._open.values() if not reader or one.reader == reader]
        for session in gone:
            if session.thread.opened.done():
                session.thread.close()

    def close(self) -> None:
        """End all of them and begin no more."""
        with self._lock:
            self._ending = True
            left = list(self._open.values())
        for session in left:
            session.thread.close()
        for session in left:
            session.thread.join(_JOIN_SECONDS)

    def _card(self, reader: Reader, wait: float) -> CardSession:
        if not reader.wait_for_card(wait):
            raise NoCard(f"{reader.name}: no card within {wait:g} seconds")
        exclusive = self._terminal.settings.reader.exclusive
        return CardSession.open(reader, self._terminal.sam, exclusive=exclusive)

    def _forget(self, session_id: str) -> None:
        with self._lock:
            self._open.pop(session_id, None)
