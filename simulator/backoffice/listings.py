"""What stands on the blacklist: entries that follow from a card's life, and freezes.

One entry a card follows from its life, or none; it changes when the life does. A freeze is put and
lifted by staff, for one card, for a range of card numbers, or for a transport purse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from backend_client.list_messages import IDENTITY, BlacklistEntry
from backend_client.messages import Action, CardRef, ListingReason, Scope
from simulator.backoffice.errors import Refused
from simulator.backoffice.lifecycle import State
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import Register, life_of, usable
from simulator.backoffice.schema import Card, ListingRow
from simulator.backoffice.vault import Vault

LIFE = "life"
FREEZE = "freeze"

_SOCIAL: tuple[Scope, ...] = ("social_security",)
_ALL: tuple[Scope, ...] = ("social_security", "financial", "transport")
_FOLLOWS: Mapping[State, tuple[ListingReason, tuple[Scope, ...]]] = {
    State.TEMPORARILY_LOST: ("temporary_loss", _SOCIAL),
    State.FORMALLY_LOST: ("formal_loss", _SOCIAL),
    State.VOID: ("void", _ALL),
    State.STOPPED: ("stopped", _SOCIAL),
}
"""What follows from a state. A loss stops the social security function only (Art. 18, 20)."""


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Card numbers from the first to the last, both included.

    Raises `Refused` BAD_REQUEST for one that is the wrong way round.
    """

    first: str
    last: str

    def __post_init__(self) -> None:
        if self.first > self.last:
            detail = "/number_to breaks the rule 'not below number_from'"
            raise Refused(Refusal.BAD_REQUEST, detail=detail)


@dataclass(frozen=True, slots=True)
class ListedPurse:
    """A transport purse as the database knows it: its blind index, and its number sealed."""

    index: bytes
    sealed: bytes = field(repr=False)


Frozen = Card | NumberRange | ListedPurse
"""What staff may freeze."""


def listed_purse(vault: Vault, number: str) -> ListedPurse:
    """The purse of this number, 19 digits."""
    index = vault.index("purse", number)
    return ListedPurse(index, vault.seal(number, "listings", index.hex()))


def purse_number(vault: Vault, row: ListingRow) -> str | None:
    """The number of the purse that a row is of, None for one of a card or a range."""
    if row.purse is None or row.purse_index is None:
        return None
    return str(vault.open(row.purse, "listings", row.purse_index.hex()))


def follow(session: Session, card: Card, at: datetime) -> None:
    """After a change of its life: the card's entry is what follows from it now, or none.

    To be published in the same transaction.
    """
    life = life_of(card)
    wanted = _FOLLOWS.get(life.state)
    for row in session.scalars(_standing().where(_of(card), ListingRow.origin == LIFE)):
        row.is_removed = True
    if wanted is not None:
        reason, scope = wanted
        session.add(_row(card.id, None, LIFE, reason, scope, "refuse", at, life.until))


def freeze(
    session: Session,
    what: Frozen,
    reason: ListingReason,
    scope: tuple[Scope, ...],
    action: Action,
    at: datetime,
) -> ListingRow:
    """Freeze a card, a range of card numbers or a purse until it is lifted."""
    card = what.id if isinstance(what, Card) else None
    span = what if isinstance(what, NumberRange) else None
    row = _row(card, span, FREEZE, reason, scope, action, at, None)
    if isinstance(what, ListedPurse):
        row.purse_index, row.purse = what.index, what.sealed
    session.add(row)
    return row


def unfreeze(session: Session, what: Frozen) -> Sequence[ListingRow]:
    """Lift all freezes of exactly that card, range or purse. Raises `Refused` NOT_FROZEN."""
    rows = session.scalars(_standing().where(_of(what), ListingRow.origin == FREEZE)).all()
    if not rows:
        raise Refused(Refusal.NOT_FROZEN)
    for row in rows:
        row.is_removed = True
    return rows


def not_frozen(session: Session, card: Card, card_number: str) -> None:
    """Raise `Refused` CARD_FROZEN if the card's social security function is frozen."""
    spans = ListingRow.card.is_(None) & (
        (ListingRow.number_from <= card_number) & (ListingRow.number_to >= card_number)
    )
    rows = _standing().where(ListingRow.origin == FREEZE, or_(_of(card), spans))
    if any("social_security" in row.scope.split() for row in session.scalars(rows)):
        raise Refused(Refusal.CARD_FROZEN)


def card_in_use(register: Register, session: Session, ref: CardRef, now: datetime) -> Card:
    """The card, whose social security function may be used now. Raises `Refused`."""
    card = register.find(session, ref)
    usable(card, now)
    not_frozen(session, card, ref.card_number)
    return card


def entry_of(row: ListingRow, card_id: str | None, published: datetime) -> BlacklistEntry:
    """The entry that terminals get; `card_id` is that of the row's card, or names its purse.

    One that had begun when it was published does not say when: the terminal hears of it then.
    """
    return BlacklistEntry(
        card_id=card_id and card_id[:IDENTITY],
        number_from=row.number_from,
        number_to=row.number_to,
        reason=cast(ListingReason, row.reason),
        scope=cast(tuple[Scope, ...], tuple(row.scope.split())),
        action=cast(Action, row.action),
        valid_from=row.valid_from if row.valid_from > published else None,
        valid_until=row.valid_until,
    )


def _standing() -> Select[ListingRow]:
    return select(ListingRow).where(ListingRow.is_removed.is_(False))


def _of(what: Frozen) -> ColumnElement[bool]:
    if isinstance(what, Card):
        return ListingRow.card == what.id
    if isinstance(what, ListedPurse):
        return ListingRow.purse_index == what.index
    return (ListingRow.number_from == what.first) & (ListingRow.number_to == what.last)


def _row(
    card: int | None,
    span: NumberRange | None,
    origin: str,
    reason: ListingReason,
    scope: tuple[Scope, ...],
    action: Action,
    valid_from: datetime,
    valid_until: datetime | None,
) -> ListingRow:
    return ListingRow(
        card=card,
        number_from=span.first if span else None,
        number_to=span.last if span else None,
        origin=origin,
        reason=reason,
        scope=" ".join(scope),
        action=action,
        valid_from=valid_from,
        valid_until=valid_until,
        is_removed=False,
    )
