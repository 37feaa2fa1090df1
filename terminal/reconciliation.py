"""Reconciliation (对账): one day of this terminal's journal against the centre's ledger.

First the totals, by settlements or refunds and by insurance; where one differs, line by line. Every
difference is one of three, and each has its repair. Pure but for `reconcile` and `repair`, which
ask the centre.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from itertools import product

from backend_client.channels.channel import SettlementChannel
from backend_client.codec import decode
from backend_client.messages import Scheme, Settlement, Split
from backend_client.money_messages import Cancellation, DayTotal, StatementLine
from terminal.centre import Centre
from terminal.clock import local
from terminal.store.journal import Journal, Kind, Operation, State
from terminal.text import Text

log = logging.getLogger(__name__)

SCHEMES: tuple[Scheme, ...] = ("employee", "resident")


class Differs(Enum):
    """How a line differs, and what a clerk does about it."""

    OURS_ONLY = Text("仅本机有", "only this terminal has it")
    THEIRS_ONLY = Text("仅中心有", "only the centre has it")
    AMOUNTS = Text("金额不符", "the amounts differ")


class Repair(Enum):
    """What mends a difference. The first two are done by `ssct reconcile --repair`."""

    REVERSE = Text(
        "本机未成功，中心已记账：按流水号冲正。",
        "It did not happen here, but is booked there: reverse it by its number.",
    )
    VOID = Text(
        "本机已成功，中心无记录：查询后本机作废，通知持卡人重新结算。",
        "It happened here, but the centre has not got it: ask by its number, void it here, and "
        "have the bill settled again.",
    )
    RESOLVE = Text(
        "本机结果待核实：运行 ssct sync 后重新对账。",
        "It is still unknown here: run `ssct sync`, then reconcile again.",
    )
    CANCEL = Text(
        "以中心金额为准：撤销该笔结算，持卡人到场后重新结算。",
        "The centre's amounts count: take it back, and settle again with the holder.",
    )
    ASK = Text(
        "本机没有这个流水号：请中心核实来源，不要冲正。",
        "No row here has this number: let the centre find out whose it is; do not reverse it.",
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One line that differs; `ours` or `theirs` is None where one side has not got it."""

    differs: Differs
    ours: StatementLine | None
    theirs: StatementLine | None
    repair: Repair

    @property
    def line(self) -> StatementLine:
        """The line, as whoever has it has it; the centre's where both have."""
        line = self.theirs or self.ours
        assert line is not None  # noqa: S101 - one side has it, or it would not differ
        return line


@dataclass(frozen=True, slots=True)
class TotalCheck:
    """One total of ours, and whether the centre has the same."""

    total: DayTotal
    agrees: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it. Without lines asked for, `differences` is empty."""

    day: date
    totals: tuple[TotalCheck, ...]
    ours: tuple[StatementLine, ...]
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether both ledgers agree."""
        return all(check.agrees for check in self.totals) and not self.differences


def reconcile(
    journal: Journal, channel: SettlementChannel, day: date, *, always_lines: bool = False
) -> Report:
    """Compare one day. Raises `BackendError` and `StoreError`."""
    ours = lines_of(journal, day)
    checks = tuple(TotalCheck(each, channel.agrees(day, each)) for each in totals_of(ours))
    if all(check.agrees for check in checks) and not always_lines:
        return Report(day, checks, ours, ())
    theirs = channel.statement(day, ours)
    found = tuple(replace(each, repair=_repair(each, journal)) for each in compare(ours, theirs))
    return Report(day, checks, ours, found)


def lines_of(journal: Journal, day: date) -> tuple[StatementLine, ...]:
    """What the journal has as done on that day, by the centre's own time of it."""
    made = (_line(each, day) for each in journal.done_about(day))
    return tuple(line for line in made if line is not None)


def totals_of(lines: Iterable[StatementLine]) -> tuple[DayTotal, ...]:
    """The sums by type and insurance, also of what did not happen: the centre may have some."""
    groups: dict[tuple[bool, Scheme], list[StatementLine]] = {
        key: [] for key in product((False, True), SCHEMES)
    }
    for line in lines:
        groups[line.refund, line.scheme].append(line)
    return tuple(
        DayTotal(
            refund=refund,
            scheme=scheme,
            count=len(each),
            total_fen=sum(line.total_fen for line in each),
            fund_fen=sum(line.fund_fen for line in each),
            account_fen=sum(line.account_fen for line in each),
            cash_fen=sum(line.cash_fen for line in each),
        )
        for (refund, scheme), each in groups.items()
    )


def compare(
    ours: Sequence[StatementLine], theirs: Sequence[StatementLine]
) -> tuple[Difference, ...]:
    """Every line that differs, ours first, each with the repair of its kind."""
    mine = {(line.number, line.refund): line for line in ours}
    centre = {(line.number, line.refund): line for line in theirs}
    found = []
    for key, line in mine.items():
        other = centre.get(key)
        if other is None:
            found.append(Difference(Differs.OURS_ONLY, line, None, Repair.VOID))
        elif other != line:
            found.append(Difference(Differs.AMOUNTS, line, other, Repair.CANCEL))
    found.extend(
        Difference(Differs.THEIRS_ONLY, None, line, Repair.REVERSE)
        for key, line in centre.items()
        if key not in mine
    )
    return tuple(found)


def repair(report: Report, journal: Journal, centre: Centre) -> int:
    """Mend what can be mended without the holder; how many differences were.

    What only the centre has and did not happen here is reversed there. What only this terminal has
    is asked for by its number, and voided here when the centre has not got it. Raises
    `BackendError` and `StoreError`; what was mended until then is.
    """
    return sum(_mended(each, journal, centre) for each in report.differences)


def _mended(difference: Difference, journal: Journal, centre: Centre) -> bool:
    operation = journal.find(difference.line.number)
    if operation is None:
        return False
    if difference.repair is Repair.REVERSE and not difference.line.refund:
        centre.reverse(operation)
        log.info("operation %s was reversed at the centre", operation.number)
        return True
    if difference.repair is Repair.VOID and operation.state is State.CONFIRMED:
        if centre.query(operation).state == "confirmed":
            return False
        journal.void(operation)
        return True
    return False


def _repair(difference: Difference, journal: Journal) -> Repair:
    """The repair, by what the journal knows of the number."""
    if difference.differs is not Differs.THEIRS_ONLY:
        return difference.repair
    operation = journal.find(difference.line.number)
    if operation is None:
        return Repair.ASK
    return Repair.RESOLVE if operation.state.is_open else Repair.REVERSE


def _line(operation: Operation, day: date) -> StatementLine | None:
    """The line of an operation that is done; None if that was on another day."""
    if operation.kind is Kind.SETTLEMENT:
        settlement = decode(Settlement, operation.result)
        if local(settlement.settled_at).date() != day:
            return None
        return _of_split(
            settlement.number, settlement.settlement_id, settlement.split, settlement.scheme
        )
    made = decode(Cancellation, operation.result)
    if local(made.cancelled_at).date() != day:
        return None
    line = _of_split(made.number, made.cancellation_id, made.split, made.scheme)
    return replace(line, refund=True)


def _of_split(number: str, identifier: str, split: Split, scheme: Scheme) -> StatementLine:
    return StatementLine(
        number=number,
        settlement_id=identifier,
        refund=False,
        scheme=scheme,
        total_fen=split.total_fen,
        fund_fen=split.fund_fen + split.supplementary_fen + split.other_fund_fen,
        account_fen=split.current_account_fen + split.past_accounts_fen,
        cash_fen=split.cash_fen,
    )


SCHEME_NAMES: Mapping[Scheme, Text] = {
    "employee": Text("职工医保", "employees"),
    "resident": Text("居民医保", "residents"),
}
