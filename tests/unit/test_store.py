"""The store: how it is made, opened, locked, migrated, and how it fails."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, select, text
from sqlalchemy.exc import IntegrityError

from backend_client.entry_set import EntrySet
from backend_client.list_messages import IDENTITY, BlacklistEntry
from backend_client.sealing import Sealer
from terminal.clock import SHANGHAI, SystemClock
from terminal.errors import (
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreKeyWrong,
    StoreLocked,
    StoreTooNew,
    StoreUnavailable,
)
from terminal.store import migrate
from terminal.store.blacklist import BlacklistStore
from terminal.store.faults import store_error
from terminal.store.journal import Journal
from terminal.store.outbox import Outbox
from terminal.store.schema import FORBIDDEN, REVISIONS, audit, meta, metadata
from terminal.store.store import DATABASE, KEY_FILE, Store

KEY = bytes(range(32))
NOW = datetime(2026, 3, 4, 10, tzinfo=SHANGHAI)
posix_only = pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")

Open = Callable[..., Store]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens stores in `tmp_path`, and closes them in the end."""
    stores: list[Store] = []

    def open_store(directory: Path = tmp_path, *, key: bytes | None = KEY) -> Store:
        store = Store.open(directory, random=Random(1).randbytes, key=key)
        stores.append(store)
        return store

    yield open_store
    for store in stores:
        store.close()


def pragma(connection: Connection, name: str) -> object:
    return connection.execute(text(f"PRAGMA {name}")).scalar()


def test_a_new_store_is_durable_private_and_strict(tmp_path: Path, opened: Open) -> None:
    store = opened(tmp_path / "new" / "place")
    with store.reading() as connection:
        assert pragma(connection, "journal_mode") == "wal"
        assert pragma(connection, "synchronous") == 2  # FULL
        assert pragma(connection, "foreign_keys") == 1
        assert pragma(connection, "secure_delete") == 1
        assert migrate.stored_revision(connection) == REVISIONS[-1]


@posix_only
def test_only_the_owner_may_read_what_is_stored(tmp_path: Path, opened: Open) -> None:
    opened(tmp_path / "new", key=None).put("x", {})
    directory = tmp_path / "new"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for file in directory.iterdir():
        if file.name != "terminal.lock":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_values_come_back_and_are_sealed_on_disk(tmp_path: Path, opened: Open) -> None:
    store = opened()
    assert store.get("note") is None
    store.put("note", {"name": "张三"})
    store.put("note", {"name": "李四"})
    assert store.get("note") == {"name": "李四"}
    store.close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as raw:
        stored = raw.execute("SELECT value FROM meta WHERE name='note'").fetchone()[0]
    assert "李四".encode() not in stored
    assert opened().get("note") == {"name": "李四"}


def test_a_sealed_value_in_another_place_does_not_open(opened: Open) -> None:
    store = opened()
    store.put("a", {"v": 1})
    with store.writing() as connection:
        sealed = connection.execute(select(meta.c.value).where(meta.c.name == "a")).scalar()
        connection.execute(meta.insert().values(name="b", value=sealed))
    with pytest.raises(StoreDamaged, match="meta/value/b"):
        store.get("b")


def test_a_failed_transaction_leaves_nothing(opened: Open) -> None:
    store = opened()

    def interrupted() -> None:
        with store.writing() as connection:
            store.put("a", {"v": 1}, connection)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.get("a") is None


def test_two_terminals_never_share_a_store(tmp_path: Path, opened: Open) -> None:
    first = opened()
    with pytest.raises(StoreLocked, match=str(tmp_path)):
        opened()
    first.close()
    opened()


def test_a_process_that_dies_leaves_neither_a_lock_nor_half_a_transaction(tmp_path: Path) -> None:
    script = f"""
import os, random
from pathlib import Path
from terminal.store.store import Store
store = Store.open(Path({str(tmp_path)!r}), random=random.Random(1).randbytes)
store.put("done", {{}})
with store.writing() as connection:
    store.put("half", {{}}, connection)
    os._exit(9)
"""
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == 9
    with Store.open(tmp_path, random=Random(2).randbytes) as store:
        assert store.get("done") == {}
        assert store.get("half") is None


def test_the_key_is_made_once_and_kept_beside_the_database(tmp_path: Path, opened: Open) -> None:
    opened(key=None).close()
    made = (tmp_path / KEY_FILE).read_text()
    assert len(bytes.fromhex(made.strip())) == 32
    opened(key=None).close()
    assert (tmp_path / KEY_FILE).read_text() == made
    raw = (tmp_path / DATABASE).read_bytes()
    assert bytes.fromhex(made.strip()) not in raw
    assert made.strip().encode() not in raw


def test_another_key_is_refused(opened: Open) -> None:
    opened().close()
    with pytest.raises(StoreKeyWrong, match="does not belong"):
        opened(key=bytes(32))


def test_a_lost_key_is_not_replaced_by_a_new_one(tmp_path: Path, opened: Open) -> None:
    opened(key=None).close()
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(StoreKeyWrong, match="missing"):
        opened(key=None)
    assert not (tmp_path / KEY_FILE).exists()


@pytest.mark.parametrize("written", ["", "00" * 31, "zz" * 32, "\xff"])
def test_a_broken_key_file_is_refused(tmp_path: Path, opened: Open, written: str) -> None:
    file = tmp_path / KEY_FILE
    file.write_text(written, "latin-1")
    file.chmod(0o600)
    with pytest.raises(StoreKeyWrong) as caught:
        opened(key=None)
    assert not written or written not in str(caught.value)


@posix_only
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, opened: Open) -> None:
    opened(key=None).close()
    (tmp_path / KEY_FILE).chmod(0o640)
    with pytest.raises(StoreKeyWrong, match="chmod 600"):
        opened(key=None)


def test_a_directory_that_cannot_be_made(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        opened(tmp_path / "file" / "store")


@pytest.mark.parametrize("damage", ["head", "page", "other"])
def test_a_damaged_database_is_named_as_such(tmp_path: Path, opened: Open, damage: str) -> None:
    store = opened()
    for number in range(50):
        store.put(f"value{number}", {"v": "x" * 200})
    store.close()
    file = tmp_path / DATABASE
    raw = bytearray(file.read_bytes())
    if damage == "head":
        raw[:16] = bytes(16)
    elif damage == "page":
        raw[8192:12288] = b"\xa5" * 4096
    else:
        raw = bytearray()
    file.write_bytes(raw)
    if damage == "other":
        with closing(sqlite3.connect(file)) as foreign:
            foreign.execute("CREATE TABLE somebody_elses (x)")
    with pytest.raises(StoreDamaged):
        opened()
    with pytest.raises(StoreDamaged):  # and the lock was given back
        opened()


def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path, opened: Open) -> None:
    opened().close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as raw:
        raw.execute("UPDATE alembic_version SET version_num='9999'")
        raw.commit()
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(StoreTooNew, match="9999"):
        opened()
    assert (tmp_path / DATABASE).read_bytes() == before


def test_no_room_for_the_index_of_the_log_is_a_full_disk() -> None:
    """As a terminal meets it that starts on a full disk."""
    cause = sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    cause.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    assert isinstance(store_error(cause), StoreFull)


def test_a_full_disk_is_told_and_nothing_is_half_written(opened: Open) -> None:
    store = opened()
    store.put("before", {"v": 1})
    with store.reading() as connection:
        pages = pragma(connection, "page_count")
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        driver = connection.connection.driver_connection
    assert driver is not None

    def write_much() -> None:
        with store.writing() as connection:
            store.put("small", {}, connection)
            store.put("large", {"v": "x" * 100_000}, connection)

    with pytest.raises(StoreFull):
        write_much()
    driver.execute("PRAGMA max_page_count=100000")
    assert store.get("small") is None
    assert store.get("before") == {"v": 1}
    write_much()
    assert store.get("small") == {}


def test_append_only_tables_refuse_change_whoever_asks(tmp_path: Path, opened: Open) -> None:
    store = opened()
    with store.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO audit (at, face, function, outcome) VALUES ('t', 'f', 'x', 'admitted')"
            )
        )
    for statement in ("UPDATE audit SET face='g'", "DELETE FROM audit"):
        with pytest.raises(IntegrityError, match="append-only"), store.writing() as connection:
            connection.execute(text(statement))
    with store.reading() as connection:
        assert connection.execute(select(audit.c.face)).scalars().all() == ["f"]
        triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type='trigger'"))
        assert set(triggers.scalars()) == {f"{t}_no_{a.lower()}" for t, a in FORBIDDEN}


def schema_of(file: Path) -> set[tuple[str, str]]:
    """Tables by their columns, everything else by its SQL."""
    found: set[tuple[str, str]] = set()
    with closing(sqlite3.connect(file)) as raw:
        for kind, name, sql in raw.execute("SELECT type, name, sql FROM sqlite_master"):
            if kind == "table":
                found.update(
                    (name, str(column)) for column in raw.execute(f"PRAGMA table_info({name})")
                )
                keys = raw.execute(f"PRAGMA foreign_key_list({name})")
                found.update((name, f"foreign key {key}") for key in keys)
            else:
                found.add((name, str(sql)))
    return found


def test_migrations_lead_to_the_schema_of_a_new_store(tmp_path: Path, opened: Open) -> None:
    opened(tmp_path / "new").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'led.sqlite'}")
    migrate.migrate(engine, KEYED)
    engine.dispose()
    assert schema_of(tmp_path / "led.sqlite") == schema_of(tmp_path / "new" / DATABASE)


def test_what_every_visit_asks_reads_only_the_rows_it_is_about(
    tmp_path: Path, opened: Open
) -> None:
    store = opened(tmp_path)
    asked: list[str] = []
    event.listen(
        store.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: asked.append(statement),
    )
    Journal(store, SystemClock(), "990100000001").is_reversing("1")
    Outbox(store, SystemClock()).waiting()
    plans = []
    with closing(sqlite3.connect(tmp_path / DATABASE)) as raw:
        for statement in [one for one in asked if one.startswith("SELECT")]:
            values = ["1"] * statement.count("?")
            plans += [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any("USING INDEX event_reversing" in plan for plan in plans)
    assert any("outbox_waiting" in plan for plan in plans)


class NoKey:
    """For revisions that seal nothing."""

    def check_key(self) -> None: ...

    def index(self, text: str) -> bytes:
        raise AssertionError(text)

    def seal(self, value: Mapping[str, Any], context: str) -> bytes:
        raise AssertionError(context)

    def unseal(self, sealed: bytes, context: str) -> dict[str, Any]:
        raise AssertionError(context)

    def seal_bytes(self, data: bytes, context: str) -> bytes:
        raise AssertionError(context)


KEYED = NoKey()


def make_0001(file: Path) -> None:
    """A store as the first revision left it, with something in it."""
    engine = create_engine(f"sqlite:///{file}")
    migrate.migrate(engine, KEYED, "0001")
    engine.dispose()
    sealer = Sealer(KEY, Random(3).randbytes)
    with closing(sqlite3.connect(file)) as raw:
        for name, value in (("key_check", b"{}"), ("note", b'{"kept":true}')):
            sealed = sealer.seal(value, f"meta/value/{name}".encode())
            raw.execute("INSERT INTO meta VALUES (?, ?)", (name, sealed))
        raw.execute(
            "INSERT INTO audit (at, face, function, outcome) VALUES "
            "('2026-01-01T00:00:00.000000+00:00', 'console', 'read', 'admitted')"
        )
        raw.commit()


def test_an_older_store_is_copied_aside_and_led_up(tmp_path: Path, opened: Open) -> None:
    make_0001(tmp_path / DATABASE)
    before = schema_of(tmp_path / DATABASE)
    store = opened()
    assert store.get("note") == {"kept": True}
    with store.reading() as connection:
        assert migrate.stored_revision(connection) == REVISIONS[-1]
        assert connection.execute(select(audit.c.face)).scalars().all() == ["console"]
        assert connection.execute(text("SELECT count(*) FROM card_status")).scalar() == 0
    copy = tmp_path / f"{DATABASE}.0001.bak"
    assert schema_of(copy) == before
    with closing(sqlite3.connect(copy)) as raw:
        assert raw.execute("SELECT count(*) FROM audit").fetchone() == (1,)
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


def test_a_migration_that_fails_leaves_the_older_store(tmp_path: Path, opened: Open) -> None:
    make_0001(tmp_path / DATABASE)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as raw:
        raw.execute("CREATE TABLE card_status (in_the_way)")
        raw.commit()
    before = schema_of(tmp_path / DATABASE)
    with pytest.raises(StoreError):
        opened()
    assert schema_of(tmp_path / DATABASE) == before


CARD_ID = "990100d15600000500000001ffffffff"
LISTED = BlacklistEntry(
    CARD_ID[:IDENTITY], None, None, "temporary_loss",
    ("social_security", "transport"), "refuse", NOW, NOW + timedelta(days=5),
)  # fmt: skip
ENTRIES = (
    LISTED,
    replace(LISTED, card_id=None, number_from="A12345678", number_to="A12345678"),
    replace(LISTED, card_id=None, number_from="B00000007", number_to="B99999997"),
    replace(LISTED, number_from="C12345678", number_to="C12345678"),
)


def make_0002(file: Path) -> None:
    """A store as the second revision left it, with a blacklist in force, in clear."""
    make_0001(file)
    engine = create_engine(f"sqlite:///{file}")
    migrate.migrate(engine, KEYED, "0002")
    engine.dispose()
    head = {
        "issuer": "urn:example:centre", "version": 3, "set_hash": bytes(32).hex(),
        "issued_at": NOW.isoformat(), "expires_at": (NOW + timedelta(days=7)).isoformat(),
        "regions": ["990100"], "covered_until": NOW.isoformat(), "entries": len(ENTRIES),
    }  # fmt: skip
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("INSERT INTO blacklist VALUES (1, ?, ?)", (json.dumps(head), NOW.isoformat()))
        for number, entry in enumerate(ENTRIES, 1):
            card_id = entry.card_id and CARD_ID
            begin = entry.valid_from.isoformat() if entry.valid_from else None
            until = entry.valid_until.isoformat() if entry.valid_until else None
            raw.execute(
                "INSERT INTO blacklist_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(f"L{number}", card_id, entry.number_from, entry.number_to),
                    *(entry.reason, " ".join(entry.scope), entry.action),
                    *(begin, until),
                ),
            )
        raw.commit()


def in_clear(directory: Path) -> set[str]:
    """The card identifiers of `ENTRIES` that can be read in the store's own files."""
    files = (file for file in directory.glob(f"{DATABASE}*") if file.suffix != ".bak")
    raw = b"".join(file.read_bytes() for file in files)
    named = {x for e in ENTRIES for x in (e.card_id and CARD_ID, e.number_from, e.number_to) if x}
    return {x for x in named if x.encode() in raw}


@pytest.mark.article(25)
def test_the_blacklist_of_an_older_store_stays_in_force_and_is_sealed(
    tmp_path: Path, opened: Open
) -> None:
    make_0002(tmp_path / DATABASE)
    assert len(in_clear(tmp_path)) == 5, "the test sees what is in clear"
    store = opened()
    index = BlacklistStore(store)
    loaded = index.load()
    assert loaded is not None
    assert loaded.entries == EntrySet.of(ENTRIES)
    assert loaded.entries.hash == loaded.set_hash
    assert index.keys() == ()
    assert len(index.find(CARD_ID, "C12345678")) == 2
    assert index.find(CARD_ID, "C12345679") == (LISTED.terms,)
    assert index.find("0" * 32, "A12345678") == (LISTED.terms,)
    assert index.find("0" * 32, "B55555555") == (LISTED.terms,)
    assert index.find("0" * 32, "C12345678") == ()
    left = EntrySet.of(ENTRIES[2:3])
    index.apply(replace(loaded, version=4, set_hash=left.hash, entries=left), NOW)
    assert index.find("0" * 32, "A12345678") == (), "what was led up can be taken off again"
    store.close()
    assert in_clear(tmp_path) == set()


def test_with_a_wrong_key_an_older_store_is_left_alone(tmp_path: Path, opened: Open) -> None:
    make_0002(tmp_path / DATABASE)
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(StoreKeyWrong):
        opened(key=bytes(32))
    with closing(sqlite3.connect(tmp_path / DATABASE)) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("0002",)
        assert raw.execute("SELECT count(*) FROM blacklist_entry").fetchone() == (4,)
    assert not (tmp_path / f"{DATABASE}.0002.bak").exists()
    assert len(before) == (tmp_path / DATABASE).stat().st_size
    opened()


def test_alembic_is_not_imported_for_a_store_that_is_up_to_date(tmp_path: Path) -> None:
    script = f"""
import random, sys
from pathlib import Path
from terminal.store.store import Store
for _ in range(2):
    Store.open(Path({str(tmp_path)!r}), random=random.Random(1).randbytes).close()
sys.exit("alembic" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_newest_revision_is_the_last_one_declared() -> None:
    versions = Path(migrate.__file__).parent / "migrations" / "versions"
    assert sorted(f.name[1:5] for f in versions.glob("r*.py")) == list(REVISIONS)
    assert "card_status" in metadata.tables
