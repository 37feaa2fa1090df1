"""Receipts that paper let down, so that the staff can print them again, after a restart too.

Of each only its number, its title and its language are kept, and of the last ones only; what is on
it comes from the journal again.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from terminal.errors import StoreError
from terminal.store.store import Store
from terminal.text import Text

log = logging.getLogger(__name__)

KEPT = 50
_KEY = "unprinted"


@dataclass(frozen=True, slots=True)
class UnprintedReceipt:
    """One receipt: its number and title, its holder's language, when and why it failed (code)."""

    number: str
    title: Text
    language: str
    at: datetime
    code: str


class Unprinted:
    """What was not printed, kept in the store. Every method may be called from any thread.

    A store that fails costs nobody the visit: the list is then kept for as long as the program
    runs. Raises `StoreError` only when made.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._count = 0
        kept = (store.get(_KEY) or {}).get("receipts", ())
        self._latest = deque(map(_from_json, kept), maxlen=KEPT)

    @property
    def count(self) -> int:
        """How many there were since the start, printed again or not."""
        return self._count

    def note(self, receipt: UnprintedReceipt) -> None:
        """One more."""
        with self._lock:
            self._count += 1
            self._latest.append(receipt)
            self._keep()

    def waiting(self) -> tuple[UnprintedReceipt, ...]:
        """Those that were not printed again since, newest first."""
        with self._lock:
            return tuple(reversed(self._latest))

    def printed(self, number: str) -> None:
        """Forget the receipt of this number: it is printed now."""
        with self._lock:
            kept = [one for one in self._latest if one.number != number]
            if len(kept) < len(self._latest):
                self._latest = deque(kept, maxlen=KEPT)
                self._keep()

    def _keep(self) -> None:
        try:
            self._store.put(_KEY, {"receipts": [_to_json(one) for one in self._latest]})
        except StoreError as error:
            log.warning("the list of unprinted receipts is not kept: %s", error.code)


def _to_json(receipt: UnprintedReceipt) -> dict[str, str]:
    return {
        "number": receipt.number,
        "zh": receipt.title.zh,
        "en": receipt.title.en,
        "language": receipt.language,
        "at": receipt.at.isoformat(),
        "code": receipt.code,
    }


def _from_json(kept: Mapping[str, Any]) -> UnprintedReceipt:
    return UnprintedReceipt(
        kept["number"],
        Text(kept["zh"], kept["en"]),
        kept["language"],
        datetime.fromisoformat(kept["at"]),
        kept["code"],
    )
