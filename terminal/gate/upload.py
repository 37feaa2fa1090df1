"""Handing taps in: in batches, oldest first, until nothing waits or the back office is away."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from backend_client.client import BackendClient
from backend_client.errors import BackendError
from backend_client.transit_messages import TapBatch
from terminal.clock import Clock
from terminal.store.taps import TapBook

log = logging.getLogger(__name__)

BATCH = 200
GREY_FOR = timedelta(hours=24)
"""After so long a torn tap is handed in as it is: its card has not come back here."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """How many taps the back office took, by what it made of them, and what stopped us.

    `error` is None where everything was handed in.
    """

    outcomes: Mapping[str, int]
    error: BackendError | None = None


def upload(book: TapBook, client: BackendClient, clock: Clock) -> Uploaded:
    """Hand in everything that waits. Raises only `StoreError`.

    What is answered is not sent again, whatever the answer: a conflict or a dispute is for the
    people at the centre, who have the record.
    """
    outcomes: Counter[str] = Counter()
    while True:
        rows = book.to_send(clock.now() - GREY_FOR, BATCH)
        if not rows:
            return Uploaded(outcomes)
        try:
            receipt = client.transit.upload(TapBatch(tuple(row.tap for row in rows)))
        except BackendError as error:
            log.info("%d taps wait: %s", book.unsent().count, error.code)
            return Uploaded(outcomes, error)
        book.sent(rows)
        outcomes.update(verdict.outcome for verdict in receipt.verdicts)
