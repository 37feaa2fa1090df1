"""The console that commands write to, and the driver on it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from apdu.pin import Pin
from terminal.drivers.console import ConsoleDriver
from terminal.drivers.painting import PipedConsole
from terminal.drivers.pin_input import read_pin


@contextmanager
def console_driver(args: Namespace) -> Iterator[ConsoleDriver]:
    """A driver on standard input and output, as the options want it."""
    driver = ConsoleDriver(
        PipedConsole(),
        read_line=_read_line,
        read_pin=_read_pin,
        lang=args.lang,
        show_personal=args.show_personal,
    )
    try:
        yield driver
    finally:
        driver.close()


def _read_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    _end_prompt()
    return line


def _read_pin() -> Pin:
    pin = read_pin()
    _end_prompt()
    return pin


def _end_prompt() -> None:
    """What comes from a pipe has no echo that would end the line of the prompt."""
    if not sys.stdin.isatty():
        print()
