"""What terminals may ask of the back office: one method a message.

Every method works in one transaction and raises `Refused` where a rule says no; whether the
caller's role allows it was asked by its route. A card that is not in use (Articles 12, 18, 23, 30)
or frozen is refused here too, whatever the terminal knew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from backend_client.certificate_messages import CertificateRequest, TerminalCertificate
from backend_client.messages import (
    AccountOverview,
    ActivationRequest,
    ActivationResult,
    BillList,
    CardRef,
    CardStatus,
    ConfirmRequest,
    Enrolment,
    EnrolmentRequest,
    OperationState,
    Reversal,
    ServerTime,
    Settlement,
    Trial,
    TrialRequest,
)
from simulator.backoffice.accounts import overview
from simulator.backoffice.bills import Bills
from simulator.backoffice.database import Database
from simulator.backoffice.days import local
from simulator.backoffice.errors import Refused
from simulator.backoffice.figures import Figures
from simulator.backoffice.ledger import Ledger
from simulator.backoffice.lifecycle import Channel, Event
from simulator.backoffice.listings import card_in_use, not_frozen
from simulator.backoffice.operations import Operations, Stage
from simulator.backoffice.provisional import open_visits
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By, Register
from simulator.backoffice.schema import Access, Card, Operation, TrialRow
from simulator.backoffice.terminals import Caller, Terminals


class TerminalDesk:
    """The terminals' side of the back office. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        register: Register,
        terminals: Terminals,
        operations: Operations,
        bills: Bills,
        ledger: Ledger,
        figures: Figures,
    ) -> None:
        self._database = database
        self._now = now
        self._register = register
        self._terminals = terminals
        self._operations = operations
        self._bills = bills
        self._ledger = ledger
        self._figures = figures

    def server_time(self) -> ServerTime:
        """The back office's clock."""
        return ServerTime(self._now())

    def enrol(self, request: EnrolmentRequest) -> Enrolment:
        """Turn a code into an identity. Raises `Refused` as `Terminals.enrol` does."""
        with self._database.transaction() as session:
            return self._terminals.enrol(session, request, self._now())

    def recognise(self, token: str, certificate: bytes | None) -> Caller:
        """The terminal that shows these. Raises `Refused` as `Terminals.recognise` does."""
        with self._database.transaction() as session:
            return self._terminals.recognise(session, token, certificate)

    def renew_certificate(self, caller: Caller, request: CertificateRequest) -> TerminalCertificate:
        """The terminal's next certificate. Raises `Refused` as `Terminals.renew` does."""
        with self._database.transaction() as session:
            return self._terminals.renew(session, caller, request, self._now())

    def card_status(self, ref: CardRef) -> CardStatus:
        """Where a card stands."""
        with self._database.transaction() as session:
            return self._register.status(self._register.find(session, ref), self._now())

    def account(self, caller: Caller, ref: CardRef) -> AccountOverview:
        """Insurances, balances and contributions of the card's holder."""
        with self._database.transaction() as session:
            now = self._now()
            card = card_in_use(self._register, session, ref, now)
            note_access(session, caller, card, "account", now)
            year = self._figures.medical_year(local(now).date())
            return overview(session, card.holder, ref, year, now)

    def bills(self, caller: Caller, ref: CardRef) -> BillList:
        """The holder's open bills and provisional visits, as far as this terminal may see them."""
        with self._database.transaction() as session:
            now = self._now()
            card = card_in_use(self._register, session, ref, now)
            note_access(session, caller, card, "bills", now)
            mine = _bills_of(caller)
            found = self._bills.open_of(session, card.holder, mine)
            return BillList(ref, found, open_visits(session, card.holder, mine))

    def activate(self, caller: Caller, request: ActivationRequest) -> ActivationResult:
        """开通 (Article 12), accepted once by its number."""

        def work(session: Session, _operation: Operation, now: datetime) -> ActivationResult:
            if not request.pin_changed:
                raise Refused(Refusal.PIN_NOT_CHANGED)
            card = self._register.find(session, request.card)
            not_frozen(session, card, request.card.card_number)
            by = By(Channel.TERMINAL, caller.terminal_id, "activated by the holder")
            self._register.happen(session, card, Event.ACTIVATE, by, now)
            return ActivationResult(request.number, self._register.status(card, now))

        return self._operations.once(caller, request.number, request, ActivationResult, work)

    def trial(self, caller: Caller, request: TrialRequest) -> Trial:
        """预结算: books nothing, and remembers the split for the confirm."""
        with self._database.transaction() as session:
            now = self._now()
            row = self._operations.opened(session, caller, request.number, Settlement, now)
            if row.state != Stage.OPEN and session.get(TrialRow, row.id) is None:
                raise Refused(Refusal.NUMBER_REUSED)
            card = card_in_use(self._register, session, request.card, now)
            return self._ledger.trial(session, row, card, request, _bills_of(caller), now)

    def confirm(self, caller: Caller, request: ConfirmRequest) -> Settlement:
        """结算, accepted once by its number."""
        institution = _bills_of(caller)

        def work(session: Session, operation: Operation, now: datetime) -> Settlement:
            card = card_in_use(self._register, session, request.card, now)
            return self._ledger.confirm(session, operation, card, request, institution, now)

        return self._operations.once(caller, request.number, request, Settlement, work)

    def query(self, caller: Caller, number: str) -> OperationState:
        """What became of one of the terminal's own numbers. It may always ask."""
        return self._operations.query(caller, number)

    def reverse(self, caller: Caller, number: str) -> Reversal:
        """冲正: undo what was booked under a number, and let nothing be booked under it again."""
        return self._operations.reverse(caller, number, self._ledger.undo)


def _bills_of(caller: Caller) -> str | None:
    """The institution whose bills the caller may settle, None for any."""
    return caller.institution if caller.role.own_bills_only else None


def note_access(session: Session, caller: Caller, card: Card, what: str, now: datetime) -> None:
    """Who looked at whose data, when and what for (Articles 25, 27)."""
    session.add(Access(card=card.id, at=now, terminal=caller.terminal_id, what=what))
