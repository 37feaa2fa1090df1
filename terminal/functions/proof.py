"""The proof of a torn debit (facts 7.5): the same card is asked, and its answer decides.

A debit whose answer was lost stays open until its card is back; no other card can stand in, since
it is looked up by the card and the card's identity is compared before it is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from apdu.crypto import Purchase
from apdu.ssc.account import MedicalAccount
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.identity import OneCard
from apdu.ssc.transactions import Done, DoneEarlier, PendingDebit
from apdu.status import CardError
from backend_client.messages import CardRef
from terminal.store.journal import Evidence, Journal, Kind, Operation, State

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


def done_of(operation: Operation) -> Done | None:
    """What the card has booked, with its cryptograms; None where a later one replaced them."""
    result = operation.result or {}
    if result.get("tac") is None:
        return None
    mac = bytes.fromhex(result.get("mac", ""))
    return Done(pending_of(operation), bytes.fromhex(result["tac"]), mac)


def cryptograms(done: Done) -> dict[str, str]:
    """What the journal keeps of a debit that was booked: TAC and MAC2 as hex."""
    return {"tac": done.tac.hex(), "mac": done.mac.hex()}


class AtCard(Protocol):
    """A card that is there, and the journal: a visit is one."""

    @property
    def journal(self) -> Journal:
        """The terminal's journal."""
        ...

    @property
    def card(self) -> SocialSecurityCard:
        """The card itself."""
        ...

    @property
    def card_ref(self) -> CardRef:
        """The card as the journal knows it."""
        ...


@dataclass(frozen=True, slots=True)
class CardHere:
    """An `AtCard` without a visit."""

    journal: Journal
    card: SocialSecurityCard

    @property
    def card_ref(self) -> CardRef:
        """See `AtCard`."""
        who = OneCard.of(self.card)
        return CardRef(who.card_id.hex(), who.card_number)


def ask_for_proofs(visit: AtCard) -> None:
    """End this card's torn debits by its own proof. What cannot be asked now stays open."""
    for operation in torn_debits(visit):
        try:
            prove(visit, operation)
        except CardError as error:
            log.info("operation %s waits for its card's proof: %s", operation.number, error.code)


def take_untold_debits(visit: AtCard) -> tuple[Operation, ...]:
    """Take over telling of this card's debits that were booked and told to nobody, in order.

    All that came to an end count as told from now on: it is the caller that tells.
    """
    found = [one for one in visit.journal.untold(visit.card_ref.card_id) if one.kind is Kind.DEBIT]
    for operation in found:
        visit.journal.told(operation)
    return tuple(one for one in found if one.state is State.CONFIRMED)


def torn_debits(visit: AtCard) -> tuple[Operation, ...]:
    """The debits of this card of which nobody knows whether it has booked them."""
    return tuple(
        operation
        for operation in visit.journal.left_open(visit.card_ref.card_id)
        if operation.kind is Kind.DEBIT and operation.state is not State.PREPARED
    )


def prove(visit: AtCard, operation: Operation) -> None:
    """End a torn debit by what its card says of it. Raises `CardError`; it stays open then."""
    found = MedicalAccount(visit.card).resolve(pending_of(operation))
    journal = visit.journal
    if operation.state is State.SENT:
        operation = journal.unknown(operation, "torn")
    match found:
        case Done():
            journal.confirm(operation, Evidence.PROOF, cryptograms(found))
        case DoneEarlier():
            journal.confirm(operation, Evidence.PROOF, {"tac": None})
        case _:
            journal.reverse(operation, Evidence.PROOF)
