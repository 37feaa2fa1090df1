"""Removing a store: its database, its key, its lock, and the copies beside them."""

from __future__ import annotations

from pathlib import Path

from terminal.errors import StoreUnavailable
from terminal.store.store import DATABASE, KEY_FILE, LOCK_FILE


def remove_store(directory: Path) -> tuple[str, ...]:
    """Remove the files of the store in `directory`; their names. The key goes first.

    Raises `StoreUnavailable`.
    """
    files = [directory / KEY_FILE, *sorted(directory.glob(f"{DATABASE}*")), directory / LOCK_FILE]
    removed = []
    try:
        for file in files:
            if file.exists():
                file.unlink()
                removed.append(file.name)
    except OSError as error:
        raise StoreUnavailable(f"{error.filename} cannot be removed: {error.strerror}") from None
    return tuple(removed)
