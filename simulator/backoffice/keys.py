"""The sealing key: 32 bytes in a file of its own, as 64 hex digits, for its owner only.

Whoever carries the database away without that file has nothing that names anybody.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from backend_client.sealing import KEY_SIZE
from simulator.backoffice.errors import KeyUnusable


def load_or_create_key(file: Path, random: Callable[[int], bytes]) -> bytes:
    """The key in `file`; on the first run it is made there. Raises `KeyUnusable`."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _load(file)
    except OSError as error:
        raise KeyUnusable(f"cannot write the key file: {error.strerror}") from None
    key = random(KEY_SIZE)
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(key.hex() + "\n")
        out.flush()
        os.fsync(out.fileno())
    return key


def _load(file: Path) -> bytes:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(f"cannot read the key file: {type(error).__name__}") from None
    if os.name == "posix" and mode & 0o077:
        raise KeyUnusable("other users can read the key file: run `chmod 600` on it")
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise KeyUnusable(f"the key file does not hold {KEY_SIZE} bytes in hex")
    return key
