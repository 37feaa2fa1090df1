"""Typing a PIN at a console: no echo, no copy that stays behind.

On a terminal the digits go byte by byte from the line into a buffer that is wiped. From a pipe
(scripts, tests) one line is read as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from apdu.pin import Pin
from terminal.outcome import Cancelled

_ENTER = frozenset(b"\r\n")
_ERASE = frozenset(b"\x08\x7f")
_END_OF_INPUT = 0x04
_LONGEST = 64  # more bytes than any PIN has: the rest of a line is dropped


def read_pin() -> Pin:
    """Read one PIN from standard input.

    Raises `PinFormat` when the line is not a PIN, `Cancelled` at the end of the input.
    """
    if not sys.stdin.isatty():
        return _pin_of_line()
    typed = bytearray()
    try:
        with _unechoed(sys.stdin.fileno()) as descriptor:
            _collect(descriptor, typed)
        return Pin.from_digits(bytes(typed))
    finally:
        typed[:] = bytes(len(typed))
        sys.stderr.write("\n")


def _pin_of_line() -> Pin:
    line = sys.stdin.readline()
    if not line:
        raise Cancelled
    return Pin.from_digits(line.strip())


def _collect(descriptor: int, typed: bytearray) -> None:
    for byte in _bytes_from(descriptor):
        if byte in _ENTER:
            return
        if byte in _ERASE:
            del typed[-1:]
        elif byte == _END_OF_INPUT:
            raise Cancelled
        elif len(typed) < _LONGEST:
            typed.append(byte)
    raise Cancelled


def _bytes_from(descriptor: int) -> Iterator[int]:
    while byte := os.read(descriptor, 1):
        yield byte[0]


@contextmanager
def _unechoed(descriptor: int) -> Iterator[int]:
    """Characters as they are typed, unseen; signals (Ctrl-C) go on working."""
    import termios  # Unix only, so not at the top

    before = termios.tcgetattr(descriptor)
    during = termios.tcgetattr(descriptor)
    during[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, during)
    try:
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
