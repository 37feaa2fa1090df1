"""What terminals may ask about money beyond bills, trial and confirm: one method a message."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.messages import CardRef, OperationQuery
from backend_client.money_messages import (
    BenefitConfirmation,
    BenefitList,
    BenefitReceipt,
    Cancellation,
    CancelRequest,
    ContributionBills,
    ContributionPayment,
    ContributionRequest,
    DebitUpload,
    MoneyRecords,
    MoneyState,
    ProvisionalUpload,
    SettlementRecord,
    Statement,
    StatementRequest,
    UploadReceipt,
)
from simulator.backoffice import contributions
from simulator.backoffice.database import Database
from simulator.backoffice.desk import note_access
from simulator.backoffice.ledger import Ledger, settlement_id
from simulator.backoffice.listings import card_in_use
from simulator.backoffice.money_schema import UploadRow
from simulator.backoffice.operations import Operations
from simulator.backoffice.register import Register
from simulator.backoffice.schema import Institution, Operation, SettlementRow
from simulator.backoffice.statements import lines_of, totals_of
from simulator.backoffice.terminals import Caller, Task
from simulator.backoffice.uploads import MAX_SHOWN, Uploads

PAGE = 10_000
"""How many lines of a statement an answer holds: about 2.5 MB, of the 8 that a terminal takes."""


class MoneyDesk:
    """Cancellations, contributions, benefits, records, uploads, statements."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        register: Register,
        operations: Operations,
        ledger: Ledger,
        uploads: Uploads,
    ) -> None:
        self._database = database
        self._now = now
        self._register = register
        self._operations = operations
        self._ledger = ledger
        self._uploads = uploads

    def cancel(self, caller: Caller, request: CancelRequest) -> Cancellation:
        """结算撤销, accepted once by its number."""

        def work(session: Session, operation: Operation, now: datetime) -> Cancellation:
            card = card_in_use(self._register, session, request.card, now)
            return self._ledger.cancel(session, operation, request, card, now)

        return self._operations.once(caller, request.number, request, Cancellation, work)

    def due_contributions(self, caller: Caller, ref: CardRef) -> ContributionBills:
        """The contributions that the card's holder has not paid."""
        with self._database.transaction() as session:
            now = self._now()
            card = card_in_use(self._register, session, ref, now)
            note_access(session, caller, card, "contributions", now)
            return contributions.due_contributions(session, card, ref)

    def pay_contribution(self, caller: Caller, request: ContributionRequest) -> ContributionPayment:
        """缴费, accepted once by its number."""

        def work(session: Session, operation: Operation, now: datetime) -> ContributionPayment:
            card = card_in_use(self._register, session, request.card, now)
            return contributions.pay_contribution(session, operation, card, request, now)

        return self._operations.once(caller, request.number, request, ContributionPayment, work)

    def benefits(self, caller: Caller, ref: CardRef) -> BenefitList:
        """The benefits paid to the card's holder."""
        with self._database.transaction() as session:
            now = self._now()
            card = card_in_use(self._register, session, ref, now)
            note_access(session, caller, card, "benefits", now)
            return contributions.benefits_of(session, card, ref)

    def confirm_benefit(self, caller: Caller, request: BenefitConfirmation) -> BenefitReceipt:
        """待遇领取确认, accepted once by its number."""

        def work(session: Session, _operation: Operation, now: datetime) -> BenefitReceipt:
            card = card_in_use(self._register, session, request.card, now)
            return contributions.confirm_benefit(session, card, request, now)

        return self._operations.once(caller, request.number, request, BenefitReceipt, work)

    def records(self, caller: Caller, ref: CardRef) -> MoneyRecords:
        """What was settled and debited for the card's holder, newest first."""
        with self._database.transaction() as session:
            now = self._now()
            card = card_in_use(self._register, session, ref, now)
            note_access(session, caller, card, "records", now)
            settlements = _settlements_of(session, card.holder)
            debits = tuple(self._uploads.debits_of(session, card.holder))
            return MoneyRecords(ref, settlements, debits)

    def query(self, caller: Caller, question: OperationQuery) -> MoneyState:
        """What became of one of the terminal's own numbers. It may always ask."""
        found = self._operations.found(caller, question.number)
        made = found.made
        return MoneyState(
            question.number,
            found.state,
            cancellation=made if isinstance(made, Cancellation) else None,
            payment=made if isinstance(made, ContributionPayment) else None,
            benefit=made if isinstance(made, BenefitReceipt) else None,
            reason=found.reason,
        )

    def upload_debit(self, caller: Caller, upload: DebitUpload) -> UploadReceipt:
        """A debit of a card that has happened: taken whatever has become of the card since."""
        with self._database.transaction() as session:
            card = self._register.find(session, upload.card)
            return self._uploads.debit(session, caller, card, upload, self._now())

    def upload_provisional(self, caller: Caller, upload: ProvisionalUpload) -> UploadReceipt:
        """A visit that was registered offline."""
        with self._database.transaction() as session:
            card = self._register.find(session, upload.card)
            return self._uploads.provisional(session, caller, card, upload, self._now())

    def statement(self, caller: Caller, request: StatementRequest) -> Statement:
        """What is booked for the terminal, or for its institution, on one day.

        Raises `Refused` ROLE_NOT_ALLOWED where the terminal has no right to what others booked.
        """
        if request.scope == "institution":
            caller.may(Task.INSTITUTION)
        with self._database.transaction() as session:
            lines = lines_of(session, caller, request.day, request.scope)
        page = lines[request.skip : request.skip + PAGE] if request.lines else ()
        return Statement(request.day, totals_of(lines), page)


def _settlements_of(session: Session, holder: int) -> tuple[SettlementRecord, ...]:
    """The holder's settlements but for those that were reversed."""
    query = (
        select(SettlementRow, Institution.name, UploadRow.number)
        .join(Institution, SettlementRow.institution == Institution.code)
        .outerjoin(UploadRow, SettlementRow.provisional == UploadRow.id)
        .where(SettlementRow.holder == holder)
        .where(SettlementRow.reversed_at.is_(None) | SettlementRow.cancelled_by.is_not(None))
        .order_by(SettlementRow.settled_at.desc(), SettlementRow.id.desc())
        .limit(MAX_SHOWN)
    )
    return tuple(
        SettlementRecord(
            settlement_id=settlement_id(row),
            settled_at=row.settled_at,
            institution_name=name,
            total_fen=row.total_fen,
            fund_fen=row.fund_fen + row.supplementary_fen + row.other_fund_fen,
            account_fen=row.current_account_fen + row.past_accounts_fen,
            cash_fen=row.cash_fen,
            cancelled_at=row.reversed_at,
            provisional_number=provisional,
        )
        for row, name, provisional in session.execute(query)
    )
