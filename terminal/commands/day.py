"""A day on the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import date

from terminal.clock import day_of


def day(text: str) -> date:
    """The day that `text` names."""
    try:
        return day_of(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date: write YYYY-MM-DD") from None
