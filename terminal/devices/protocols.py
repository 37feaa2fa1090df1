"""What the kiosk wants of a printer and a PIN pad."""

from __future__ import annotations

from typing import Protocol

from terminal.receipt import Receipt


class Printer(Protocol):
    """Prints receipts."""

    def print(self, receipt: Receipt, language: str) -> None:
        """Print on paper and cut it. Raises `PrinterError`."""
        ...

    def check(self) -> None:
        """Raise `PrinterError` when it could not print now."""
        ...


class PinPad(Protocol):
    """Takes a PIN. What is typed is told to the listener it was made with, from its own thread."""

    def ask(self, shortest: int, longest: int) -> None:
        """Begin to take a PIN of so many digits. Raises `PinPadError`."""
        ...

    def stop(self) -> None:
        """Take none any more, and wipe what was typed. Never raises."""
        ...
