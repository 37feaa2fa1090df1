"""What terminals may ask about the life of cards: losses, applications, the electronic card.

One method a message. What a holder may do here, and through which channel it counts, is the rule
of `proofs.py`; whether a card allows it is its lifecycle's. Answers name no card and no person, so
that whoever gives somebody else's name learns nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import cast

from sqlalchemy.orm import Session

from backend_client.life_messages import (
    ApplicationResult,
    BankFunctionState,
    CardApplication,
    Catalogue,
    EcardCode,
    EcardCodeRequest,
    EcardRequest,
    EcardResult,
    LifeResult,
    LossRequest,
    ReleaseRequest,
    SignedIn,
    SignInRequest,
    Standing,
    StandingQuery,
)
from backend_client.messages import CardRef
from simulator.backoffice.application import PHOTO_AGE, Cause
from simulator.backoffice.applications import Applications, Wanted
from simulator.backoffice.database import Database
from simulator.backoffice.days import birthday, local
from simulator.backoffice.ecards import Ecards
from simulator.backoffice.errors import Refused
from simulator.backoffice.lifecycle import Event, State, state_at
from simulator.backoffice.listings import follow, not_frozen
from simulator.backoffice.proofs import Known, Proofs
from simulator.backoffice.publisher import Publisher
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import Register, life_of, usable
from simulator.backoffice.schema import Access, Card, Holder
from simulator.backoffice.terminals import Caller
from simulator.backoffice.wishes import Wishes


class LifeDesk:
    """The terminals' side of the cards' lives. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        register: Register,
        publisher: Publisher,
        applications: Applications,
        ecards: Ecards,
        proofs: Proofs,
        wishes: Wishes,
    ) -> None:
        self._database = database
        self._now = now
        self._register = register
        self._publisher = publisher
        self._applications = applications
        self._ecards = ecards
        self._proofs = proofs
        self._wishes = wishes

    def catalogue(self) -> Catalogue:
        """Services, service banks and service points (Article 15)."""
        return self._applications.services.catalogue

    def standing(self, caller: Caller, query: StandingQuery) -> Standing:
        """Where each function of the holder's card stands, and what is under way."""
        with self._database.transaction() as session:
            now = self._now()
            known = self._proofs.proved(session, caller, query.proof, now)
            session.add(
                Access(card=known.card.id, at=now, terminal=caller.terminal_id, what="standing")
            )
            return self._standing(session, known.card, now)

    def report_loss(self, caller: Caller, request: LossRequest) -> LifeResult:
        """临时挂失 or 正式挂失; the function is frozen at once (Article 18)."""
        temporary = request.kind == "temporary"
        event = Event.REPORT_TEMPORARY_LOSS if temporary else Event.REPORT_FORMAL_LOSS
        if not temporary and request.proof.identity is not None:
            raise Refused(Refusal.IDENTITY_NOT_PROVED, article=18)
        return self._happens(caller, request, event)

    def release(self, caller: Caller, request: ReleaseRequest) -> LifeResult:
        """解除挂失; the function is there again at once (Article 19)."""
        if request.proof.identity is not None:
            raise Refused(Refusal.IDENTITY_NOT_PROVED, article=19)
        return self._happens(caller, request, Event.RELEASE)

    def apply(self, caller: Caller, request: CardApplication) -> ApplicationResult:
        """补领, 换领 or 重新申领 (Articles 19, 21, 22)."""

        def work(session: Session, now: datetime) -> ApplicationResult:
            known = self._proofs.proved(session, caller, request.proof, now)
            wanted = Wanted(request.bank, request.pick_up)
            row = self._applications.apply_for(
                session, known.card, Cause(request.cause), wanted, known.by, now
            )
            return ApplicationResult(request.request_id, self._applications.progress(session, row))

        return self._wishes.once(caller, request.request_id, request, ApplicationResult, work)

    def issue_ecard(self, caller: Caller, request: EcardRequest) -> EcardResult:
        """An electronic card for the holder of the card in the terminal (Article 31)."""

        def work(session: Session, now: datetime) -> EcardResult:
            card = self._in_use(session, request.card, now)
            self._ecards.issue(session, card.holder, request.pin, caller.terminal_id, now)
            session.add(Access(card=card.id, at=now, terminal=caller.terminal_id, what="ecard"))
            return EcardResult(request.request_id, now)

        return self._wishes.once(caller, request.request_id, request, EcardResult, work)

    def ecard_code(self, _caller: Caller, request: EcardCodeRequest) -> EcardCode:
        """A code for the QR picture of the electronic card."""
        with self._database.transaction() as session:
            now = self._now()
            card = self._in_use(session, request.card, now)
            return EcardCode(*self._ecards.code(session, card.holder, now))

    def sign_in(self, caller: Caller, request: SignInRequest) -> SignedIn:
        """Sign in with the electronic card: the holder need not have the card at hand."""
        with self._database.transaction() as session:
            now = self._now()
            found = self._ecards.sign_in(session, caller, request.code, request.pin, now)
            if not isinstance(found, Refused):
                holder, secret, until = found
                name = self._register.person(session.get_one(Holder, holder))[0]
                return SignedIn(secret, name[:1] + "*" * (len(name) - 1), until)
        raise found

    def _happens(
        self, caller: Caller, request: LossRequest | ReleaseRequest, event: Event
    ) -> LifeResult:
        """Let an event happen to the card of whoever asks."""
        self._note_wrong_identity(caller, request)

        def work(session: Session, now: datetime) -> LifeResult:
            known = self._proofs.who(session, caller, request.proof, now)
            if isinstance(known, Refused):
                raise known
            return self._happened(session, known, request.request_id, event, now)

        return self._wishes.once(caller, request.request_id, request, LifeResult, work)

    def _note_wrong_identity(self, caller: Caller, request: LossRequest | ReleaseRequest) -> None:
        """Count a wrong identity in a transaction of its own, as the refusal undoes the other."""
        if request.proof.identity is None:
            return
        with self._database.transaction() as session:
            known = self._proofs.who(session, caller, request.proof, self._now())
        if isinstance(known, Refused):
            raise known

    def _happened(
        self, session: Session, known: Known, request_id: str, event: Event, now: datetime
    ) -> LifeResult:
        card = known.card
        self._register.happen(session, card, event, known.by, now)
        self._applications.settle_with_card(session, card, event, known.by, now)
        follow(session, card, now)
        self._publisher.publish(session, now)
        life = life_of(card)
        return LifeResult(request_id, life.state.value, life.until, now)

    def _standing(self, session: Session, card: Card, now: datetime) -> Standing:
        self._applications.overdue.note(session, now)
        life = state_at(life_of(card), now)
        return Standing(
            state=life.state.value,
            state_until=life.until,
            bank_function=cast(BankFunctionState, card.bank),
            bank=self._applications.services.bank_name(card.service_bank),
            has_ecard=self._ecards.exists(session, card.holder),
            photo_due=self._photo_due(session, card),
            applications=self._applications.of_holder(session, card.holder),
            as_of=now,
        )

    def _photo_due(self, session: Session, card: Card) -> date | None:
        """From which day on the card needs a photo: it was issued to a child under seven (22)."""
        born = self._applications.born(session.get_one(Holder, card.holder))
        if born is None or card.state == State.VOID:
            return None
        seven = birthday(born, PHOTO_AGE)
        return seven if local(card.registered_at).date() < seven else None

    def _in_use(self, session: Session, ref: CardRef, now: datetime) -> Card:
        """The card, which may be used now. Raises `Refused`."""
        card = self._register.find(session, ref)
        usable(card, now)
        not_frozen(session, card, ref.card_number)
        return card
