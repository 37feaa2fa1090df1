"""Store and forward: sending the outbox to the centre, oldest first, each record once.

The same record again gets the same receipt, so an upload whose answer was lost is simply repeated.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from backend_client.client import BackendClient
from backend_client.errors import BackendError, Refused
from backend_client.money_messages import DebitUpload, ProvisionalUpload, UploadReceipt
from terminal.clock import SHANGHAI
from terminal.errors import Explanation, explain
from terminal.store.journal import Journal, Kind, Operation
from terminal.store.outbox import Outbox

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """How many records the centre has taken now, how many still wait, and why the first does."""

    taken: int
    waiting: int
    error: Explanation | None


def upload_all(
    outbox: Outbox, journal: Journal, client: BackendClient, card_id: str | None = None
) -> Uploaded:
    """Send what waits, with `card_id` that card's only. Raises `StoreError`.

    Once the centre is away the rest waits on.
    A record that the centre refuses keeps waiting, with the reason beside it, and stands in nobody
    else's way.
    """
    taken = 0
    first: BackendError | None = None
    for number in outbox.numbers(card_id=card_id):
        operation = journal.find(number)
        if operation is None:
            continue
        try:
            receipt = _upload(operation, client)
        except BackendError as error:
            first = first or error
            if not (isinstance(error, Refused) and error.said_no):
                log.info("the upload stops at operation %s: %s", number, error.code)
                break
            outbox.refused(number, error.problem.code)
        else:
            outbox.sent(number, receipt.verdict)
            taken += 1
    return Uploaded(taken, outbox.waiting().count, explain(first) if first else None)


def _upload(operation: Operation, client: BackendClient) -> UploadReceipt:
    if operation.kind is Kind.PROVISIONAL:
        at = datetime.fromisoformat(operation.payload["visited_at"])
        return client.money.upload_provisional(
            ProvisionalUpload(
                operation.number, operation.card, at, operation.payload.get("paid_fen", 0)
            )
        )
    return client.money.upload_debit(_debit(operation))


def _debit(operation: Operation) -> DebitUpload:
    """The record of a debit, from what the journal kept before and after it."""
    payload, result = operation.payload, operation.result or {}
    at = datetime.strptime(payload["time"], "%Y%m%d%H%M%S").replace(tzinfo=SHANGHAI)
    return DebitUpload(
        number=operation.number,
        card=operation.card,
        account_fen=payload["account_fen"],
        self_pay_fen=payload["self_pay_fen"],
        fund_fen=payload["fund_fen"],
        balance_after_fen=payload["balance_before_fen"] - payload["account_fen"],
        terminal_number=payload["terminal"],
        sequence=int(payload["sequence"], 16),
        psam_sequence=payload["psam_sequence"],
        paid_at=at,
        algorithm=payload["algorithm"],
        historical=payload["historical"],
        tac=result.get("tac"),
    )
