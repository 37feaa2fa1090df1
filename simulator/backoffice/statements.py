"""What the centre has booked on one day for a terminal or its institution: lines, and their sums.

A settlement that was reversed never was; one that was cancelled is listed twice, on the day it was
made and, as a refund, on the day it was taken back (facts 1.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from backend_client.messages import Scheme
from backend_client.money_messages import DayTotal, Scope, StatementLine
from simulator.backoffice.days import SHANGHAI
from simulator.backoffice.ledger import cancellation_id, settlement_id
from simulator.backoffice.schema import Operation, SettlementRow, Terminal
from simulator.backoffice.terminals import Caller


@dataclass(frozen=True, slots=True)
class Booking:
    """A line, and the row of the operation that made it."""

    line: StatementLine
    operation: int


def lines_of(
    session: Session, caller: Caller, day: date, scope: Scope
) -> tuple[StatementLine, ...]:
    """The lines of `bookings_of`."""
    return tuple(each.line for each in bookings_of(session, caller, day, scope))


def bookings_of(session: Session, caller: Caller, day: date, scope: Scope) -> tuple[Booking, ...]:
    """What was booked on one day, settlements first, each in the order of its booking.

    They are those of the calling terminal or of all in its institution, whether it may see them
    or not.
    """
    names = _names(session, caller.institution)
    owners = (caller.owner,) if scope == "terminal" else tuple(names)
    begin = datetime.combine(day, time(), SHANGHAI)
    end = begin + timedelta(days=1)
    cancel = aliased(Operation)
    query = (
        select(SettlementRow, Operation, cancel)
        .join(Operation, SettlementRow.operation == Operation.id)
        .outerjoin(cancel, SettlementRow.cancelled_by == cancel.id)
        .where(Operation.owner.in_(owners))
        .where(or_(SettlementRow.reversed_at.is_(None), SettlementRow.cancelled_by.is_not(None)))
        .order_by(SettlementRow.id)
    )
    made = query.where(SettlementRow.settled_at >= begin, SettlementRow.settled_at < end)
    taken_back = query.where(SettlementRow.reversed_at >= begin, SettlementRow.reversed_at < end)
    settled = [
        Booking(_line(row, by.number, settlement_id(row), names[by.owner]), by.id)
        for row, by, _ in session.execute(made)
    ]
    refunds = [
        Booking(_refund(row, by, names[by.owner]), by.id)
        for row, _, by in session.execute(taken_back)
        if by is not None
    ]
    return (*settled, *refunds)


def totals_of(lines: Iterable[StatementLine]) -> tuple[DayTotal, ...]:
    """The sums by type and insurance; none for what did not happen."""
    groups: dict[tuple[bool, Scheme], list[StatementLine]] = {}
    for line in lines:
        groups.setdefault((line.refund, line.scheme), []).append(line)
    return tuple(_total(refund, scheme, each) for (refund, scheme), each in sorted(groups.items()))


def _names(session: Session, institution: str) -> dict[int, str]:
    """The institution's devices: what stands for each, and as what it was enrolled last."""
    query = (
        select(Terminal.owner, Terminal.terminal_id)
        .where(Terminal.institution == institution)
        .order_by(Terminal.id)
    )
    return {
        owner: name
        for owner, name in session.execute(query)
        if owner is not None and name is not None
    }


def _total(refund: bool, scheme: Scheme, lines: Sequence[StatementLine]) -> DayTotal:
    return DayTotal(
        refund=refund,
        scheme=scheme,
        count=len(lines),
        total_fen=sum(line.total_fen for line in lines),
        fund_fen=sum(line.fund_fen for line in lines),
        account_fen=sum(line.account_fen for line in lines),
        cash_fen=sum(line.cash_fen for line in lines),
    )


def _refund(row: SettlementRow, by: Operation, terminal: str) -> StatementLine:
    identifier = cancellation_id(by, cast(datetime, row.reversed_at))
    return replace(_line(row, by.number, identifier, terminal), refund=True)


def _line(row: SettlementRow, number: str, identifier: str, terminal: str) -> StatementLine:
    return StatementLine(
        number=number,
        settlement_id=identifier,
        refund=False,
        scheme=cast(Scheme, row.scheme),
        total_fen=row.total_fen,
        fund_fen=row.fund_fen + row.supplementary_fen + row.other_fund_fen,
        account_fen=row.current_account_fen + row.past_accounts_fen,
        cash_fen=row.cash_fen,
        terminal=terminal,
    )
