"""The disk of one simulated process: it counts what touches it, and fails where it is told to.

A `Disk` makes SQLite's connections. Before each statement that writes, and before and after each
commit of one that has written, it looks at its fuse: there the process is killed, the disk is full,
or a commit that was done is reported as failed. What counts as kept is what a power cut leaves:
the database file and the write-ahead log up to the last commit that was synced. Both are taken
aside at the very moment, so nothing that runs while the dead process unwinds can still change them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, cast

from simulator.world.kill import Killed

_FULL = 2
"""`PRAGMA synchronous` of a database whose commits are synced (3, EXTRA, is more of it)."""

_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER"})
_LOG = "-wal"
_NOT_KEPT = ("-shm", ".lock")


class Moment(Enum):
    """Where a process can be hit while it writes."""

    STATEMENT = "before a statement"
    COMMIT = "before a commit"
    COMMITTED = "after a commit"


class Trouble(Enum):
    """What hits it."""

    KILL = "process killed"
    FULL = "disk full"
    UNSURE = "commit reported failed"


@dataclass(frozen=True, slots=True)
class Fuse:
    """`trouble` comes at the `step`-th moment from now (0: the next), and so often."""

    step: int
    trouble: Trouble
    times: int = 1


class Disk:
    """A directory, and the SQLite connections of the process that works in it.

    `on_trouble` hears of what hits the process. `steps` counts the moments so far, `moments` keeps
    which they were, and `has_failed` is whether anything has hit the process that runs now.
    """

    def __init__(self, directory: Path, on_trouble: Callable[[Trouble, Moment], None]) -> None:
        self.directory = directory
        self.alive = True
        self.moments: list[Moment] = []
        self.has_failed = False
        self._on_trouble = on_trouble
        self._fuse: Fuse | None = None
        self._end: Mapping[str, bytes] = {}
        self._synced: dict[str, int] = {}
        self._looking: sqlite3.Connection | None = None

    @property
    def steps(self) -> int:
        """How many moments there were since the disk was made or last restarted."""
        return len(self.moments)

    def burn(self, fuse: Fuse) -> None:
        """Let trouble come."""
        self._fuse = fuse

    def defuse(self) -> None:
        """Let no trouble come after all."""
        self._fuse = None

    def connect(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:  # noqa: ANN401  # sqlite3's
        """A connection on this disk: `factory` of `sqlite3.connect`."""
        self.breathe()
        file = str(args[0])
        if _size(Path(file + _LOG)) == 0:
            self._synced.pop(file, None)  # whoever closed it last has put the log into the database
        connection = _Connection(*args, **kwargs)
        connection.disk = self
        return connection

    def breathe(self) -> None:
        """Raise `Killed` when the process is dead."""
        if not self.alive:
            raise Killed

    def cut(self) -> None:
        """The process dies; what it has kept stays."""
        if self.alive:
            self.alive = False
            self._end = dict(self._kept())

    def restart(self) -> None:
        """Begin again from what the dead process has left. Its connections must be closed."""
        if self.alive:
            return
        self.look_away()
        for file in self.directory.iterdir():
            file.unlink()
        write_files(self.directory, self._end)
        # What has survived one power cut survives the next.
        self._synced = {str(self.directory / name): len(content) for name, content in self._logs()}
        self.alive, self.has_failed, self._end, self._fuse = True, False, {}, None
        self.moments.clear()

    def look(self, file: str) -> sqlite3.Connection:
        """A plain connection that only reads, for who checks; the process does not notice.

        It is the same one as long as the disk is: read what it gives to the end.
        """
        if self._looking is None:
            self._looking = sqlite3.connect(self.directory / file)
            self._looking.row_factory = sqlite3.Row
            self._looking.execute("PRAGMA query_only = ON")
        return self._looking

    def look_away(self) -> None:
        """Close what `look` has opened."""
        if self._looking is not None:
            self._looking.close()
            self._looking = None

    def pass_moment(self, moment: Moment) -> None:
        """Meet whatever the fuse holds for this moment."""
        self.breathe()
        self.moments.append(moment)
        fuse = self._fuse
        if fuse is None:
            return
        if fuse.step > 0:
            self._fuse = Fuse(fuse.step - 1, fuse.trouble, fuse.times)
            return
        if not _can_come(fuse.trouble, moment):
            return
        left = fuse.times - 1
        self._fuse = Fuse(0, fuse.trouble, left) if left else None
        self.has_failed = True
        self._on_trouble(fuse.trouble, moment)
        if fuse.trouble is Trouble.KILL:
            self.cut()
            raise Killed
        raise _failure(fuse.trouble)

    def synced(self, file: str, level: int) -> None:
        """A commit to the database `file` is done, at that level of `PRAGMA synchronous`."""
        if level >= _FULL:
            self._synced[file] = _size(Path(file + _LOG))

    def _logs(self) -> Iterable[tuple[str, bytes]]:
        """The write-ahead logs that were kept, by the name of their database."""
        for name, content in self._end.items():
            if name.endswith(_LOG):
                yield name.removesuffix(_LOG), content

    def _kept(self) -> Iterable[tuple[str, bytes]]:
        """The files as a power cut leaves them."""
        for file in sorted(self.directory.iterdir()):
            if file.name.endswith(_NOT_KEPT):
                continue
            content = file.read_bytes()
            if file.name.endswith(_LOG):
                content = content[: self._synced.get(str(file).removesuffix(_LOG), 0)]
            yield file.name, content


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:  # type: ignore[override]  # noqa: ANN401
        cast("_Connection", self.connection).before(sql)
        return super().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:  # type: ignore[override]  # noqa: ANN401
        cast("_Connection", self.connection).before(sql)
        return super().executemany(sql, *args)


class _Connection(sqlite3.Connection):
    """A connection whose statements and commits the disk hears of first."""

    disk: Disk
    _file = ""
    _has_written = False

    def cursor(self, factory: Any = _Cursor) -> Any:  # noqa: ANN401
        return super().cursor(factory)

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:  # noqa: ANN401
        # The one of `sqlite3.Connection` would pass by `cursor`.
        cursor: sqlite3.Cursor = self.cursor().execute(sql, *args)
        return cursor

    def before(self, sql: str) -> None:
        """A statement is about to be executed."""
        self.disk.breathe()
        if sql.lstrip()[:7].rstrip().upper() in _WRITES:
            self._has_written = True
            self.disk.pass_moment(Moment.STATEMENT)

    def commit(self) -> None:
        self.disk.breathe()
        if not self._has_written:
            super().commit()
            return
        self.disk.pass_moment(Moment.COMMIT)
        super().commit()
        self._has_written = False
        self._note_sync()
        self.disk.pass_moment(Moment.COMMITTED)

    def rollback(self) -> None:
        # Also on a dead disk: what was not committed is gone either way.
        self._has_written = False
        super().rollback()

    def _note_sync(self) -> None:
        plain = sqlite3.Connection.cursor(self)
        if not self._file:
            self._file = plain.execute("PRAGMA database_list").fetchone()[2]
        # Asked each time: a store may let some of its commits not wait for the disk.
        self.disk.synced(self._file, plain.execute("PRAGMA synchronous").fetchone()[0])


def read_files(directory: Path) -> dict[str, bytes]:
    """The files of a directory that nobody works in, by name."""
    return {file.name: file.read_bytes() for file in sorted(directory.iterdir())}


def write_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Put files into a directory, readable by their owner only."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in files.items():
        file = directory / name
        file.touch(mode=0o600)
        file.write_bytes(content)


def _can_come(trouble: Trouble, moment: Moment) -> bool:
    """A full disk fails before something is done, an unsure commit after it."""
    match trouble:
        case Trouble.KILL:
            return True
        case Trouble.FULL:
            return moment is not Moment.COMMITTED
        case Trouble.UNSURE:
            return moment is Moment.COMMITTED


def _failure(trouble: Trouble) -> sqlite3.OperationalError:
    """What SQLite says of it (https://www.sqlite.org/rescode.html)."""
    if trouble is Trouble.FULL:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
    else:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR, "SQLITE_IOERR"
    return error


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
