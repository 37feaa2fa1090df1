"""A holder's medical account, what was used of the year's sums, insurances and contributions.

Works in the caller's transaction. When a new medical year has begun, what was left of the
current-year money counts as past years' money from then on.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.messages import (
    AccountOverview,
    CardRef,
    Contribution,
    Insurance,
    InsuranceKind,
    InsuranceStatus,
)
from simulator.backoffice.errors import Refused
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import (
    Account,
    Accumulator,
    ContributionRow,
    Holder,
    InsuranceRow,
)

INSURANCES: dict[str, tuple[str, str]] = {
    "pension": ("养老保险", "Pension insurance"),
    "medical": ("医疗保险", "Medical insurance"),
    "work_injury": ("工伤保险", "Work injury insurance"),
    "unemployment": ("失业保险", "Unemployment insurance"),
    "maternity": ("生育保险", "Maternity insurance"),
}
MAX_CONTRIBUTIONS = 240
"""How many contributions are shown, newest first."""


def account_of(session: Session, holder: int, medical_year: date) -> Account:
    """The holder's account in that medical year, rolled over if the year is new."""
    account = session.get_one(Account, holder, with_for_update=True)
    if account.medical_year < medical_year:
        account.past_fen += account.current_fen
        account.current_fen = 0
        account.medical_year = medical_year
    return account


def accumulator_of(session: Session, holder: int, medical_year: date) -> Accumulator:
    """What the holder has used in that medical year."""
    used = session.get(Accumulator, (holder, medical_year), with_for_update=True)
    if used is None:
        used = Accumulator(holder=holder, medical_year=medical_year, deductible_fen=0, shared_fen=0)
        session.add(used)
    return used


def group_of(session: Session, holder: int) -> str:
    """The holder's group in the payment rules. Raises `Refused` INSURANCE_NOT_IN_FORCE."""
    medical = session.get(InsuranceRow, (holder, "medical"))
    if medical is None or medical.status != "insured":
        raise Refused(Refusal.INSURANCE_NOT_IN_FORCE)
    return session.get_one(Holder, holder).insured_as


def overview(
    session: Session, holder: int, card: CardRef, medical_year: date, now: datetime
) -> AccountOverview:
    """What a query shows the holder."""
    account = account_of(session, holder, medical_year)
    return AccountOverview(
        card=card,
        insurances=_insurances(session, holder),
        current_account_fen=account.current_fen,
        past_accounts_fen=account.past_fen,
        contributions=_contributions(session, holder),
        as_of=now,
    )


def _insurances(session: Session, holder: int) -> tuple[Insurance, ...]:
    query = select(InsuranceRow).where(InsuranceRow.holder == holder)
    rows = {row.kind: row for row in session.scalars(query)}
    return tuple(
        Insurance(
            cast(InsuranceKind, kind),
            *names,
            cast(InsuranceStatus, rows[kind].status),
            rows[kind].since,
            rows[kind].months_paid,
        )
        for kind, names in INSURANCES.items()
        if kind in rows
    )


def _contributions(session: Session, holder: int) -> tuple[Contribution, ...]:
    query = (
        select(ContributionRow)
        .where(ContributionRow.holder == holder)
        .order_by(ContributionRow.month.desc(), ContributionRow.kind)
        .limit(MAX_CONTRIBUTIONS)
    )
    return tuple(
        Contribution(row.month, cast(InsuranceKind, row.kind), row.person_fen, row.employer_fen)
        for row in session.scalars(query)
    )
