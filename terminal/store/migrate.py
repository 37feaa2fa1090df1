"""Making a store, and leading an older one to the newest revision.

A fresh store is made at the newest revision at once. An older one is copied aside first, then led
up in one transaction, so a crash leaves either the old store or the new one. Alembic is imported
only when there is something to lead.

Some revisions seal what was in clear: they are given the store's key, as a `Keyed`, which has been
checked before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, inspect, text

from terminal.errors import StoreDamaged, StoreTooNew
from terminal.store.key import sync_directory
from terminal.store.schema import REVISIONS, metadata

NEWEST = REVISIONS[-1]


class Keyed(Protocol):
    """What a revision needs of a store with its key. See `Store`."""

    def check_key(self) -> None:
        """Raise `StoreKeyWrong` unless the key is the store's."""
        ...

    def index(self, text: str) -> bytes:
        """The blind index of a text, 32 bytes."""
        ...

    def seal(self, value: Mapping[str, Any], context: str) -> bytes:
        """A JSON object, sealed for one place."""
        ...

    def unseal(self, sealed: bytes, context: str) -> dict[str, Any]:
        """The JSON object that was sealed for this place. Raises `StoreDamaged`."""
        ...

    def seal_bytes(self, data: bytes, context: str) -> bytes:
        """Bytes, sealed for one place."""
        ...


def bring_up_to_date(engine: Engine, file: Path, keyed: Keyed) -> None:
    """Make the tables, or migrate them after copying `file` aside.

    Raises `StoreTooNew` for a revision this program does not know, `StoreDamaged` for a database
    that is not a store, and `StoreKeyWrong` before anything is changed with a wrong key.
    """
    with engine.connect() as connection:
        revision = stored_revision(connection)
    if revision is None:
        with engine.begin() as connection:
            _create(connection)
    elif revision != NEWEST:
        keyed.check_key()
        back_up(file, revision)
        migrate(engine, keyed)


def stored_revision(connection: Connection) -> str | None:
    """The store's revision, None for an empty database."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreDamaged("the database is not a store of this program")
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision not in REVISIONS:
        raise StoreTooNew(f"the store has revision {revision}, this program knows {NEWEST}")
    return str(revision)


def back_up(file: Path, revision: str) -> Path:
    """Copy the store aside, complete and durable, and return the copy's path."""
    copy = file.with_name(f"{file.name}.{revision}.bak")
    draft = file.with_name(f"{copy.name}.new")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(draft)) as target:
        draft.chmod(0o600)
        target.execute("PRAGMA synchronous=FULL")
        source.backup(target)
    draft.replace(copy)
    sync_directory(file.parent)
    return copy


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(
        text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    )
    connection.execute(text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": NEWEST})


def migrate(engine: Engine, keyed: Keyed, target: str = NEWEST) -> None:
    """Lead the store of `engine` up to the revision `target`, all or nothing."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        config.attributes["keyed"] = keyed
        command.upgrade(config, target)
