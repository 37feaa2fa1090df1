"""How one setting is written, in a TOML file or in the environment, and what it may be.

Each function turns what was written into a value or raises `ValueError` with what is allowed; the
loader adds the name of the setting and where it was written. A duration is a whole number with a
unit: "90s", "15m", "24h", "30d". A list in the environment is separated by commas.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

Read = Callable[[object], object]
"""From what was written to a value."""

T = TypeVar("T")

SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
YEAR = timedelta(days=366)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def text(written: object) -> str:
    """Any text on one line."""
    if isinstance(written, str) and written.isprintable():
        return written
    raise ValueError("a text on one line")


def flag(written: object) -> bool:
    """Yes or no."""
    if isinstance(written, bool):
        return written
    if isinstance(written, str) and written.lower() in ("true", "false"):
        return written.lower() == "true"
    raise ValueError("true or false")


def whole(least: int, most: int) -> Read:
    """A whole number from `least` to `most`."""

    def read(written: object) -> int:
        if isinstance(written, str) and re.fullmatch(r"\d{1,15}", written, re.ASCII):
            written = int(written)
        if type(written) is int and least <= written <= most:
            return written
        raise ValueError(f"a whole number from {least} to {most}")

    return read


def duration(least: timedelta, most: timedelta) -> Read:
    """A time from `least` to `most`."""

    def read(written: object) -> timedelta:
        match = re.fullmatch(r"(\d{1,6})([smhd])", written) if isinstance(written, str) else None
        if match is not None:
            value = timedelta(**{_UNITS[match[2]]: int(match[1])})
            if least <= value <= most:
                return value
        raise ValueError(f"a time such as 90s, 15m, 24h or 30d, from {least} to {most}")

    return read


def one_of(*allowed: str) -> Read:
    """One of a few words."""

    def read(written: object) -> str:
        if isinstance(written, str) and written in allowed:
            return written
        raise ValueError("one of " + ", ".join(allowed))

    return read


def matching(pattern: str, allowed: str) -> Read:
    """A text of a certain form; `allowed` says which."""

    def read(written: object) -> str:
        if isinstance(written, str) and re.fullmatch(pattern, written, re.ASCII):
            return written
        raise ValueError(allowed)

    return read


def several(one: Read) -> Read:
    """A list, each item read by `one`."""

    def read(written: object) -> tuple[object, ...]:
        if isinstance(written, str):
            written = [item.strip() for item in written.split(",") if item.strip()]
        if not isinstance(written, list):
            raise ValueError("a list")  # noqa: TRY004 - told to whoever wrote the setting
        return tuple(one(item) for item in written)

    return read


def day(written: object) -> date:
    """A calendar day."""
    if type(written) is date:
        return written
    try:
        return date.fromisoformat(str(written))
    except ValueError:
        raise ValueError("a day such as 2021-01-01") from None


def path(written: object) -> Path:
    """A path in the file system."""
    if isinstance(written, str) and written and "\0" not in written:
        return Path(written).expanduser()
    raise ValueError("a path")


def web_address(written: object) -> str:
    """An http or https URL, or nothing."""
    if written == "":
        return ""
    if isinstance(written, str):
        try:
            parts = urlsplit(written)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme in ("http", "https") and parts.hostname and parts.username is None:
            return written
    raise ValueError("https://host[:port][/path], or http to this machine, without a user name")


def key(written: object) -> bytes:
    """A key of 32 bytes, as 64 hex digits. The error never repeats what was written."""
    if isinstance(written, str) and re.fullmatch(r"[0-9a-fA-F]{64}", written, re.ASCII):
        return bytes.fromhex(written)
    raise ValueError("64 hex digits")
