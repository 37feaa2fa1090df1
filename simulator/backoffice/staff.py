"""What staff and the city's other systems do at the back office: cards, losses, freezes, codes.

Each method is one transaction, and what a change means for the blacklist is published in it: when a
loss report is accepted, the function is frozen (Article 18). Raises `Refused` where a rule says no.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.messages import Action, CardRef, CardStatus, ListingReason, Profile, Role, Scope
from simulator.backoffice import freezes
from simulator.backoffice.applications import Applications
from simulator.backoffice.bank_function import BankEvent
from simulator.backoffice.database import Database
from simulator.backoffice.days import WorkingCalendar, deadline
from simulator.backoffice.errors import Refused
from simulator.backoffice.freezes import FreezeLine
from simulator.backoffice.lifecycle import Channel, Event, State
from simulator.backoffice.listings import (
    Frozen,
    NumberRange,
    follow,
    freeze,
    listed_purse,
    not_frozen,
    unfreeze,
)
from simulator.backoffice.publisher import Publisher
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By, Register
from simulator.backoffice.schema import Access, Card, Institution, LifeEvent
from simulator.backoffice.terminals import Terminals
from simulator.backoffice.vault import Vault

REPLACEMENT_DAYS = 15
"""Within how many days of the application a new card has to be there (Article 23)."""

_NEW_CARD = frozenset({Event.REPLACE, Event.EXCHANGE, Event.REAPPLY})

PHONE = By(Channel.PHONE, "service telephone")
COMMUNITY_POINT = By(Channel.COMMUNITY_POINT, "community service point")
CENTRE = By(Channel.CENTRE, "card service centre")
BANK = By(Channel.CENTRE, "service bank")


@dataclass(frozen=True, slots=True)
class CardKey:
    """A card by its id or by its number; the id counts where both are given."""

    card_id: str | None = None
    card_number: str | None = None


@dataclass(frozen=True, slots=True)
class PurseKey:
    """A transport purse by its number, 19 digits."""

    number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewCard:
    """The old card, void now, and the one in its place; `due_at` ends the 15 days of Article 23."""

    old: CardStatus
    new: CardStatus
    due_at: datetime


@dataclass(frozen=True, slots=True)
class AccessLine:
    """Which terminal looked at whose data, when and at what."""

    at: datetime
    terminal: str
    what: str


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of a card's audit trail."""

    at: datetime
    event: str
    article: int
    channel: str
    actor: str
    reason: str
    before: str
    after: str
    until: datetime | None


class StaffDesk:
    """The staff's side of the back office. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        register: Register,
        publisher: Publisher,
        terminals: Terminals,
        calendar: WorkingCalendar,
        applications: Applications,
        vault: Vault,
    ) -> None:
        self._database = database
        self._vault = vault
        self._now = now
        self._register = register
        self._publisher = publisher
        self._terminals = terminals
        self._calendar = calendar
        self._applications = applications

    def add_institution(self, code: str, name: str, tier: int) -> None:
        """Take in an institution, or change its name and tier (1 to 3)."""
        with self._database.transaction() as session:
            session.merge(Institution(code=code, name=name, tier=tier))

    def create_enrolment_code(
        self, institution: str, profile: Profile | None = None, role: Role | None = None
    ) -> tuple[str, datetime]:
        """A one-time code for a terminal of a known institution, and until when it is good."""
        with self._database.transaction() as session:
            return self._terminals.create_code(session, institution, profile, role, self._now())

    def stop_terminal(self, terminal_id: str) -> None:
        """Know a terminal no more, whatever it shows. Raises `Refused` TERMINAL_UNKNOWN."""
        with self._database.transaction() as session:
            self._terminals.stop(session, terminal_id, self._now())

    def status(self, key: CardKey) -> CardStatus:
        """Where a card stands."""
        with self._database.transaction() as session:
            return self._register.status(self._found(session, key), self._now())

    def report_temporary_loss(self, key: CardKey, by: By = PHONE) -> CardStatus:
        """临时挂失: frozen at once, lifts by itself after five days (Article 18)."""
        return self._happen(key, Event.REPORT_TEMPORARY_LOSS, by)

    def report_formal_loss(self, key: CardKey, by: By = COMMUNITY_POINT) -> CardStatus:
        """正式挂失: stopped until released or replaced (Article 18)."""
        return self._happen(key, Event.REPORT_FORMAL_LOSS, by)

    def release_loss(self, key: CardKey, by: By = COMMUNITY_POINT) -> CardStatus:
        """解除挂失: usable again at once (Article 19)."""
        return self._happen(key, Event.RELEASE, by)

    def activate(self, key: CardKey, by: By = COMMUNITY_POINT) -> CardStatus:
        """开通 for the holder at a service point, online or by phone (Article 12).

        Raises `Refused` CARD_FROZEN too, as at a terminal.
        """
        with self._database.transaction() as session:
            now = self._now()
            card = self._found(session, key)
            not_frozen(session, card, self._register.ref(card).card_number)
            self._register.happen(session, card, Event.ACTIVATE, by, now)
            return self._register.status(card, now)

    def stop(self, key: CardKey, by: By = CENTRE) -> CardStatus:
        """Stop a card of before 2019 without the functions of Article 5 (Article 30)."""
        return self._happen(key, Event.STOP, by)

    def replace(
        self,
        key: CardKey,
        new: CardRef,
        event: Event = Event.REPLACE,
        by: By = COMMUNITY_POINT,
        *,
        activated: bool = False,
        applied_at: datetime | None = None,
    ) -> NewCard:
        """Hand out a new card; the old one is void for ever (Articles 19, 21, 22, 23).

        `event` is REPLACE, EXCHANGE or REAPPLY; others raise `Refused` BAD_REQUEST. `activated`:
        the service point activates the new card with it (Article 12). `applied_at` None: on the
        spot.
        """
        if event not in _NEW_CARD:
            raise Refused(Refusal.BAD_REQUEST, detail="this event brings no new card")
        with self._database.transaction() as session:
            now = self._now()
            old = self._found(session, key)
            self._register.happen(session, old, event, by, now)
            card = self._register.add_card(session, old.holder, new, State.NOT_ACTIVATED, by, now)
            card.service_bank = old.service_bank
            old.replaced_by = card.id
            self._applications.settle_with_card(session, old, event, by, now)
            if activated:
                self._register.happen(session, card, Event.ACTIVATE, by, now)
            follow(session, old, now)
            self._publisher.publish(session, now)
            due = deadline(applied_at or now, REPLACEMENT_DAYS, self._calendar)
            return NewCard(self._register.status(old, now), self._register.status(card, now), due)

    def bank_event(
        self, key: CardKey, event: BankEvent, by: By = BANK, bank: str | None = None
    ) -> CardStatus:
        """Note what a service bank reports of the financial function (Articles 14, 20).

        `bank` is its code in the catalogue: the bank that opens the function is the card's service
        bank from then on. Another one than that needs a new application (Article 22), and raises
        `Refused` OTHER_BANK.
        """
        with self._database.transaction() as session:
            now = self._now()
            card = self._found(session, key)
            if bank is not None:
                self._applications.services.choose_bank(card, bank)
            self._register.happen_to_bank_function(session, card, event, by, now)
            return self._register.status(card, now)

    def freeze(
        self,
        what: CardKey | NumberRange | PurseKey,
        *,
        reason: ListingReason = "freeze",
        scope: tuple[Scope, ...] = ("social_security",),
        action: Action = "refuse",
        by: By = CENTRE,
    ) -> None:
        """Freeze a card, a range of card numbers or a transport purse until it is lifted."""
        with self._database.transaction() as session:
            now = self._now()
            row = freeze(session, self._frozen(session, what), reason, scope, action, now)
            freezes.note(session, row, freezes.FROZEN, by, now)
            self._publisher.publish(session, now)

    def unfreeze(self, what: CardKey | NumberRange | PurseKey, by: By = CENTRE) -> None:
        """Lift the freezes of exactly this card, range or purse. Raises `Refused` NOT_FROZEN."""
        with self._database.transaction() as session:
            now = self._now()
            for row in unfreeze(session, self._frozen(session, what)):
                freezes.note(session, row, freezes.LIFTED, by, now)
            self._publisher.publish(session, now)

    def freezes(self) -> tuple[FreezeLine, ...]:
        """What was frozen and lifted last, newest first: what, when, where, by whom and why."""
        with self._database.transaction() as session:
            return freezes.trail(session, self._register, self._vault)

    def history(self, key: CardKey) -> tuple[HistoryLine, ...]:
        """The card's audit trail, oldest first: what, when, where, by whom and why."""
        with self._database.transaction() as session:
            card = self._found(session, key)
            self._register.note_lapse(session, card, self._now())
            session.flush()
            lines = select(LifeEvent).where(LifeEvent.card == card.id).order_by(LifeEvent.id)
            return tuple(_history_line(line) for line in session.scalars(lines))

    def accesses(self, key: CardKey) -> tuple[AccessLine, ...]:
        """Who looked at the data behind a card, oldest first (Articles 25, 27)."""
        with self._database.transaction() as session:
            card = self._found(session, key)
            rows = select(Access).where(Access.card == card.id).order_by(Access.id)
            return tuple(AccessLine(r.at, r.terminal, r.what) for r in session.scalars(rows))

    def _happen(self, key: CardKey, event: Event, by: By) -> CardStatus:
        with self._database.transaction() as session:
            now = self._now()
            card = self._found(session, key)
            self._register.happen(session, card, event, by, now)
            self._applications.settle_with_card(session, card, event, by, now)
            follow(session, card, now)
            self._publisher.publish(session, now)
            return self._register.status(card, now)

    def _found(self, session: Session, key: CardKey) -> Card:
        return self._register.find_by(session, card_id=key.card_id, card_number=key.card_number)

    def _frozen(self, session: Session, what: CardKey | NumberRange | PurseKey) -> Frozen:
        if isinstance(what, PurseKey):
            return listed_purse(self._vault, what.number)
        return self._found(session, what) if isinstance(what, CardKey) else what


def _history_line(row: LifeEvent) -> HistoryLine:
    return HistoryLine(
        row.at,
        row.event,
        row.article,
        row.channel,
        row.actor,
        row.reason,
        row.before,
        row.after,
        row.until,
    )
