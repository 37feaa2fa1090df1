"""A bell that rings when there is news, after the end of the transaction that has brought it.

One rings for a new version of the blacklist, another one for a new deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from uuid import uuid4

from sqlalchemy import event
from sqlalchemy.orm import Session

from simulator.backoffice.neighbours import tell

Listener = Callable[[], None]


class Bell:
    """Wakes whoever waits for news. Safe to share between threads.

    `name` tells this process from others over the same database, and decides nothing else.
    """

    def __init__(self) -> None:
        self.name = uuid4().hex
        self._rung = 0
        self._ringing = Condition()
        self._listeners: list[Listener] = []

    @property
    def rung(self) -> int:
        """How often it has rung: to be asked for before one looks, and given to `wait`."""
        with self._ringing:
            return self._rung

    def ring_after(self, session: Session) -> None:
        """Ring once when the session's transaction is committed, and not if it is undone.

        It rings in the other processes over the same database too (`neighbours`).
        """
        tell(session, self.name)
        event.listen(session, "after_commit", lambda _session: self.ring(), once=True)

    def ring(self) -> None:
        """Wake everybody."""
        with self._ringing:
            self._rung += 1
            self._ringing.notify_all()
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def wait(self, rung: int, seconds: float | None) -> bool:
        """Wait until it has rung more often than `rung`; False when it has not in that time.

        None waits however long it takes.
        """
        with self._ringing:
            return self._ringing.wait_for(lambda: self._rung > rung, seconds)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener`, which must not take long, at each ring; the answer ends that."""
        with self._ringing:
            self._listeners.append(listener)

        def leave() -> None:
            with self._ringing:
                self._listeners.remove(listener)

        return leave
