"""SQLite's failures as the store's typed errors.

The codes are those of https://www.sqlite.org/rescode.html; the low byte is the primary code.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, IntegrityError

from terminal.errors import StoreDamaged, StoreError, StoreFull, StoreLocked, StoreUnavailable

_ERRORS: dict[int, type[StoreError]] = {
    sqlite3.SQLITE_BUSY: StoreLocked,
    sqlite3.SQLITE_LOCKED: StoreLocked,
    sqlite3.SQLITE_CORRUPT: StoreDamaged,
    sqlite3.SQLITE_NOTADB: StoreDamaged,
    sqlite3.SQLITE_FULL: StoreFull,
    sqlite3.SQLITE_PERM: StoreUnavailable,
    sqlite3.SQLITE_READONLY: StoreUnavailable,
    sqlite3.SQLITE_IOERR: StoreUnavailable,
    sqlite3.SQLITE_CANTOPEN: StoreUnavailable,
}

# What the primary code would not say: there is no room for the index of the write-ahead log.
_EXTENDED: dict[int, type[StoreError]] = {sqlite3.SQLITE_IOERR_SHMSIZE: StoreFull}


@contextmanager
def typed_faults() -> Iterator[None]:
    """Turn a failure of the database inside the block into a `StoreError`.

    A broken constraint stays an `IntegrityError`: the caller asked for it and knows what it means.
    """
    try:
        yield
    except IntegrityError:
        raise
    except DatabaseError as error:
        raise store_error(error.orig) from error
    except sqlite3.DatabaseError as error:
        raise store_error(error) from error


def store_error(cause: BaseException | None) -> StoreError:
    """The typed error for what SQLite raised."""
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return StoreUnavailable(f"the database failed: {type(cause).__name__}")
    name = getattr(cause, "sqlite_errorname", str(code))
    kind = _EXTENDED.get(code) or _ERRORS.get(code & 0xFF, StoreUnavailable)
    return kind(f"the database failed: {name}")
