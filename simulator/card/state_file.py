"""A file that is replaced as a whole or not at all, and a lock that its one owner holds."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def read_bounded(file: Path, most: int) -> bytes:
    """The whole file, of which not more than `most` + 1 bytes are read. Raises `OSError`."""
    with file.open("rb") as source:
        return source.read(most + 1)


def write_atomically(file: Path, content: bytes) -> None:
    """Replace `file`: whoever reads it, after a crash too, finds the old or the new content.

    Only its owner may read it. Raises `OSError`, and then the old content is still there.
    """
    draft = file.with_name(f".{file.name}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
        _sync_directory(file.parent)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def _sync_directory(directory: Path) -> None:
    """Make the new name last. Where a directory cannot be opened the system sees to it itself."""
    if sys.platform == "win32":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class FileLock:
    """An empty file beside the one it guards, locked until `release` or the end of the process.

    Raises `BlockingIOError` when somebody else holds it, or another `OSError`. Windows has no
    such lock: there nobody is kept out.
    """

    def __init__(self, guarded: Path) -> None:
        beside = guarded.with_name(f".{guarded.name}.lock")
        self._handle: int | None = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
        if sys.platform != "win32":
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self.release()
                raise

    def release(self) -> None:
        """Let the next one in. May be called more than once."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
