"""The simulated disk keeps what was synced, and nothing that was written later."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from simulator.world.disk import Disk, Fuse, Moment, Trouble
from simulator.world.kill import Killed

FILE = "test.sqlite"


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    made = Disk(tmp_path, lambda _trouble, _moment: None)
    connection = _open(made)
    connection.execute("CREATE TABLE numbers (number INTEGER)")
    connection.close()
    made.moments.clear()
    return made


def test_what_was_committed_and_synced_survives_a_kill(disk: Disk) -> None:
    connection = _open(disk)
    _write(connection, 1)
    _write(connection, 2)
    disk.cut()
    connection.close()
    disk.restart()

    assert _numbers(disk) == [1, 2]


def test_a_commit_that_was_not_synced_is_gone(disk: Disk) -> None:
    connection = _open(disk)
    _write(connection, 1)
    connection.close()
    disk.moments.clear()
    lax = _open(disk, "NORMAL")
    _write(lax, 2)
    assert _numbers(disk) == [1, 2]
    disk.cut()
    lax.close()
    disk.restart()

    assert _numbers(disk) == [1]


@pytest.mark.parametrize(
    ("step", "moment", "left"),
    [(0, Moment.STATEMENT, []), (1, Moment.COMMIT, []), (2, Moment.COMMITTED, [7])],
)
def test_a_kill_falls_before_the_statement_before_the_commit_or_after_it(
    step: int, moment: Moment, left: list[int], disk: Disk
) -> None:
    connection = _open(disk)
    disk.burn(Fuse(step, Trouble.KILL))
    with pytest.raises(Killed):
        _write(connection, 7)
    assert disk.moments[-1] is moment
    connection.close()
    disk.restart()

    assert _numbers(disk) == left


def test_what_a_dead_process_still_writes_changes_nothing(disk: Disk) -> None:
    connection = _open(disk)
    disk.cut()
    with pytest.raises(Killed):
        _write(connection, 1)
    with pytest.raises(Killed):
        connection.commit()
    connection.close()
    disk.restart()

    assert _numbers(disk) == []


def test_a_full_disk_fails_as_often_as_told_and_then_works(disk: Disk) -> None:
    connection = _open(disk)
    disk.burn(Fuse(0, Trouble.FULL, times=2))
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError) as caught:
            _write(connection, 1)
        assert caught.value.sqlite_errorcode == sqlite3.SQLITE_FULL
        connection.rollback()
    _write(connection, 2)

    assert _numbers(disk) == [2]


def test_an_unsure_commit_is_done_and_fails(disk: Disk) -> None:
    connection = _open(disk)
    disk.burn(Fuse(0, Trouble.UNSURE))
    with pytest.raises(sqlite3.OperationalError):
        _write(connection, 3)

    assert _numbers(disk) == [3]


def _open(disk: Disk, synchronous: str = "FULL") -> sqlite3.Connection:
    connection = disk.connect(disk.directory / FILE, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    return connection


def _write(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO numbers VALUES (?)", (number,))
    connection.commit()


def _numbers(disk: Disk) -> list[int]:
    rows = disk.look(FILE).execute("SELECT number FROM numbers ORDER BY number")
    found = [row[0] for row in rows]
    disk.look_away()
    return found
