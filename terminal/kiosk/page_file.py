"""Where the browser's session finds the address of the page, with the key that opens it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from terminal.errors import StoreUnavailable

NAME = "kiosk-page"
_READABLE_BY_GROUP = 0o640


@contextmanager
def page_file(directory: Path, url: str) -> Iterator[Path]:
    """Write `url` to a file that owner and group can read, and take it away at the end.

    Raises `StoreUnavailable`.
    """
    file = directory / NAME
    try:
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _READABLE_BY_GROUP)
        with os.fdopen(descriptor, "w", encoding="ascii") as written:
            written.write(f"{url}\n")
    except OSError as error:
        raise StoreUnavailable(f"cannot write {file}: {error.strerror}") from error
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
