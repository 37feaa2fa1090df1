"""Settlements: trial, confirm and undo, to the fen.

A trial books nothing; it works out the split and remembers it for a while. A confirm has to name
exactly that split and to find account and rules unchanged, so what is booked is what the holder
saw. Everything works in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.codec import decode, encode
from backend_client.messages import ConfirmRequest, Scheme, Settlement, Split, Trial, TrialRequest
from backend_client.money_messages import Cancellation, CancelRequest
from simulator.backoffice.accounts import account_of, accumulator_of, group_of
from simulator.backoffice.bills import Bills
from simulator.backoffice.days import local
from simulator.backoffice.errors import Refused
from simulator.backoffice.figures import Figures
from simulator.backoffice.money_schema import UploadRow
from simulator.backoffice.operations import request_hash
from simulator.backoffice.provisional import as_message, open_visit
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import Account, BillRow, Card, Operation, SettlementRow, TrialRow
from simulator.backoffice.tariff import Standing, work_out
from simulator.backoffice.vault import Vault


@dataclass(frozen=True, slots=True)
class Due:
    """What settling a bill now would come to; `covered_fen` is what the insurance covers of it."""

    medical_year: date
    scheme: Scheme
    split: Split
    covered_fen: int
    deductible_fen: int
    shared_fen: int


@dataclass(frozen=True, slots=True)
class Booked:
    """A settlement in the books, and the accounts after it."""

    row: SettlementRow
    current_account_fen: int
    past_accounts_fen: int


class Ledger:
    """Books settlements. `institution` arguments: only bills of that one, None for any."""

    def __init__(
        self, bills: Bills, figures: Figures, vault: Vault, trial_lifetime: timedelta
    ) -> None:
        self._bills = bills
        self._figures = figures
        self._vault = vault
        self._trial_lifetime = trial_lifetime

    def trial(
        self,
        session: Session,
        operation: Operation,
        card: Card,
        request: TrialRequest,
        institution: str | None,
        now: datetime,
    ) -> Trial:
        """预结算. The same request again gets the same answer. Raises `Refused`."""
        known = session.get(TrialRow, operation.id)
        if known is not None:
            if known.request_hash != request_hash(request):
                raise Refused(Refusal.NUMBER_REUSED)
            return self._remembered(known)
        bill = self._bills.open_one(session, card.holder, request.bill_id, institution)
        if bill.total_fen != request.total_fen:
            raise Refused(Refusal.BILL_CHANGED)
        split = self.due(session, bill, now).split
        visit = _provisional(session, bill, request.provisional_number)
        trial = Trial(
            request.number,
            bill.bill_id,
            split,
            now + self._trial_lifetime,
            None if visit is None else as_message(visit),
        )
        session.add(
            TrialRow(
                operation=operation.id,
                request_hash=request_hash(request),
                card=card.id,
                bill=bill.id,
                valid_until=trial.valid_until,
                sealed=self._vault.seal(encode(trial), "trials", str(operation.id)),
            )
        )
        return trial

    def confirm(
        self,
        session: Session,
        operation: Operation,
        card: Card,
        request: ConfirmRequest,
        institution: str | None,
        now: datetime,
    ) -> Settlement:
        """结算: book exactly what the trial under this number said. Raises `Refused`."""
        bill = self._tried_bill(session, operation, card, request, institution, now)
        due = self.due(session, bill, now)
        if due.split != request.split:
            raise Refused(Refusal.ACCOUNT_CHANGED)
        visit = _provisional(session, bill, request.provisional_number)
        booked = self.book(session, operation, card, bill, due, now, visit)
        return Settlement(
            number=request.number,
            settlement_id=settlement_id(booked.row),
            bill_id=bill.bill_id,
            split=due.split,
            settled_at=now,
            current_account_after_fen=booked.current_account_fen,
            past_accounts_after_fen=booked.past_accounts_fen,
            scheme=due.scheme,
            provisional_number=request.provisional_number,
        )

    def book(
        self,
        session: Session,
        operation: Operation,
        card: Card,
        bill: BillRow,
        due: Due,
        now: datetime,
        visit: UploadRow | None = None,
    ) -> Booked:
        """Take from account and year's sums what is due, and close the bill and its `visit`."""
        account = account_of(session, card.holder, due.medical_year)
        account.current_fen -= due.split.current_account_fen
        account.past_fen -= due.split.past_accounts_fen
        used = accumulator_of(session, card.holder, due.medical_year)
        used.deductible_fen += due.deductible_fen
        used.shared_fen += due.shared_fen
        row = _settlement_row(operation, card, bill, due, now)
        session.add(row)
        session.flush()
        bill.settled_by = row.id
        if visit is not None:
            row.provisional, visit.settled_by = visit.id, row.id
        return Booked(row, account.current_fen, account.past_fen)

    def cancel(
        self,
        session: Session,
        operation: Operation,
        request: CancelRequest,
        card: Card,
        now: datetime,
    ) -> Cancellation:
        """结算撤销: the whole of a settlement that the same terminal made. Raises `Refused`."""
        row = self._standing(session, operation, request.settlement_number)
        if row.card != card.id or settlement_id(row) != request.settlement_id:
            raise Refused(Refusal.SETTLEMENT_UNKNOWN)
        booked = self.take_back(session, operation, row, now)
        return Cancellation(
            number=request.number,
            cancellation_id=cancellation_id(operation, now),
            settlement_id=request.settlement_id,
            split=self.split_of(session, row),
            cancelled_at=now,
            current_account_after_fen=booked.current_account_fen,
            past_accounts_after_fen=booked.past_accounts_fen,
            scheme=cast(Scheme, row.scheme),
        )

    def take_back(
        self, session: Session, operation: Operation, row: SettlementRow, now: datetime
    ) -> Booked:
        """Give back what a standing settlement took, in the name of a cancelling operation."""
        self._give_back(session, row, now)
        row.cancelled_by = operation.id
        account = session.get_one(Account, row.holder)
        return Booked(row, account.current_fen, account.past_fen)

    def split_of(self, session: Session, row: SettlementRow) -> Split:
        """The split that was booked, with its bands, as the answer to it said."""
        operation = session.get_one(Operation, row.operation)
        place = f"{operation.owner}/{operation.number}"
        sealed = self._vault.open(operation.sealed or b"", "operations", place)
        return decode(Settlement, sealed).split

    def _standing(self, session: Session, operation: Operation, number: str) -> SettlementRow:
        """The settlement that the operation's terminal made under `number`, not undone yet."""
        made = (Operation.owner == operation.owner) & (Operation.number == number)
        query = select(SettlementRow).join(Operation, SettlementRow.operation == Operation.id)
        row = session.scalar(query.where(made).with_for_update(of=SettlementRow))
        if row is None:
            raise Refused(Refusal.SETTLEMENT_UNKNOWN)
        if row.reversed_at is not None:
            raise Refused(Refusal.SETTLEMENT_CANCELLED)
        return row

    def undo(self, session: Session, operation: Operation, now: datetime) -> None:
        """冲正: give back what a settlement took, unless a cancellation has done so already."""
        booked = select(SettlementRow).where(SettlementRow.operation == operation.id)
        row = session.scalars(booked).one()
        if row.reversed_at is None:
            self._give_back(session, row, now)

    def _give_back(self, session: Session, row: SettlementRow, now: datetime) -> None:
        """Give back what a settlement took, and open its bill and provisional visit again.

        Money of a current-year account whose year is over goes to the past-years account.
        """
        account = account_of(session, row.holder, self._figures.medical_year(local(now).date()))
        if account.medical_year == row.medical_year:
            account.current_fen += row.current_account_fen
        else:
            account.past_fen += row.current_account_fen
        account.past_fen += row.past_accounts_fen
        used = accumulator_of(session, row.holder, row.medical_year)
        used.deductible_fen -= row.deductible_fen
        used.shared_fen -= row.shared_fen
        session.get_one(BillRow, row.bill).settled_by = None
        if row.provisional is not None:
            session.get_one(UploadRow, row.provisional).settled_by = None
        row.reversed_at = now

    def _tried_bill(
        self,
        session: Session,
        operation: Operation,
        card: Card,
        request: ConfirmRequest,
        institution: str | None,
        now: datetime,
    ) -> BillRow:
        """The bill of the trial that the confirm belongs to, still open."""
        known = session.get(TrialRow, operation.id)
        if known is None or known.card != card.id:
            raise Refused(Refusal.TRIAL_UNKNOWN)
        trial = self._remembered(known)
        visit = None if trial.provisional is None else trial.provisional.number
        tried = (trial.bill_id, trial.split, visit)
        if (request.bill_id, request.split, request.provisional_number) != tried:
            raise Refused(Refusal.SPLIT_DIFFERS)
        if now >= known.valid_until:
            raise Refused(Refusal.TRIAL_EXPIRED)
        return self._bills.open_one(session, card.holder, request.bill_id, institution)

    def due(self, session: Session, bill: BillRow, now: datetime) -> Due:
        """What settling the bill now comes to, by the rules of today."""
        tariff = self._figures.tariff_on(local(now).date())
        medical_year = tariff.year_of(local(now).date())
        account = account_of(session, bill.holder, medical_year)
        used = accumulator_of(session, bill.holder, medical_year)
        group = group_of(session, bill.holder)
        standing = Standing(
            group,
            account.current_fen,
            account.past_fen,
            used.deductible_fen,
            used.shared_fen,
        )
        charge = self._bills.charge(session, bill)
        result = work_out(charge, standing, tariff)
        return Due(
            medical_year,
            tariff.groups[group].scheme,
            result.split,
            charge.covered_fen,
            result.deductible_fen,
            result.shared_fen,
        )

    def _remembered(self, row: TrialRow) -> Trial:
        return decode(Trial, self._vault.open(row.sealed, "trials", str(row.operation)))


def _provisional(session: Session, bill: BillRow, number: str | None) -> UploadRow | None:
    """The open provisional visit that a request names, if it names one. Raises `Refused`."""
    return None if number is None else open_visit(session, bill, number)


def settlement_id(row: SettlementRow) -> str:
    """The centre's number of a settlement."""
    return f"S{local(row.settled_at):%Y%m%d}{row.id:08d}"


def cancellation_id(operation: Operation, now: datetime) -> str:
    """The centre's number of a cancellation."""
    return f"R{local(now):%Y%m%d}{operation.id:08d}"


def _settlement_row(
    operation: Operation, card: Card, bill: BillRow, due: Due, now: datetime
) -> SettlementRow:
    return SettlementRow(
        operation=operation.id,
        card=card.id,
        holder=bill.holder,
        bill=bill.id,
        institution=bill.institution,
        medical_year=due.medical_year,
        total_fen=due.split.total_fen,
        current_account_fen=due.split.current_account_fen,
        past_accounts_fen=due.split.past_accounts_fen,
        fund_fen=due.split.fund_fen,
        supplementary_fen=due.split.supplementary_fen,
        other_fund_fen=due.split.other_fund_fen,
        cash_fen=due.split.cash_fen,
        deductible_fen=due.deductible_fen,
        shared_fen=due.shared_fen,
        scheme=due.scheme,
        settled_at=now,
    )
