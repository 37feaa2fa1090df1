"""Receipts that paper let down, so that the staff can print them again.

Of each only its number, its title and its language are kept, and of the last ones only; what is on
it comes from the journal again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from terminal.text import Text

KEPT = 50


@dataclass(frozen=True, slots=True)
class UnprintedReceipt:
    """One receipt: its number and title, its holder's language, when and why it failed (code)."""

    number: str
    title: Text
    language: str
    at: datetime
    code: str


class Unprinted:
    """What was not printed since the start. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._latest: deque[UnprintedReceipt] = deque(maxlen=KEPT)

    @property
    def count(self) -> int:
        """How many there were since the start, printed again or not."""
        return self._count

    def note(self, receipt: UnprintedReceipt) -> None:
        """One more."""
        with self._lock:
            self._count += 1
            self._latest.append(receipt)

    def waiting(self) -> tuple[UnprintedReceipt, ...]:
        """Those that were not printed again since, newest first."""
        with self._lock:
            return tuple(reversed(self._latest))

    def printed(self, number: str) -> None:
        """Forget the receipt of this number: it is printed now."""
        with self._lock:
            kept = [one for one in self._latest if one.number != number]
            self._latest = deque(kept, maxlen=KEPT)
