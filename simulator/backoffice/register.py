"""The register of cards: finding one, where it stands, and letting events happen to it.

Every method works in the caller's transaction. An event is decided by `lifecycle` and written into
the audit trail with who, where, when and why. The lapse of a temporary loss is an event as well, at
its own instant: `note_lapse` and `note_lapses` write it, and nothing else is written before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from backend_client.codec import decode, encode
from backend_client.messages import CardRef, CardStatus
from simulator.backoffice.bank_function import BankEvent, BankFunction, bank_transition
from simulator.backoffice.bell import Bell
from simulator.backoffice.days import Counting
from simulator.backoffice.errors import Refused
from simulator.backoffice.lifecycle import (
    Channel,
    Event,
    Life,
    State,
    Transition,
    lapse,
    state_at,
    transition,
)
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import Card, Holder, LifeEvent
from simulator.backoffice.schema_life import ApplicationRow
from simulator.backoffice.vault import Vault


@dataclass(frozen=True, slots=True)
class By:
    """Who brings an event, where and why: for the audit trail. Nothing personal."""

    channel: Channel
    actor: str
    reason: str = ""

    def wrote(
        self, at: datetime, event: str, article: int, before: str, after: str
    ) -> Mapping[str, object]:
        """The columns of a line that this leaves in an audit trail, of a card or an application."""
        return {
            "at": at,
            "event": event,
            "article": article,
            "channel": self.channel,
            "actor": self.actor,
            "reason": self.reason,
            "before": before,
            "after": after,
        }


TIME = By(Channel.TIME, "calendar")

# Asked with nearly every request, so they are made once.
_BY_ID = select(Card).where(Card.id_index == bindparam("index")).with_for_update()
_BY_NUMBER = select(Card).where(Card.number_index == bindparam("index")).with_for_update()


class Register:
    """Holders and cards. `counting` is how the days of a temporary loss are counted.

    `deadlines` rings when a loss that will lapse is written down.
    """

    def __init__(self, vault: Vault, counting: Counting, deadlines: Bell) -> None:
        self._vault = vault
        self._counting = counting
        self._deadlines = deadlines

    def find(self, session: Session, ref: CardRef) -> Card:
        """The card of that id and that number. Raises `Refused` CARD_UNKNOWN."""
        card = self.find_by(session, card_id=ref.card_id)
        if card.number_index != self._vault.index("card_number", ref.card_number):
            raise Refused(Refusal.CARD_UNKNOWN)
        return card

    def find_by(
        self, session: Session, *, card_id: str | None = None, card_number: str | None = None
    ) -> Card:
        """The card of that id, or of that number. Raises `Refused` CARD_UNKNOWN."""
        if card_id is not None:
            query, index = _BY_ID, self._vault.index("card_id", card_id)
        else:
            query, index = _BY_NUMBER, self._vault.index("card_number", card_number or "")
        card = session.scalar(query, {"index": index})
        if card is None:
            raise Refused(Refusal.CARD_UNKNOWN)
        return card

    def add_holder(self, session: Session, ssn: str, name: str, insured_as: str) -> int:
        """The holder with that SSN, who may hold cards already."""
        index = self._vault.index("ssn", ssn)
        known = session.scalar(select(Holder).where(Holder.ssn_index == index))
        if known is not None:
            return known.id
        sealed = self._vault.seal({"ssn": ssn, "name": name}, "holders", index)
        holder = Holder(ssn_index=index, sealed=sealed, insured_as=insured_as)
        session.add(holder)
        session.flush()
        return holder.id

    def person(self, holder: Holder) -> tuple[str, str]:
        """A holder's name and SSN."""
        opened = cast(
            Mapping[str, str], self._vault.open(holder.sealed, "holders", holder.ssn_index)
        )
        return opened["name"], opened["ssn"]

    def rename(
        self, session: Session, holder: Holder, *, name: str | None = None, ssn: str | None = None
    ) -> None:
        """A holder's new name or SSN (Article 22). Raises `Refused` HOLDER_HAS_CARD.

        A number that is another holder's already does not become this one's.
        """
        old_name, old_ssn = self.person(holder)
        name, ssn = name or old_name, ssn or old_ssn
        index = self._vault.index("ssn", ssn)
        other = select(Holder.id).where(Holder.ssn_index == index, Holder.id != holder.id)
        if session.scalar(other) is not None:
            raise Refused(Refusal.HOLDER_HAS_CARD)
        holder.ssn_index = index
        holder.sealed = self._vault.seal({"ssn": ssn, "name": name}, "holders", index)

    def add_card(
        self, session: Session, holder: int, ref: CardRef, state: State, by: By, at: datetime
    ) -> Card:
        """A new card (Article 11), its financial function closed.

        Raises `Refused` CARD_EXISTS, or HOLDER_HAS_CARD: a new card makes the one before it void
        (Article 23), so nobody has two.
        """
        id_index, number_index = self.new(session, ref)
        live = select(Card.id).where(Card.holder == holder, Card.state != State.VOID)
        if state is not State.VOID and session.scalar(live) is not None:
            raise Refused(Refusal.HOLDER_HAS_CARD)
        card = Card(
            holder=holder,
            id_index=id_index,
            number_index=number_index,
            sealed=self._vault.seal(encode(ref), "cards", id_index),
            state=state,
            bank=BankFunction.CLOSED,
            registered_at=at,
        )
        session.add(card)
        session.flush()
        session.add(_line(card, by, at, "issue", 11, "", state))
        return card

    def new(self, session: Session, ref: CardRef) -> tuple[bytes, bytes]:
        """The blind indexes of id and number of a card that nobody has.

        Raises `Refused` CARD_EXISTS where either is a card's in the register, or that of a card
        which is made and waits for the holder who applied for it.
        """
        id_index = self._vault.index("card_id", ref.card_id)
        number_index = self._vault.index("card_number", ref.card_number)
        known = select(Card.id).where(
            (Card.id_index == id_index) | (Card.number_index == number_index)
        )
        waits = select(ApplicationRow.id).where(
            (ApplicationRow.made_id_index == id_index)
            | (ApplicationRow.made_number_index == number_index)
        )
        if session.scalar(known) is not None or session.scalar(waits) is not None:
            raise Refused(Refusal.CARD_EXISTS)
        return id_index, number_index

    def ref(self, card: Card) -> CardRef:
        """Card id and card number."""
        return decode(CardRef, self._vault.open(card.sealed, "cards", card.id_index))

    def happen(
        self, session: Session, card: Card, event: Event, by: By, at: datetime
    ) -> Transition:
        """Let an event happen to a card. Raises `LifecycleError`."""
        self.note_lapse(session, card, at)
        change = transition(life_of(card), event, by.channel, at, counting=self._counting)
        _record(session, card, change, by)
        if change.after.until is not None:
            self._deadlines.ring_after(session)
        if change.after.state is State.VOID:
            card.bank = BankFunction.CLOSED
        return change

    def note_lapse(self, session: Session, card: Card, now: datetime) -> None:
        """Write down that the card's temporary loss has lapsed, where it has (Article 18)."""
        lapsed = lapse(life_of(card), now)
        if lapsed is not None:
            _record(session, card, lapsed, TIME)

    def note_lapses(self, session: Session, now: datetime, at_most: int) -> int:
        """Write down the lapses up to now of so many cards, the oldest first; how many it were."""
        over = select(Card).where(Card.until <= now).order_by(Card.until, Card.id)
        cards = session.scalars(over.limit(at_most)).all()
        for card in cards:
            self.note_lapse(session, card, now)
        session.flush()
        return len(cards)

    def next_lapse(self, session: Session) -> datetime | None:
        """When the next temporary loss lapses, None while there is none."""
        return session.scalar(select(func.min(Card.until)))

    def happen_to_bank_function(
        self, session: Session, card: Card, event: BankEvent, by: By, at: datetime
    ) -> None:
        """Note what a service bank reports (Articles 14, 20). Raises `LifecycleError`."""
        self.note_lapse(session, card, at)
        if card.state == State.VOID:
            raise Refused(Refusal.CARD_VOID)
        before = BankFunction(card.bank)
        card.bank = bank_transition(before, event)
        line = _line(card, by, at, f"bank_{event}", event.article, before, card.bank)
        session.add(line)

    def status(self, card: Card, now: datetime) -> CardStatus:
        """The card's status now; a loss that has lapsed is not in it any more."""
        life = state_at(life_of(card), now)
        return CardStatus(
            card=self.ref(card),
            state=life.state.value,
            state_until=life.until,
            social_active=life.is_activated,
            financial_active=card.bank == BankFunction.OPEN,
            replaced=card.replaced_by is not None,
            as_of=now,
        )


def life_of(card: Card) -> Life:
    """The life that a card's row holds, whatever the time."""
    return Life(State(card.state), card.until, State(card.resumes) if card.resumes else None)


def usable(card: Card, now: datetime) -> None:
    """Raise `Refused` unless the social security function may be used now (Art. 12, 18, 23, 30)."""
    refusal = _NOT_USABLE.get(state_at(life_of(card), now).state)
    if refusal is not None:
        raise Refused(refusal)


_NOT_USABLE = {
    State.NOT_ACTIVATED: Refusal.NOT_ACTIVATED,
    State.TEMPORARILY_LOST: Refusal.CARD_TEMPORARILY_LOST,
    State.FORMALLY_LOST: Refusal.CARD_FORMALLY_LOST,
    State.VOID: Refusal.CARD_VOID,
    State.STOPPED: Refusal.CARD_STOPPED,
}


def _record(session: Session, card: Card, change: Transition, by: By) -> None:
    """Put a card into its next life and write the line of the audit trail."""
    card.state = change.after.state
    card.until = change.after.until
    card.resumes = change.after.resumes
    line = _line(
        card, by, change.at, change.event, change.article, change.before.state, change.after.state
    )
    line.until = change.after.until
    session.add(line)


def _line(
    card: Card, by: By, at: datetime, event: str, article: int, before: str, after: str
) -> LifeEvent:
    return LifeEvent(card=card.id, **by.wrote(at, event, article, before, after))
