"""Files that hold personal data: new ones only, and for their owner alone."""

from __future__ import annotations

import os
from pathlib import Path

from terminal.errors import ConfigurationError


def require_new(file: Path) -> None:
    """Raise `ConfigurationError` where no new file can be, before a card is asked for."""
    if os.path.lexists(file):
        raise ConfigurationError(f"{file} exists; nothing is overwritten")
    if not file.parent.is_dir():
        raise ConfigurationError(f"{file} cannot be written: {file.parent} is no directory")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{file} cannot be written: {file.parent} may not be written to")


def write_new(file: Path, text: str) -> None:
    """Write `text` to a new file that nobody but its owner may read.

    Raises `ConfigurationError`.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from None
