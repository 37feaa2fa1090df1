"""The console that commands write to, and the driver on it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from terminal.drivers.console import ConsoleDriver
from terminal.drivers.pin_input import read_pin


@contextmanager
def console_driver(args: Namespace) -> Iterator[ConsoleDriver]:
    """A driver on standard input and output, as the options want it."""
    driver = ConsoleDriver(
        Console(highlight=False, soft_wrap=False),
        read_line=_read_line,
        read_pin=read_pin,
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
    return line
