"""The proof of a torn debit (facts 7.5): the same card is asked, and its answer decides.

A debit whose answer was lost stays open until its card is back; no other card can stand in, since
it is looked up by the card and the card's identity is compared before it is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from apdu.crypto import Purchase
from apdu.ssc.account import MedicalAccount
from apdu.ssc.identity import OneCard
from apdu.ssc.transactions import Done, DoneEarlier, PendingDebit
from apdu.status import CardError
from terminal.store.journal import Evidence, Kind, Operation, State
from terminal.visit import Visit

log = logging.getLogger(__name__)


def as_payload(pending: PendingDebit, algorithm: str, historical: bytes) -> dict[str, Any]:
    """What the journal keeps before DEBIT leaves: enough to ask the card later, and to upload."""
    purchase = pending.purchase
    return {
        "account_fen": purchase.account,
        "self_pay_fen": purchase.self_pay,
        "fund_fen": purchase.fund,
        "terminal": purchase.terminal.hex(),
        "time": purchase.time.hex(),
        "balance_before_fen": pending.balance_before_fen,
        "sequence": pending.sequence.hex(),
        "psam_sequence": pending.psam_sequence.hex(),
        "mac1": pending.mac1.hex(),
        "algorithm": algorithm,
        "historical": historical.hex(),
    }


def pending_of(operation: Operation) -> PendingDebit:
    """The debit that `as_payload` kept."""
    payload: Mapping[str, Any] = operation.payload
    return PendingDebit(
        card=OneCard(bytes.fromhex(operation.card.card_id), operation.card.card_number),
        purchase=Purchase(
            payload["account_fen"],
            payload["self_pay_fen"],
            payload["fund_fen"],
            bytes.fromhex(payload["terminal"]),
            bytes.fromhex(payload["time"]),
        ),
        balance_before_fen=payload["balance_before_fen"],
        sequence=bytes.fromhex(payload["sequence"]),
        psam_sequence=bytes.fromhex(payload["psam_sequence"]),
        mac1=bytes.fromhex(payload["mac1"]),
    )


def ask_for_proofs(visit: Visit) -> None:
    """End this card's torn debits by its own proof. What cannot be asked now stays open."""
    for operation in torn_debits(visit):
        _ask(visit, operation)


def torn_debits(visit: Visit) -> tuple[Operation, ...]:
    """The debits of this card of which nobody knows whether it has booked them."""
    return tuple(
        operation
        for operation in visit.journal.left_open(visit.card_ref.card_id)
        if operation.kind is Kind.DEBIT and operation.state is not State.PREPARED
    )


def _ask(visit: Visit, operation: Operation) -> None:
    try:
        found = MedicalAccount(visit.card).resolve(pending_of(operation))
    except CardError as error:
        log.info("operation %s waits for its card's proof: %s", operation.number, error.code)
        return
    journal = visit.journal
    if operation.state is State.SENT:
        operation = journal.unknown(operation, "torn")
    match found:
        case Done(tac=tac):
            journal.confirm(operation, Evidence.PROOF, {"tac": tac.hex()})
        case DoneEarlier():
            journal.confirm(operation, Evidence.PROOF, {"tac": None})
        case _:
            journal.reverse(operation, Evidence.PROOF)
