"""Who froze what and who lifted it, where and why: the audit trail of freezes (Articles 7, 27).

A freeze is no step in a card's life: it may be of a range of card numbers, or of a transport purse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from simulator.backoffice.listings import purse_number
from simulator.backoffice.register import By, Register
from simulator.backoffice.schema import Card, FreezeEvent, ListingRow
from simulator.backoffice.vault import Vault

FROZEN, LIFTED = "freeze", "release"
_MAX_LINES = 1000


@dataclass(frozen=True, slots=True)
class FreezeLine:
    """One line: what happened to which card, range or purse; the others are None."""

    at: datetime
    event: str
    card_number: str | None = field(repr=False)
    number_from: str | None
    number_to: str | None
    purse_number: str | None = field(repr=False)
    reason: str
    scope: tuple[str, ...]
    action: str
    channel: str
    actor: str
    why: str


def note(session: Session, row: ListingRow, event: str, by: By, at: datetime) -> None:
    """Write down that a freeze was put or lifted."""
    session.flush()
    session.add(
        FreezeEvent(
            listing=row.id,
            at=at,
            event=event,
            channel=by.channel,
            actor=by.actor,
            why=by.reason,
        )
    )


def trail(session: Session, register: Register, vault: Vault) -> tuple[FreezeLine, ...]:
    """What was written down last, newest first."""
    query = (
        select(FreezeEvent, ListingRow, Card)
        .join(ListingRow, ListingRow.id == FreezeEvent.listing)
        .outerjoin(Card, Card.id == ListingRow.card)
        .order_by(FreezeEvent.id.desc())
        .limit(_MAX_LINES)
    )
    return tuple(
        FreezeLine(
            event.at,
            event.event,
            None if card is None else register.ref(card).card_number,
            row.number_from,
            row.number_to,
            purse_number(vault, row),
            row.reason,
            tuple(row.scope.split()),
            row.action,
            event.channel,
            event.actor,
            event.why,
        )
        for event, row, card in session.execute(query)
    )
