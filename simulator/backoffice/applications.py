"""The register of applications: taking them in, verifying, making, issuing, and what is overdue.

Every method works in the caller's transaction. A step is decided by `application` and written into
the audit trail with who, where, when and why; the card that is handed out, and the old one that
becomes void with it, are events of the cards' own lifecycle. A duty that was not met in time is
noted when anybody next looks, with the instant at which it was due; no job has to run for it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.codec import decode, encode
from backend_client.life_messages import (
    ApplicationProgress,
    ApplicationStage,
    Catalogue,
    RejectionReason,
    ServicePoint,
)
from backend_client.life_messages import Cause as CauseName
from backend_client.messages import CardRef
from simulator.backoffice.applicant import Applicant, birth_date, check_applicant
from simulator.backoffice.application import (
    FEE_FEN,
    Application,
    Cause,
    Department,
    Duty,
    DutyKind,
    Kind,
    Stage,
    Step,
    Verdict,
    apply,
    duties,
    issue_event,
    judge,
    step,
)
from simulator.backoffice.days import WorkingCalendar
from simulator.backoffice.errors import Refused
from simulator.backoffice.figures import Figures
from simulator.backoffice.lifecycle import Channel, Event, State, state_at
from simulator.backoffice.listings import follow
from simulator.backoffice.publisher import Publisher
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By, Register, life_of
from simulator.backoffice.schema import Account, Card, Holder
from simulator.backoffice.schema_life import (
    ApplicationEvent,
    ApplicationRow,
    OverdueRow,
    VerdictRow,
)
from simulator.backoffice.vault import Vault

log = logging.getLogger(__name__)

_AT_A_COUNTER = {Channel.COMMUNITY_POINT: "community_point", Channel.BANK_POINT: "bank_point"}
_OPEN = [stage for stage in Stage if stage.is_open]
_ON_THE_SPOT = frozenset({Kind.REPLACEMENT, Kind.EXCHANGE})
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an application asks for beside its cause: codes of the catalogue, None for none."""

    bank: str | None = None
    pick_up: str | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """What public security knows better (Article 22): a new name or number, None for no change."""

    name: str | None = None
    ssn: str | None = None


class Applications:
    """Applications over the register of cards."""

    def __init__(
        self, register: Register, publisher: Publisher, figures: Figures, vault: Vault
    ) -> None:
        self._register = register
        self._publisher = publisher
        self._figures = figures
        self._vault = vault

    @property
    def catalogue(self) -> Catalogue:
        """Services, service banks and service points."""
        return self._figures.catalogue

    # Taking in

    def apply_first(
        self, session: Session, applicant: Applicant, wanted: Wanted, by: By, at: datetime
    ) -> ApplicationRow:
        """申领 (Articles 8, 9, 29). Raises `Refused`."""
        check_applicant(applicant)
        ssn_index = self._vault.index("ssn", applicant.ssn)
        holder = session.scalar(select(Holder).where(Holder.ssn_index == ssn_index))
        card = self.card_of(session, holder.id) if holder else None
        application = apply(
            Cause.NO_CARD, by.channel, at, card=life_of(card) if card is not None else None
        )
        said = {"applicant": asdict(applicant)}
        return self._add(session, application, holder, ssn_index, None, said, wanted, by)

    def apply_for(
        self, session: Session, card: Card, cause: Cause, wanted: Wanted, by: By, at: datetime
    ) -> ApplicationRow:
        """补领, 换领, 重新申领 for the holder of a card (Articles 19, 21, 22). Raises `Refused`."""
        holder = session.get_one(Holder, card.holder)
        application = apply(cause, by.channel, at, card=life_of(card), born=self.born(holder))
        return self._add(session, application, holder, holder.ssn_index, card, {}, wanted, by)

    def _add(
        self,
        session: Session,
        application: Application,
        holder: Holder | None,
        ssn_index: bytes,
        card: Card | None,
        said: Mapping[str, Any],
        wanted: Wanted,
        by: By,
    ) -> ApplicationRow:
        at = application.received_at
        self.note_overdue(session, at)
        mine = ApplicationRow.ssn_index == ssn_index
        if session.scalar(select(ApplicationRow).where(mine, ApplicationRow.stage.in_(_OPEN))):
            raise Refused(Refusal.APPLICATION_OPEN)
        self._check(wanted)
        if application.cause is Cause.BANK and wanted.bank is None:
            raise Refused(Refusal.BANK_UNKNOWN)
        row = ApplicationRow(
            cause=application.cause,
            channel=application.channel,
            received_at=at,
            stage=application.stage,
            holder=holder.id if holder else None,
            ssn_index=ssn_index,
            card=card.id if card else None,
            bank=wanted.bank,
            point=wanted.pick_up,
            sealed=b"",
        )
        session.add(row)
        session.flush()
        self._seal(row, said)
        self._put(session, row, application)
        article = application.purpose.article
        session.add(_event(row, by, at, "apply", article, "", application.stage))
        return row

    def _check(self, wanted: Wanted) -> None:
        if wanted.bank is not None and wanted.bank not in self._bank_names():
            raise Refused(Refusal.BANK_UNKNOWN)
        if wanted.pick_up is not None:
            self.point(wanted.pick_up)

    # Going on

    def find(self, session: Session, application_id: str) -> ApplicationRow:
        """The application of that id. Raises `Refused` APPLICATION_UNKNOWN."""
        digits = application_id.removeprefix("A")
        row = (
            session.get(ApplicationRow, int(digits), with_for_update=True)
            if digits.isascii() and digits.isdigit() and len(digits) < 16
            else None
        )
        if row is None or application_id != id_of(row):
            raise Refused(Refusal.APPLICATION_UNKNOWN)
        return row

    def judge(
        self,
        session: Session,
        row: ApplicationRow,
        department: Department,
        verdict: Verdict,
        correction: Correction,
        by: By,
    ) -> None:
        """One department's verdict (Article 10). Raises `LifecycleError`."""
        self.note_overdue(session, verdict.at)
        before = self.application(session, row)
        after = judge(before, department, verdict, by.channel)
        session.add(
            VerdictRow(
                application=row.id,
                department=department,
                passed=verdict.passed,
                reason=verdict.reason,
                at=verdict.at,
            )
        )
        if department is Department.PUBLIC_SECURITY:
            known = {k: v for k, v in asdict(correction).items() if v is not None}
            self._seal(row, {**self._said(row), "correction": known})
        self._put(session, row, after)
        said = f"{department}: {verdict.reason or 'passed'}"
        line = replace(by, reason=said[:200])
        session.add(_event(row, line, verdict.at, "verdict", 10, before.stage, after.stage))

    def make(
        self, session: Session, row: ApplicationRow, new: CardRef, by: By, at: datetime
    ) -> None:
        """The card is made and waits for its holder (Articles 11, 23). Raises `LifecycleError`."""
        self._step(session, row, Step.MAKE, by, at)
        self._seal(row, {**self._said(row), "new": encode(new)})

    def issue(
        self,
        session: Session,
        row: ApplicationRow,
        by: By,
        at: datetime,
        *,
        activated: bool = False,
    ) -> Card:
        """The card is handed out; the old one is void for ever (Articles 11, 23).

        Raises `Refused`, also for what the old card's lifecycle says no to: one that is reported
        lost for some days is to be released or lost formally first.
        """
        said = self._step(session, row, Step.ISSUE, by, at)
        old = session.get(Card, row.card, with_for_update=True) if row.card is not None else None
        if old is not None:
            event = issue_event(self.application(session, row), state_at(life_of(old), at).state)
            if event is not None:
                self._register.happen(session, old, event, by, at)
        holder = self._holder(session, row, said)
        ref = decode(CardRef, said["new"])
        new = self._register.add_card(session, holder, ref, State.NOT_ACTIVATED, by, at)
        new.service_bank = row.bank or (old.service_bank if old is not None else None)
        if activated:
            self._register.happen(session, new, Event.ACTIVATE, by, at)
        if old is not None:
            old.replaced_by = new.id
            follow(session, old, at)
            self._publisher.publish(session, at)
        return new

    def withdraw(self, session: Session, row: ApplicationRow, by: By, at: datetime) -> None:
        """The applicant does not want it any more. Raises `LifecycleError`."""
        self._step(session, row, Step.WITHDRAW, by, at)

    def on_the_spot(
        self,
        session: Session,
        card: Card,
        cause: Cause,
        new: CardRef,
        point: str,
        by: By,
        at: datetime,
    ) -> tuple[ApplicationRow, Card]:
        """即时补换卡 at a service point that can (Article 23). Raises `Refused`.

        For a replacement or an exchange; what has to be verified first takes its time.
        """
        where = self.point(point)
        row = self.apply_for(session, card, cause, Wanted(pick_up=point), by, at)
        kind = self.application(session, row).purpose.kind
        at_this_counter = _AT_A_COUNTER.get(by.channel) == where.kind
        if not (where.makes_cards and at_this_counter and kind in _ON_THE_SPOT):
            raise Refused(Refusal.POINT_MAKES_NO_CARDS)
        self.make(session, row, new, by, at)
        return row, self.issue(session, row, by, at)

    def settle_with_card(
        self, session: Session, card: Card, event: Event, by: By, at: datetime
    ) -> None:
        """What an event in a card's life means for what its holder has applied for.

        A lost card that was found is not replaced: the application ends (Article 19). A card that
        became void was replaced otherwise.
        """
        row = self.open_of(session, card.holder)
        if row is None or row.card != card.id:
            return
        if event is Event.RELEASE and row.cause == Cause.LOST:
            reason = "the card was found"
        elif card.state == State.VOID:
            reason = "another card took its place"
        else:
            return
        self.withdraw(session, row, By(Channel.CENTRE, by.actor, reason), at)

    def _step(
        self, session: Session, row: ApplicationRow, what: Step, by: By, at: datetime
    ) -> Mapping[str, Any]:
        """Take a step and note it; what the application says so far."""
        self.note_overdue(session, at)
        before = self.application(session, row)
        after = step(before, what, by.channel, at)
        self._put(session, row, after)
        article = after.purpose.article if what is Step.WITHDRAW else 11
        session.add(_event(row, by, at, what, article, before.stage, after.stage))
        return self._said(row)

    def _holder(self, session: Session, row: ApplicationRow, said: Mapping[str, Any]) -> int:
        """The holder's row: made for a new holder, corrected where something has changed."""
        correction = said.get("correction", {})
        if row.holder is None:
            applicant = {**said["applicant"], **correction}
            row.holder = self._register.add_holder(
                session, applicant["ssn"], applicant["name"], applicant["insured_as"]
            )
            if session.get(Account, row.holder) is None:
                year = self._figures.medical_year(row.received_at.date())
                session.add(
                    Account(holder=row.holder, medical_year=year, current_fen=0, past_fen=0)
                )
        elif correction:
            self._register.rename(session, session.get_one(Holder, row.holder), **correction)
        return row.holder

    # Looking

    def application(self, session: Session, row: ApplicationRow) -> Application:
        """The application that a row holds."""
        found = session.scalars(select(VerdictRow).where(VerdictRow.application == row.id))
        verdicts = {Department(v.department): Verdict(v.passed, v.reason, v.at) for v in found}
        return Application(
            Cause(row.cause),
            Channel(row.channel),
            row.received_at,
            Stage(row.stage),
            verdicts,
            row.verified_at,
            row.made_at,
            row.closed_at,
        )

    def progress(self, session: Session, row: ApplicationRow) -> ApplicationProgress:
        """What the applicant is told."""
        application = self.application(session, row)
        reasons = tuple(
            RejectionReason(department.value, text)
            for department, text in application.reasons
            if application.stage is Stage.REJECTED
        )
        owed = [duty.due_at for duty in self._duties(application) if duty.met_at is None]
        return ApplicationProgress(
            application_id=id_of(row),
            cause=cast(CauseName, row.cause),
            article=application.purpose.article,
            stage=cast(ApplicationStage, row.stage),
            received_at=row.received_at,
            due_at=min(owed, default=None),
            reasons=reasons,
            pick_up=self.point(row.point).name_zh if row.point is not None else "",
            fee_fen=FEE_FEN,
        )

    def of_holder(self, session: Session, holder: int) -> tuple[ApplicationProgress, ...]:
        """The holder's applications, newest first."""
        query = select(ApplicationRow).where(ApplicationRow.holder == holder)
        rows = session.scalars(query.order_by(ApplicationRow.id.desc()).limit(_SHOWN)).all()
        return tuple(self.progress(session, row) for row in rows)

    def open_of(self, session: Session, holder: int) -> ApplicationRow | None:
        """The application of a holder that is under way; there is never more than one."""
        query = select(ApplicationRow).where(
            ApplicationRow.holder == holder, ApplicationRow.stage.in_(_OPEN)
        )
        return session.scalar(query)

    def card_of(self, session: Session, holder: int) -> Card | None:
        """The holder's card: the one that is not void, else the last one."""
        query = select(Card).where(Card.holder == holder)
        live = Card.state == State.VOID
        return session.scalar(query.order_by(live, Card.id.desc()).limit(1))

    def born(self, holder: Holder) -> date | None:
        """When a holder was born, None where the number does not say."""
        return birth_date(self._register.person(holder)[1])

    def point(self, point_id: str) -> ServicePoint:
        """The service point of that id. Raises `Refused` POINT_UNKNOWN."""
        for point in self.catalogue.points:
            if point.point_id == point_id:
                return point
        raise Refused(Refusal.POINT_UNKNOWN)

    def choose_bank(self, card: Card, code: str) -> None:
        """Let a bank be the card's service bank. Raises `Refused` BANK_UNKNOWN or OTHER_BANK."""
        if code not in self._bank_names():
            raise Refused(Refusal.BANK_UNKNOWN)
        if card.service_bank not in (None, code):
            raise Refused(Refusal.OTHER_BANK)
        card.service_bank = code

    def bank_name(self, code: str | None) -> str:
        """The name of a service bank, empty for none."""
        return self._bank_names().get(code or "", code or "")

    def _bank_names(self) -> Mapping[str, str]:
        return {bank.code: bank.name_zh for bank in self.catalogue.banks}

    def history(self, session: Session, row: ApplicationRow) -> Sequence[ApplicationEvent]:
        """The audit trail of an application, oldest first."""
        mine = ApplicationEvent.application == row.id
        return session.scalars(
            select(ApplicationEvent).where(mine).order_by(ApplicationEvent.id)
        ).all()

    # What is overdue

    def note_overdue(self, session: Session, now: datetime) -> None:
        """Note every duty that was not met by the time it was due and is not noted yet."""
        due = select(ApplicationRow).where(ApplicationRow.due_at <= now)
        for row in session.scalars(due.order_by(ApplicationRow.due_at, ApplicationRow.id)).all():
            later = []
            for duty in self._duties(self.application(session, row)):
                if duty.is_overdue(now):
                    _note(session, row, duty.kind, duty.article, duty.due_at, now)
                elif duty.met_at is None:
                    later.append(duty.due_at)
            row.due_at = min(later, default=None)
        session.flush()

    def overdue(self, session: Session) -> Sequence[OverdueRow]:
        """Every duty that was not met in time, oldest first."""
        return session.scalars(select(OverdueRow).order_by(OverdueRow.due_at, OverdueRow.id)).all()

    def _duties(self, application: Application) -> Sequence[Duty]:
        return duties(application, self._calendar)

    @property
    def _calendar(self) -> WorkingCalendar:
        return self._figures.calendar

    # Keeping

    def _put(self, session: Session, row: ApplicationRow, application: Application) -> None:
        row.stage = application.stage
        row.verified_at = application.verified_at
        row.made_at = application.made_at
        row.closed_at = application.closed_at
        owed = [duty.due_at for duty in self._duties(application) if duty.met_at is None]
        noted = select(OverdueRow.due_at).where(OverdueRow.application == row.id)
        known = set(session.scalars(noted))
        row.due_at = min((due for due in owed if due not in known), default=None)
        session.flush()

    def _seal(self, row: ApplicationRow, said: Mapping[str, Any]) -> None:
        row.sealed = self._vault.seal(dict(said), "applications", id_of(row))

    def _said(self, row: ApplicationRow) -> Mapping[str, Any]:
        opened = self._vault.open(row.sealed, "applications", id_of(row))
        return cast(Mapping[str, Any], opened)


def id_of(row: ApplicationRow) -> str:
    """The id under which applicants and staff know an application."""
    return f"A{row.id:08d}"


def _note(
    session: Session,
    row: ApplicationRow,
    duty: DutyKind,
    article: int,
    due_at: datetime,
    now: datetime,
) -> None:
    """Note one overdue duty, once."""
    known = select(OverdueRow.id).where(OverdueRow.application == row.id, OverdueRow.duty == duty)
    if session.scalar(known) is None:
        log.warning("application %s: %s is overdue (Article %d)", id_of(row), duty, article)
        session.add(
            OverdueRow(application=row.id, duty=duty, article=article, due_at=due_at, raised_at=now)
        )


def _event(
    row: ApplicationRow, by: By, at: datetime, event: str, article: int, before: str, after: str
) -> ApplicationEvent:
    return ApplicationEvent(
        application=row.id,
        at=at,
        event=event,
        article=article,
        channel=by.channel,
        actor=by.actor,
        reason=by.reason,
        before=before,
        after=after,
    )
