"""Contributions that are due, and benefits that were paid (Article 5).

Works in the caller's transaction. A contribution is collected from the bank account of the card's
financial function, whole or not at all.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.messages import CardRef, InsuranceKind
from backend_client.money_messages import (
    Benefit,
    BenefitConfirmation,
    BenefitList,
    BenefitReceipt,
    ContributionBill,
    ContributionBills,
    ContributionPayment,
    ContributionRequest,
)
from simulator.backoffice.bank_function import BankFunction
from simulator.backoffice.errors import Refused
from simulator.backoffice.money_schema import BenefitRow, ContributionBillRow
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import Card, ContributionRow, InsuranceRow, Operation

MAX_BILLS = 100
MAX_BENEFITS = 200


def due_contributions(session: Session, card: Card, ref: CardRef) -> ContributionBills:
    """What the card's holder has not paid, oldest first."""
    query = (
        select(ContributionBillRow)
        .where(ContributionBillRow.holder == card.holder, ContributionBillRow.paid_by.is_(None))
        .order_by(ContributionBillRow.due, ContributionBillRow.bill_id)
        .limit(MAX_BILLS)
    )
    bills = tuple(
        ContributionBill(
            row.bill_id, cast(InsuranceKind, row.kind), row.month, row.amount_fen, row.due
        )
        for row in session.scalars(query)
    )
    return ContributionBills(ref, bills)


def pay_contribution(
    session: Session, operation: Operation, card: Card, request: ContributionRequest, now: datetime
) -> ContributionPayment:
    """缴费: the bill is paid, and the month counts. Raises `Refused`."""
    row = session.get(ContributionBillRow, request.bill_id, with_for_update=True)
    if row is None or row.holder != card.holder:
        raise Refused(Refusal.CONTRIBUTION_UNKNOWN)
    if row.paid_by is not None:
        raise Refused(Refusal.CONTRIBUTION_PAID)
    if row.amount_fen != request.amount_fen:
        raise Refused(Refusal.CONTRIBUTION_CHANGED)
    if card.bank != BankFunction.OPEN:
        raise Refused(Refusal.BANK_FUNCTION_CLOSED)
    row.paid_by, row.paid_at = operation.id, now
    return ContributionPayment(
        number=request.number,
        payment_id=f"C{operation.id:010d}",
        bill_id=row.bill_id,
        kind=cast(InsuranceKind, row.kind),
        month=row.month,
        amount_fen=row.amount_fen,
        paid_at=now,
        months_paid=_count_month(session, row),
    )


def benefits_of(session: Session, card: Card, ref: CardRef) -> BenefitList:
    """What was paid to the card's holder, newest first."""
    query = (
        select(BenefitRow)
        .where(BenefitRow.holder == card.holder)
        .order_by(BenefitRow.paid_on.desc(), BenefitRow.benefit_id)
        .limit(MAX_BENEFITS)
    )
    return BenefitList(ref, tuple(_benefit(row) for row in session.scalars(query)))


def confirm_benefit(
    session: Session, card: Card, request: BenefitConfirmation, now: datetime
) -> BenefitReceipt:
    """待遇领取确认. Raises `Refused`."""
    row = session.get(BenefitRow, request.benefit_id, with_for_update=True)
    if row is None or row.holder != card.holder:
        raise Refused(Refusal.BENEFIT_UNKNOWN)
    if row.confirmed_at is not None:
        raise Refused(Refusal.BENEFIT_CONFIRMED)
    if row.amount_fen != request.amount_fen:
        raise Refused(Refusal.BENEFIT_CHANGED)
    row.confirmed_at = now
    return BenefitReceipt(request.number, row.benefit_id, row.amount_fen, now)


def _count_month(session: Session, paid: ContributionBillRow) -> int:
    """Write the month into the holder's contributions; the months paid of that insurance in all."""
    key = (paid.holder, paid.month, paid.kind)
    known = session.get(ContributionRow, key)
    insurance = session.get(InsuranceRow, (paid.holder, paid.kind), with_for_update=True)
    if known is None:
        holder, month, kind = key
        session.add(
            ContributionRow(
                holder=holder,
                month=month,
                kind=kind,
                person_fen=paid.amount_fen,
                employer_fen=0,
            )
        )
        if insurance is not None:
            insurance.months_paid += 1
    else:
        known.person_fen += paid.amount_fen
    return insurance.months_paid if insurance is not None else 0


def _benefit(row: BenefitRow) -> Benefit:
    return Benefit(
        benefit_id=row.benefit_id,
        kind=cast(InsuranceKind, row.kind),
        name_zh=row.name_zh,
        name_en=row.name_en,
        period=row.period,
        amount_fen=row.amount_fen,
        paid_on=row.paid_on,
        confirmed_at=row.confirmed_at,
    )
