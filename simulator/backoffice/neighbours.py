"""Other processes over the same PostgreSQL database: what one publishes rings the bell of all.

Publishing notifies within its transaction, so the database tells the others when that is committed
and not before. Each process waits for it on a connection of its own. SQLite is for one process:
another one over the same file would hear of a version only when somebody asks.
"""

from __future__ import annotations

import logging
import select
import socket
from contextlib import closing
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, func
from sqlalchemy import select as query
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from simulator.backoffice.bell import Bell

log = logging.getLogger(__name__)

_CHANNEL = "ssct_blacklist"
_AGAIN_SECONDS = 5.0


def tell(session: Session, who: str) -> None:
    """Have the database notify all who listen once the session's transaction is committed."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(query(func.pg_notify(_CHANNEL, who)))


class Neighbours:
    """Rings `bell` for what other processes publish, from `open` to `close`.

    A database that goes away is asked again after a pause; what was missed meanwhile rings then.
    """

    def __init__(self, engine: Engine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell
        self._stopping = Event()
        self._waker, self._woken = socket.socketpair()
        self._thread = Thread(target=self._run, name="neighbours", daemon=True)

    def __enter__(self) -> Neighbours:
        if self._engine.dialect.name == "postgresql":
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._waker.send(b".")
        if self._thread.is_alive():
            self._thread.join()
        self._waker.close()
        self._woken.close()

    def _run(self) -> None:
        from psycopg import Error

        while not self._stopping.is_set():
            try:
                with closing(self._listening()) as connection:
                    self._bell.ring()
                    self._hear(connection)
            except (Error, DBAPIError) as error:
                log.warning("neighbours cannot be heard: %s", type(error).__name__)
                self._stopping.wait(_AGAIN_SECONDS)

    def _listening(self) -> Any:  # noqa: ANN401  # psycopg's, which is an extra
        """A connection that nobody else uses and on which notifications arrive."""
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        connection.autocommit = True
        connection.execute(f"LISTEN {_CHANNEL}")
        return connection

    def _hear(self, connection: Any) -> None:  # noqa: ANN401  # likewise
        while not self._stopping.is_set():
            select.select([connection, self._woken], [], [])
            told = [one.payload for one in connection.notifies(timeout=0)]
            if any(who != self._bell.name for who in told):
                self._bell.ring()
