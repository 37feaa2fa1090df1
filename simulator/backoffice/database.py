"""The back office's database: opening it, and one serialisable transaction a request.

SQLite by default, PostgreSQL by its URL. On both, transactions come one after the other. On SQLite
each begins by taking the write lock, in WAL mode with full synchronisation, so what was answered is
on disk. On PostgreSQL each begins by locking one table, which several processes over one database
wait for in turn; behind that lock the isolation level SERIALIZABLE holds against anybody who does
not take it. A transaction that cannot be done now leaves nothing behind and is refused as
BUSY, which promises the terminal that nothing happened. Once COMMIT was sent only the database can
promise that; when it fails without doing so the refusal is INTERNAL, which promises nothing.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from simulator.backoffice.errors import DatabaseUnavailable, Refused, SchemaMismatch
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import SCHEMA_VERSION, Base, Meta

log = logging.getLogger(__name__)

_VERSION = "schema_version"
_TURN = Meta.__tablename__
_BUSY_MILLISECONDS = 5000
_CONNECT_SECONDS = 10

_SERIALISATION_FAILURES = frozenset({"40001", "40P01"})
"""SQLSTATEs with which a database says that it has undone a transaction (ISO 9075, class 40)."""

_TAKEN = frozenset({"23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})
"""A unique value that somebody else was quicker to use."""


def open_engine(url: str, disk: Callable[..., sqlite3.Connection] | None = None) -> Engine:
    """An engine for a database URL. Raises `DatabaseUnavailable`, which never shows the URL.

    `sqlite:///FILE`, `sqlite://` for one in memory, or `postgresql://USER@HOST/NAME`. `disk` makes
    the connections to a SQLite file; the simulation hands in one that fails.
    """
    try:
        wanted = make_url(url)
        match wanted.get_backend_name():
            case "sqlite":
                return _sqlite(url, {} if disk is None else {"factory": disk})
            case "postgresql":
                return _postgresql(wanted)
            case other:
                raise DatabaseUnavailable(f"a database of the kind {other} is not supported")
    except (ArgumentError, ImportError) as error:
        raise DatabaseUnavailable(f"not a usable database URL: {type(error).__name__}") from None


class Database:
    """An engine whose tables are there and of this version."""

    def __init__(self, engine: Engine) -> None:
        """Make the tables of an empty database, check those of another.

        Raises `SchemaMismatch` or `DatabaseUnavailable`.
        """
        self.engine = engine
        # SQLite lets one write at a time; waiting here is fair, waiting there is not.
        self._turn = Lock() if engine.dialect.name == "sqlite" else nullcontext()
        try:
            self._prepare()
        except SchemaMismatch:
            self.close()
            raise
        except DBAPIError as error:
            self.close()
            name = type(error.orig).__name__
            raise DatabaseUnavailable(f"the database cannot be used: {name}") from None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose work is committed at the end, or undone by an exception.

        It has begun on the database, alone, when the body starts, so an instant taken
        in the body is not before that of a transaction that was committed earlier. Raises `Refused`
        BUSY when the database cannot do it now and INTERNAL when it may or may not have done it.
        """
        with self._turn, Session(self.engine) as session:
            try:
                self._alone(session.connection())
                yield session
                session.flush()
            except DBAPIError as error:  # nothing was committed
                if not _may_pass(error):
                    raise
                log.warning("a transaction was given up: %s", type(error.orig).__name__)
                raise Refused(Refusal.BUSY) from None
            _commit(session)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _alone(self, connection: Connection) -> None:
        """Wait until no other transaction goes on; SQLite has done that when it began.

        LOCK TABLE is the one way: unlike any query it takes no snapshot (PostgreSQL, SQL commands,
        LOCK), so what was committed while this waited is seen.
        """
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"LOCK TABLE {_TURN} IN SHARE ROW EXCLUSIVE MODE")

    def _prepare(self) -> None:
        if not inspect(self.engine).has_table(Meta.__tablename__):
            Base.metadata.create_all(self.engine)
        with Session(self.engine) as session, session.begin():
            version = session.get(Meta, _VERSION)
            if version is None:
                session.add(Meta(name=_VERSION, value=str(SCHEMA_VERSION).encode()))
            elif version.value != str(SCHEMA_VERSION).encode():
                found = version.value.decode("ascii", "replace")
                raise SchemaMismatch(f"schema version {found}, expected {SCHEMA_VERSION}")


def _commit(session: Session) -> None:
    """Commit what has been flushed. Raises `Refused` BUSY or INTERNAL."""
    try:
        session.commit()
    except DBAPIError as error:
        name = type(error.orig).__name__
        if _state(error) in _SERIALISATION_FAILURES:
            log.warning("a commit was given up: %s", name)
            raise Refused(Refusal.BUSY) from None
        log.error("it is not known whether a commit was done: %s", name)  # noqa: TRY400
        raise Refused(Refusal.INTERNAL) from None


def _may_pass(error: DBAPIError) -> bool:
    """Whether what failed before COMMIT may go well at another time: locks, races, full disks.

    Two that race for one key are among them; any other broken constraint is a fault of ours.
    """
    if isinstance(error, IntegrityError):
        return _state(error) in _TAKEN
    return isinstance(error, OperationalError) or _state(error) in _SERIALISATION_FAILURES


def _state(error: DBAPIError) -> str | None:
    """The driver's own code of an error: an SQLSTATE, or SQLite's name for it."""
    for name in ("sqlstate", "pgcode", "sqlite_errorname"):
        state = getattr(error.orig, name, None)
        if isinstance(state, str):
            return state
    return None


def _postgresql(url: URL) -> Engine:
    """Over psycopg, whatever driver the URL names; a connection that has died is replaced."""
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="SERIALIZABLE",
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "options": f"-c lock_timeout={_BUSY_MILLISECONDS}",
        },
    )


def _sqlite(url: str, connect_args: Mapping[str, Any]) -> Engine:
    if url in ("sqlite://", "sqlite:///:memory:"):
        options = {"poolclass": StaticPool}
        connect_args = {**connect_args, "check_same_thread": False}
    else:
        options = {}
    engine = create_engine(url, hide_parameters=True, connect_args=dict(connect_args), **options)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401  # any driver's
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin` does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    cursor.close()


def _begin(connection: Any) -> None:  # noqa: ANN401  # any driver's
    connection.exec_driver_sql("BEGIN IMMEDIATE")
