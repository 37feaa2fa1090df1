"""The store: one SQLite file, opened by one process, written durably.

Write-ahead log, every commit synced to the disk (`synchronous=FULL`), foreign keys enforced, what
is deleted overwritten. All writers of this process take turns; readers do not wait for them.
Journal, blacklist, audit trail and the rest are written on top of `reading`, `writing` and the
single values of `meta`.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, create_engine, event, select, text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import URL

from backend_client.errors import SealBroken
from backend_client.sealing import Sealer, blind_index
from terminal.errors import StoreDamaged, StoreKeyWrong, StoreUnavailable
from terminal.store.faults import typed_faults
from terminal.store.key import create_key, load_key
from terminal.store.lock import StoreLock
from terminal.store.migrate import bring_up_to_date
from terminal.store.schema import meta

log = logging.getLogger(__name__)

DATABASE = "terminal.sqlite"
KEY_FILE = "terminal.key"
LOCK_FILE = "terminal.lock"

_KEY_CHECK = "key_check"

# Statements that are made once: putting one together takes longer than having SQLite execute it.
_GET = select(meta.c.value).where(meta.c.name == bindparam("wanted"))
_INSERT = insert(meta)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=["name"], set_={"value": _INSERT.excluded.value}
)

Disk = Callable[..., sqlite3.Connection]
"""What makes the connections to a SQLite file: `sqlite3.Connection`, or one of its kind."""

_SYNCED = "synced"
"""Whether a connection waits for the disk, in what SQLAlchemy keeps with it."""


class Store:
    """An open store. Make one with `Store.open`, and close it."""

    def __init__(
        self, engine: Engine, key: bytes, random: Callable[[int], bytes], lock: StoreLock
    ) -> None:
        self.engine = engine
        self.random = random
        self._key = key
        self._sealer = Sealer(key, random)
        self._lock = lock
        self._writers = RLock()
        self._writer = {
            synced: engine.execution_options(immediate=True, synced=synced)
            for synced in (True, False)
        }

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        random: Callable[[int], bytes],
        key: bytes | None = None,
        key_file: Path | None = None,
        disk: Disk = sqlite3.Connection,
    ) -> Store:
        """Open the store in `directory`, making it on first use.

        The key is `key`, or else what is in `key_file` (default: beside the database), which is
        made together with the store. `random(n)` gives n unpredictable bytes. `disk` makes the
        connections to the database's file; the simulation hands in one that fails.

        Raises `StoreUnavailable`, `StoreLocked`, `StoreTooNew`, `StoreDamaged`, `StoreFull` or
        `StoreKeyWrong`; an older store is migrated after a copy was put beside it.
        """
        _make_directory(directory)
        lock = StoreLock(directory / LOCK_FILE)
        try:
            file = directory / DATABASE
            key = key or _key(key_file or directory / KEY_FILE, file, random)
            return cls._open(file, key, random, lock, disk)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _open(
        cls, file: Path, key: bytes, random: Callable[[int], bytes], lock: StoreLock, disk: Disk
    ) -> Store:
        _make_private(file)
        engine = _engine(file, disk)
        try:
            with typed_faults():
                _check_pages(engine)
                store = cls(engine, key, random, lock)
                bring_up_to_date(engine, file, store)
                store.check_key()
                return store
        except BaseException:
            engine.dispose()
            raise

    def close(self) -> None:
        """Give the file back. May be called more than once."""
        self.engine.dispose()
        self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the store. Raises `StoreError`."""
        with typed_faults(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, synced: bool = True) -> Iterator[Connection]:
        """A transaction; durable when the block ends, undone when it raises.

        One that is not `synced` outlives the program at once, and a power cut from the next synced
        one on: for what can be found out again, where waiting for the disk would keep people
        waiting. Raises `StoreFull` and the other `StoreError`s; then nothing was written.
        """
        with self._writers, typed_faults(), self._writer[synced].begin() as connection:
            yield connection

    def index(self, text: str) -> bytes:
        """The 32 bytes by which the store finds a card id, or another text, without knowing it.

        A card id stands for itself; whatever else is looked up so says what it is: `number/...`.
        """
        return blind_index(self._key, text.encode())

    def seal(self, value: Mapping[str, Any], context: str) -> bytes:
        """A JSON object, sealed for one place: table, column and row."""
        data = json.dumps(dict(value), ensure_ascii=False, separators=(",", ":")).encode()
        return self.seal_bytes(data, context)

    def unseal(self, sealed: bytes, context: str) -> dict[str, Any]:
        """The JSON object that was sealed for this place. Raises `StoreDamaged`."""
        value: dict[str, Any] = json.loads(self.unseal_bytes(sealed, context))
        return value

    def seal_bytes(self, data: bytes, context: str) -> bytes:
        """Bytes, sealed for one place."""
        return self._sealer.seal(data, context.encode())

    def unseal_bytes(self, sealed: bytes, context: str) -> bytes:
        """The bytes that were sealed for this place. Raises `StoreDamaged`."""
        try:
            return self._sealer.open(sealed, context.encode())
        except SealBroken:
            raise StoreDamaged(f"a sealed value does not open: {context}") from None

    def get(self, name: str, connection: Connection | None = None) -> dict[str, Any] | None:
        """A single value, None when it was never put. Raises `StoreDamaged`."""
        if connection is None:
            with self.reading() as own:
                return self.get(name, own)
        sealed = connection.execute(_GET, {"wanted": name}).scalar()
        return None if sealed is None else self.unseal(sealed, f"meta/value/{name}")

    def put(
        self, name: str, value: Mapping[str, Any], connection: Connection | None = None
    ) -> None:
        """Keep a single JSON object, sealed."""
        if connection is None:
            with self.writing() as own:
                return self.put(name, value, own)
        sealed = self.seal(value, f"meta/value/{name}")
        connection.execute(_PUT, {"name": name, "value": sealed})
        return None

    def check_key(self) -> None:
        """Raise `StoreKeyWrong` unless the key is the one this store was made with."""
        try:
            known = self.get(_KEY_CHECK)
        except StoreDamaged:
            raise StoreKeyWrong("the key does not belong to this store") from None
        if known is None:
            self.put(_KEY_CHECK, {})


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"cannot make {directory}: {error.strerror}") from error


def _make_private(file: Path) -> None:
    """Have the database readable by its owner only; SQLite gives its other files the same mode."""
    try:
        file.touch(mode=0o600)
    except OSError as error:
        raise StoreUnavailable(f"cannot write {file}: {error.strerror}") from error


def _key(key_file: Path, database: Path, random: Callable[[int], bytes]) -> bytes:
    """The key of an existing store, or a new one for a new store."""
    if key_file.exists() or (database.exists() and database.stat().st_size):
        return load_key(key_file)
    return create_key(key_file, random)


def _engine(file: Path, disk: Disk) -> Engine:
    url = URL.create("sqlite", database=str(file))
    engine = create_engine(url, hide_parameters=True, connect_args={"factory": disk})

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, below
        for pragma in (
            "busy_timeout=5000",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        immediate, synced = options.get("immediate", False), options.get("synced", True)
        if connection.info.get(_SYNCED, True) is not synced:
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
            connection.info[_SYNCED] = synced
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _check_pages(engine: Engine) -> None:
    """Raise `StoreDamaged` when SQLite finds its file broken."""
    with engine.connect() as connection:
        verdict = connection.execute(text("PRAGMA quick_check(1)")).scalar()
    if verdict != "ok":
        raise StoreDamaged("the database file is broken")
