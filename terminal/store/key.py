"""The key that seals personal data: 32 bytes, never in the database.

It lies in its own file beside the store, readable by its owner only, as 64 hex digits. Whoever
carries the database away without that file has nothing that names anybody.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from terminal.errors import StoreKeyWrong, StoreUnavailable

KEY_SIZE = 32


def load_key(file: Path) -> bytes:
    """The key in `file`.

    Raises `StoreKeyWrong` when it is missing, not a key, or readable by other users.
    """
    try:
        mode = file.stat().st_mode
        text = file.read_text("ascii")
    except FileNotFoundError:
        raise StoreKeyWrong(f"the key file {file} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreKeyWrong(f"cannot read the key file {file}: {type(error).__name__}") from error
    if os.name == "posix" and mode & 0o077:
        raise StoreKeyWrong(f"other users can read {file}: run `chmod 600` on it")
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise StoreKeyWrong(f"{file} does not hold a key of {KEY_SIZE} bytes in hex")
    return key


def create_key(file: Path, random: Callable[[int], bytes]) -> bytes:
    """Make a new key in `file`, durable before it is used. Raises `StoreUnavailable`."""
    key = random(KEY_SIZE)
    draft = file.with_name(f"{file.name}.new")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(key.hex() + "\n")
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
        sync_directory(file.parent)
    except OSError as error:
        raise StoreUnavailable(f"cannot write the key file {file}: {error.strerror}") from error
    return key


def sync_directory(directory: Path) -> None:
    """Make renames in `directory` durable, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
