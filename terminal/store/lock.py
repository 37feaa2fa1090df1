"""One process, one store: a lock that the operating system drops when its holder dies.

It is the exclusive lock of an empty SQLite file beside the store, because SQLite already knows how
to lock a file on every system that this program runs on.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from terminal.errors import StoreLocked, StoreUnavailable


class StoreLock:
    """Held from construction to `release`. Raises `StoreLocked` when somebody else holds it."""

    def __init__(self, file: Path) -> None:
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                file, timeout=0, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode=MEMORY")  # leave no file behind but the lock
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise StoreLocked(f"another process works in {file.parent}") from error
            raise StoreUnavailable(f"cannot lock {file}: {error}") from error
        self._connection = connection

    def release(self) -> None:
        """Let the next one in. May be called more than once."""
        self._connection.close()
