"""A private PostgreSQL server, for tests and demonstrations.

A cluster of its own in a temporary directory, reached over a socket file there: the server of the
system is left alone, and no port is taken. PostgreSQL refuses to run as root, so there it runs as
the user `postgres` that its package makes. What is in it is lost at the end; so it need not be
safe against a loss of power, and is not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

_BINARIES = Path("/usr/lib/postgresql")
_OWNER = "postgres"
_SECONDS = 60
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "16MB",
}


class PostgresUnavailable(Exception):
    """A private PostgreSQL server cannot be started here."""


def missing() -> str | None:
    """What a private server lacks on this machine, in one sentence; None when nothing."""
    if _binaries() is None:
        return "PostgreSQL is not installed (apt install postgresql)"
    try:
        import psycopg  # noqa: F401  only whether it is there
    except ImportError as error:
        return f"psycopg cannot be imported: {error} (pip install 'ssct[postgres]')"
    return None


class PrivatePostgres:
    """The server as a context manager; `database` makes databases in it."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="ssct-postgres-"))
        self._data = self._directory / "data"
        self._databases = 0

    def __enter__(self) -> PrivatePostgres:
        if os.geteuid() == 0:
            shutil.chown(self._directory, _OWNER)
        try:
            self._run("initdb", "--username", _OWNER, "--auth", "trust", "--encoding", "UTF8",
                      "--locale", "C", "--no-sync", "--pgdata", str(self._data))  # fmt: skip
            settings = " ".join(f"-c {name}='{value}'" for name, value in _SETTINGS.items())
            options = f"{settings} -c unix_socket_directories='{self._directory}'"
            log = str(self._directory / "log")
            self._run("pg_ctl", "start", "--wait", "--pgdata", str(self._data),
                      "--log", log, "--options", options)  # fmt: skip
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--mode", "immediate", "--pgdata", str(self._data))
        shutil.rmtree(self._directory, ignore_errors=True)

    def database(self) -> str:
        """The URL of a new, empty database."""
        import psycopg
        from psycopg import sql

        self._databases += 1
        name = f"office{self._databases}"
        command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        where = str(self._directory)
        with psycopg.connect(host=where, user=_OWNER, dbname=_OWNER, autocommit=True) as server:
            server.execute(command)
        return f"postgresql+psycopg://{_OWNER}@/{name}?host={quote(where, safe='')}"

    def _run(self, program: str, *arguments: str) -> None:
        binaries = _binaries()
        if binaries is None:
            raise PostgresUnavailable("PostgreSQL is not installed (apt install postgresql)")
        command = [*_as_owner(), str(binaries / program), *arguments]
        try:
            subprocess.run(  # noqa: S603  our own arguments
                command,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_SECONDS,
                cwd=self._directory,
            )
        except subprocess.CalledProcessError as error:
            told = error.stderr.decode("utf-8", "replace").strip()
            raise PostgresUnavailable(f"{program}: {told}") from None


def _as_owner() -> Sequence[str]:
    return ("runuser", "-u", _OWNER, "--") if os.geteuid() == 0 else ()


def _binaries() -> Path | None:
    """The programs of the newest PostgreSQL there is."""
    found = sorted(_BINARIES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None
