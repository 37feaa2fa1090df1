"""Filling the register: holders with their cards, accounts and bills, and sample institutions.

`register` takes records. `register_entry` takes the `backoffice` object of a card profile as a
plain mapping, so that nothing of the card side is imported. A card that is registered already is
left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.codec import encode
from backend_client.errors import BadRequest
from backend_client.messages import BillList, CardRef
from backend_client.money_messages import Benefit, ContributionBill
from simulator.backoffice.accounts import INSURANCES
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.bank_function import BankEvent
from simulator.backoffice.days import local
from simulator.backoffice.errors import BadRecord, Refused
from simulator.backoffice.lifecycle import Event, State
from simulator.backoffice.listings import follow
from simulator.backoffice.money_schema import BenefitRow, ContributionBillRow
from simulator.backoffice.records import (
    AccountRecord,
    BillLineRecord,
    BillRecord,
    CardRecord,
    ContributionRecord,
    HolderRecord,
    InsuranceRecord,
)
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By
from simulator.backoffice.schema import Account, BillRow, ContributionRow, Institution, InsuranceRow
from simulator.backoffice.staff import BANK, CENTRE, COMMUNITY_POINT, PHONE
from simulator.backoffice.terminals import DevelopmentCode

SAMPLE_INSTITUTIONS = (
    ("990100000001", "示例市社区事务受理服务中心", 1),
    ("990100000101", "示例市第一医院", 3),
    ("990100000102", "示例市儿童医院", 3),
)
"""Plainly invented: code, name, tier."""

DEVELOPMENT_CODE = DevelopmentCode("SSCT-DEVELOPMENT", *SAMPLE_INSTITUTIONS[1])
"""The well-known code of the demo and of `ssct sim backoffice`; for nothing else."""

_REPORTED: Mapping[State, tuple[Event, By]] = {
    State.TEMPORARILY_LOST: (Event.REPORT_TEMPORARY_LOSS, PHONE),
    State.FORMALLY_LOST: (Event.REPORT_FORMAL_LOSS, COMMUNITY_POINT),
}
"""A card that comes in as lost is taken in as active and then reported."""


def add_sample_institutions(backoffice: BackOffice) -> None:
    """Take in the institutions that the sample bills name."""
    for code, name, tier in SAMPLE_INSTITUTIONS:
        backoffice.staff.add_institution(code, name, tier)


def register(
    backoffice: BackOffice,
    *,
    holder: HolderRecord,
    card: CardRecord,
    accounts: AccountRecord | None = None,
    bills: Sequence[BillRecord] = (),
    due: Sequence[ContributionBill] = (),
    benefits: Sequence[Benefit] = (),
) -> bool:
    """Take in a card with all that belongs to it; False when the card is registered already.

    Account and insurances of a holder who is known already are left as they are. Raises `BadRecord`
    for what breaks the contract's bounds or names an unknown institution.
    """
    try:
        encode(
            BillList(
                CardRef(card.card_id, card.card_number), tuple(bill.message() for bill in bills)
            )
        )
        with backoffice.database.transaction() as session:
            now = backoffice.now()
            row = _add_holder(backoffice, session, holder, accounts or AccountRecord(), now)
            _add_card(backoffice, session, row, card, now)
            _add_bills(backoffice, session, row, bills)
            _add_due(session, row, due)
            _add_benefits(session, row, benefits)
    except BadRequest as error:
        raise BadRecord(f"{error.pointer} breaks the rule '{error.rule}'") from None
    except Refused as refused:
        if refused.refusal is Refusal.CARD_EXISTS:
            return False
        raise
    return True


def register_entry(
    backoffice: BackOffice,
    *,
    name: str,
    ssn: str,
    card_id: bytes,
    card_number: str,
    entry: Mapping[str, Any],
) -> bool:
    """Take in the card of a profile; `entry` is its `backoffice` object (dates as date or text).

    False when the card is registered already.
    """
    holder = HolderRecord(
        name,
        ssn,
        entry.get("insured_as", "employee"),
        tuple(
            InsuranceRecord(**{**fields, "since": _date(fields["since"])})
            for fields in entry.get("insurances", ())
        ),
        tuple(ContributionRecord(**fields) for fields in entry.get("contributions", ())),
    )
    card = CardRecord(
        card_id.hex(), card_number, entry["state"], entry.get("financial_active", False)
    )
    accounts = AccountRecord(entry.get("current_account_fen", 0), entry.get("past_accounts_fen", 0))
    bills = [_bill(fields) for fields in entry.get("bills", ())]
    due = [
        ContributionBill(**{**fields, "due": _date(fields["due"])})
        for fields in entry.get("contribution_bills", ())
    ]
    benefits = [
        Benefit(**{**fields, "paid_on": _date(fields["paid_on"])}, confirmed_at=None)
        for fields in entry.get("benefits", ())
    ]
    return register(
        backoffice,
        holder=holder,
        card=card,
        accounts=accounts,
        bills=bills,
        due=due,
        benefits=benefits,
    )


def _add_holder(
    backoffice: BackOffice,
    session: Session,
    record: HolderRecord,
    accounts: AccountRecord,
    now: datetime,
) -> int:
    """The holder's row; account and insurances only for one who is new."""
    holder = backoffice.register.add_holder(session, record.ssn, record.name, record.insured_as)
    if session.get(Account, holder) is not None:
        return holder
    session.add(
        Account(
            holder=holder,
            medical_year=backoffice.figures.medical_year(local(now).date()),
            current_fen=accounts.current_fen,
            past_fen=accounts.past_fen,
        )
    )
    for each in record.insurances:
        if each.kind not in INSURANCES:
            raise BadRecord("insurances: an unknown kind")
        session.add(InsuranceRow(holder=holder, **asdict(each)))
    for paid in record.contributions:
        session.add(ContributionRow(holder=holder, **asdict(paid)))
    return holder


def _add_card(
    backoffice: BackOffice, session: Session, holder: int, record: CardRecord, now: datetime
) -> None:
    """The card, brought into its state."""
    state = State(record.state)
    first = State.ACTIVE if state in _REPORTED else state
    ref = CardRef(record.card_id, record.card_number)
    card = backoffice.register.add_card(session, holder, ref, first, CENTRE, now)
    if record.financial_active:
        backoffice.register.happen_to_bank_function(session, card, BankEvent.OPEN, BANK, now)
    if state in _REPORTED:
        event, by = _REPORTED[state]
        backoffice.register.happen(session, card, event, by, now)
    follow(session, card, now)
    backoffice.publisher.publish(session, now)


def _add_bills(
    backoffice: BackOffice, session: Session, holder: int, bills: Sequence[BillRecord]
) -> None:
    for bill in bills:
        if session.get(Institution, bill.institution) is None:
            raise BadRecord(f"bills: institution {bill.institution} is not known")
        if session.scalar(select(BillRow.id).where(BillRow.bill_id == bill.bill_id)) is not None:
            raise BadRecord(f"bills: {bill.bill_id} is there already")
        covered = [line.is_covered for line in bill.lines]
        backoffice.bills.add(session, holder, bill.message(), covered)


def _add_due(session: Session, holder: int, due: Sequence[ContributionBill]) -> None:
    for each in due:
        encode(each)
        session.add(ContributionBillRow(holder=holder, **asdict(each)))


def _add_benefits(session: Session, holder: int, benefits: Sequence[Benefit]) -> None:
    for each in benefits:
        encode(each)
        session.add(BenefitRow(holder=holder, **asdict(each)))


def _bill(fields: Mapping[str, Any]) -> BillRecord:
    lines = tuple(BillLineRecord(**line) for line in fields["lines"])
    return BillRecord(**{**fields, "date": _date(fields["date"]), "lines": lines})


def _date(value: date | str) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)
