"""Options that commands share."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

LONGEST_WAIT = 86_400.0
"""Seconds: a day."""


def seconds(text: str) -> float:
    """What --wait takes: 0 to a day. Raises `ArgumentTypeError`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= LONGEST_WAIT:  # false for what is no number, too
        raise ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {LONGEST_WAIT:.0f}")
    return value


def count(text: str) -> int:
    """A whole number from 1 up. Raises `ArgumentTypeError`."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def add_common(parser: ArgumentParser) -> None:
    """Settings, log and language."""
    group = parser.add_argument_group("for every command")
    group.add_argument("--settings", metavar="FILE", type=Path, help="settings file (TOML)")
    group.add_argument(
        "--lang", choices=("zh", "en"), help="show texts in one language instead of both"
    )
    group.add_argument("-v", "--verbose", action="store_true", help="log to standard error")
    group.add_argument(
        "--traffic",
        action="store_true",
        help="log every byte to and from the card, PINs left out; names and numbers are in it",
    )


def add_reader(parser: ArgumentParser) -> None:
    """Which reader, and how long to wait for a card."""
    group = parser.add_argument_group("reader")
    group.add_argument(
        "--reader",
        metavar="PATTERN",
        help="a part of a PC/SC reader's name, serial:DEVICE for a reader on a serial line, "
        "sim:PROFILE for a simulated card (sim:PROFILE@FILE keeps its state in a file), or "
        "replay:FILE for a recorded trace; default: the settings, else the only reader",
    )
    group.add_argument(
        "--wait",
        metavar="SECONDS",
        type=seconds,
        default=60.0,
        help="how long to wait for a card (default: 60)",
    )
    group.add_argument(
        "--record",
        metavar="FILE",
        type=Path,
        help="keep the session with the card in a new file for `ssct trace` and replay:FILE; "
        "PINs left out, names and numbers are in it",
    )


def add_personal(parser: ArgumentParser) -> None:
    """Whether personal data are shown in full."""
    parser.add_argument(
        "--show-personal",
        action="store_true",
        help="show name and numbers in full; only where nobody but the holder looks",
    )


def add_json(parser: ArgumentParser) -> None:
    """Output for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON")
