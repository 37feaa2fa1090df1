"""What staff do about applications, and what they see of duties that were not met in time.

Each method is one transaction. Raises `Refused` where a rule says no.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from backend_client.life_messages import ApplicationProgress
from backend_client.messages import CardRef, CardStatus
from simulator.backoffice.applicant import Applicant
from simulator.backoffice.application import Cause, Department, Verdict
from simulator.backoffice.application_rows import application_history, find_application, id_of
from simulator.backoffice.applications import Applications, Correction, Wanted
from simulator.backoffice.database import Database
from simulator.backoffice.ecards import Ecards
from simulator.backoffice.errors import Refused
from simulator.backoffice.lifecycle import Channel
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By, Register
from simulator.backoffice.schema import Card
from simulator.backoffice.schema_life import ApplicationRow
from simulator.backoffice.staff import COMMUNITY_POINT, CardKey

CENTRE = By(Channel.CENTRE, "card service centre")


@dataclass(frozen=True, slots=True)
class OverdueLine:
    """A duty that was not met in time: whose, by which article, since when."""

    application_id: str
    duty: str
    article: int
    due_at: datetime
    raised_at: datetime
    stage: str


@dataclass(frozen=True, slots=True)
class ApplicationLine:
    """One line of an application's audit trail."""

    at: datetime
    event: str
    article: int
    channel: str
    actor: str
    reason: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A card that was handed out, by which application."""

    progress: ApplicationProgress
    new: CardStatus


class Clerks:
    """The staff's side of applications. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        register: Register,
        applications: Applications,
        ecards: Ecards,
    ) -> None:
        self._database = database
        self._now = now
        self._register = register
        self._applications = applications
        self._ecards = ecards

    def apply_first(
        self,
        applicant: Applicant,
        wanted: Wanted | None = None,
        by: By = COMMUNITY_POINT,
        *,
        checked: bool = True,
    ) -> ApplicationProgress:
        """申领 (Articles 8, 9, 29). `checked`: the counter has checked the data on the spot.

        Online there is no counter, and public security checks all of it.
        """
        if not checked and by.channel is not Channel.ONLINE:
            raise Refused(Refusal.IDENTITY_NOT_CHECKED)
        with self._database.transaction() as session:
            row = self._applications.apply_first(
                session, applicant, wanted or Wanted(), by, self._now()
            )
            return self._applications.progress(session, row)

    def apply_for(
        self, key: CardKey, cause: Cause, wanted: Wanted | None = None, by: By = COMMUNITY_POINT
    ) -> ApplicationProgress:
        """补领, 换领 or 重新申领 for the holder of a card (Articles 19, 21, 22)."""
        with self._database.transaction() as session:
            card = self._found(session, key)
            row = self._applications.apply_for(
                session, card, cause, wanted or Wanted(), by, self._now()
            )
            return self._applications.progress(session, row)

    def judge(
        self,
        application_id: str,
        department: Department,
        *,
        passed: bool,
        reason: str = "",
        correction: Correction | None = None,
        by: By = CENTRE,
    ) -> ApplicationProgress:
        """One department's verdict (Article 10)."""
        with self._database.transaction() as session:
            row = find_application(session, application_id)
            verdict = Verdict(passed, "" if passed else reason, self._now())
            self._applications.judge(
                session, row, department, verdict, correction or Correction(), by
            )
            return self._applications.progress(session, row)

    def make(self, application_id: str, new: CardRef, by: By = CENTRE) -> ApplicationProgress:
        """The card is made and waits for its holder (Articles 11, 23).

        A card that is not new is refused with CARD_EXISTS; the application goes on with another.
        """
        with self._database.transaction() as session:
            row = find_application(session, application_id)
            self._applications.make(session, row, new, by, self._now())
            return self._applications.progress(session, row)

    def issue(
        self, application_id: str, by: By = COMMUNITY_POINT, *, activated: bool = False
    ) -> Issued:
        """The card is handed out; the one before it is void for ever (Articles 11, 23)."""
        with self._database.transaction() as session:
            now = self._now()
            row = find_application(session, application_id)
            card = self._applications.issue(session, row, by, now, activated=activated)
            return self._issued(session, row, card, now)

    def on_the_spot(
        self, key: CardKey, cause: Cause, new: CardRef, point: str, by: By = COMMUNITY_POINT
    ) -> Issued:
        """即时补换卡 at a service point that can (Article 23)."""
        with self._database.transaction() as session:
            now = self._now()
            card = self._found(session, key)
            row, made = self._applications.on_the_spot(session, card, cause, new, point, by, now)
            return self._issued(session, row, made, now)

    def withdraw(self, application_id: str, by: By = COMMUNITY_POINT) -> ApplicationProgress:
        """The applicant does not want it any more."""
        with self._database.transaction() as session:
            row = find_application(session, application_id)
            self._applications.withdraw(session, row, by, self._now())
            return self._applications.progress(session, row)

    def progress(self, application_id: str) -> ApplicationProgress:
        """How far an application is."""
        with self._database.transaction() as session:
            row = find_application(session, application_id)
            return self._applications.progress(session, row)

    def history(self, application_id: str) -> tuple[ApplicationLine, ...]:
        """The application's audit trail, oldest first: what, when, where, by whom and why."""
        with self._database.transaction() as session:
            row = find_application(session, application_id)
            return tuple(
                ApplicationLine(
                    e.at, e.event, e.article, e.channel, e.actor, e.reason, e.before, e.after
                )
                for e in application_history(session, row)
            )

    def overdue(self) -> tuple[OverdueLine, ...]:
        """Every duty that was not met in time, oldest first (Articles 10, 11, 23, 27)."""
        with self._database.transaction() as session:
            self._applications.overdue.note(session, self._now())
            lines = []
            for each in self._applications.overdue.noted(session):
                row = session.get_one(ApplicationRow, each.application)
                lines.append(
                    OverdueLine(
                        id_of(row),
                        each.duty,
                        each.article,
                        each.due_at,
                        each.raised_at,
                        row.stage,
                    )
                )
            return tuple(lines)

    def ecard_code(self, key: CardKey) -> tuple[str, datetime]:
        """What the holder's telephone does: a code for the electronic card's QR picture (31)."""
        with self._database.transaction() as session:
            return self._ecards.code(session, self._found(session, key).holder, self._now())

    def _issued(self, session: Session, row: ApplicationRow, card: Card, now: datetime) -> Issued:
        return Issued(self._applications.progress(session, row), self._register.status(card, now))

    def _found(self, session: Session, key: CardKey) -> Card:
        return self._register.find_by(session, card_id=key.card_id, card_number=key.card_number)
