"""The register of applications: taking them in, verifying, making, issuing.

Every method works in the caller's transaction. A step is decided by `application` and written into
the audit trail with who, where, when and why; the card that is handed out, and the old one that
becomes void with it, are events of the cards' own lifecycle. What was overdue before a step is
noted before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.codec import decode, encode
from backend_client.life_messages import (
    ApplicationProgress,
    ApplicationStage,
    RejectionReason,
)
from backend_client.life_messages import Cause as CauseName
from backend_client.messages import CardRef
from simulator.backoffice.applicant import Applicant, birth_date, check_applicant
from simulator.backoffice.application import (
    FEE_FEN,
    Application,
    Cause,
    Department,
    Kind,
    Stage,
    Step,
    Verdict,
    apply,
    issue_event,
    judge,
    step,
)
from simulator.backoffice.application_rows import application_of, id_of, line_of
from simulator.backoffice.errors import Refused
from simulator.backoffice.figures import Figures
from simulator.backoffice.lifecycle import Channel, Event, State, state_at
from simulator.backoffice.listings import follow
from simulator.backoffice.overdue import Overdue
from simulator.backoffice.publisher import Publisher
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By, Register, life_of
from simulator.backoffice.schema import Account, Card, Holder
from simulator.backoffice.schema_life import ApplicationRow, VerdictRow
from simulator.backoffice.services import Services
from simulator.backoffice.vault import Vault

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
        self,
        register: Register,
        publisher: Publisher,
        figures: Figures,
        vault: Vault,
        overdue: Overdue,
    ) -> None:
        self.services = Services(figures.catalogue)
        self.overdue = overdue
        self._register = register
        self._publisher = publisher
        self._figures = figures
        self._vault = vault

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
        self.overdue.note(session, at)
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
        session.add(line_of(row, by, at, "apply", article, "", application.stage))
        return row

    def _check(self, wanted: Wanted) -> None:
        if wanted.bank is not None:
            self.services.check_bank(wanted.bank)
        if wanted.pick_up is not None:
            self.services.point(wanted.pick_up)

    # Going on

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
        self.overdue.note(session, verdict.at)
        before = application_of(session, row)
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
        session.add(line_of(row, line, verdict.at, "verdict", 10, before.stage, after.stage))

    def make(
        self, session: Session, row: ApplicationRow, new: CardRef, by: By, at: datetime
    ) -> None:
        """The card is made and waits for its holder (Articles 11, 23).

        Raises `LifecycleError`, and `Refused` CARD_EXISTS for a card that is somebody's already.
        """
        self._step(session, row, Step.MAKE, by, at)
        row.made_id_index, row.made_number_index = self._register.new(session, new)
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
            event = issue_event(application_of(session, row), state_at(life_of(old), at).state)
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
        where = self.services.point(point)
        row = self.apply_for(session, card, cause, Wanted(pick_up=point), by, at)
        kind = application_of(session, row).purpose.kind
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
        self.overdue.note(session, at)
        before = application_of(session, row)
        after = step(before, what, by.channel, at)
        self._put(session, row, after)
        article = after.purpose.article if what is Step.WITHDRAW else 11
        session.add(line_of(row, by, at, what, article, before.stage, after.stage))
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

    def progress(self, session: Session, row: ApplicationRow) -> ApplicationProgress:
        """What the applicant is told."""
        application = application_of(session, row)
        reasons = tuple(
            RejectionReason(department.value, text)
            for department, text in application.reasons
            if application.stage is Stage.REJECTED
        )
        return ApplicationProgress(
            application_id=id_of(row),
            cause=cast(CauseName, row.cause),
            article=application.purpose.article,
            stage=cast(ApplicationStage, row.stage),
            received_at=row.received_at,
            due_at=self.overdue.next_owed(application),
            reasons=reasons,
            pick_up=self.services.point(row.point).name_zh if row.point is not None else "",
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

    # Keeping

    def _put(self, session: Session, row: ApplicationRow, application: Application) -> None:
        row.stage = application.stage
        row.verified_at = application.verified_at
        row.made_at = application.made_at
        row.closed_at = application.closed_at
        if application.stage is not Stage.READY:
            row.made_id_index = row.made_number_index = None
        self.overdue.expect(session, row, application)
        session.flush()

    def _seal(self, row: ApplicationRow, said: Mapping[str, Any]) -> None:
        row.sealed = self._vault.seal(dict(said), "applications", id_of(row))

    def _said(self, row: ApplicationRow) -> Mapping[str, Any]:
        opened = self._vault.open(row.sealed, "applications", id_of(row))
        return cast(Mapping[str, Any], opened)
