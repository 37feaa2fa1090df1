"""What carries APDUs: a reader, and the connection to the card in it.

These are protocols. `readers/` holds one implementation a file, `layers.py` decorators that are
themselves connections. Everything above speaks through them, so a real reader, a simulated card
and a recorded trace are interchangeable.
"""

from __future__ import annotations

from typing import Protocol


class Connection(Protocol):
    """A powered card: command bytes in, response bytes out (ISO/IEC 7816-4)."""

    @property
    def atr(self) -> bytes:
        """The answer to reset; contactless, the one a PC/SC reader derives from the ATS."""
        ...

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU and return the response APDU, SW1 SW2 last.

        Raises `CardRemoved`, `CardReset`, `NoAnswer` or `ReaderError`.
        """
        ...

    def reset(self) -> bytes:
        """Power the card off and on again and return the new ATR."""
        ...

    def close(self) -> None:
        """Power the card off and give the reader back. May be called more than once."""
        ...


class Reader(Protocol):
    """A slot that can hold a card."""

    @property
    def name(self) -> str:
        """The reader's name, as its service reports it."""
        ...

    def connect(self, *, exclusive: bool = True) -> Connection:
        """Power the card and return its connection.

        Raises `NoCard`, `NoAnswer`, `ReaderBusy` (another program holds it) or `ReaderError`.
        """
        ...

    def wait_for_card(self, timeout: float | None = None) -> bool:
        """Block until a card is present; False when `timeout` seconds pass first.

        None waits for ever. Raises `ReaderError` when the reader or its service goes away.
        """
        ...

    def wait_for_removal(self, timeout: float | None = None) -> bool:
        """Block until the slot is empty; False when `timeout` seconds pass first."""
        ...
