"""Reconciliation (对账): one day of an institution's terminals against the centre's ledger.

An institution with one terminal is that terminal's journal; one with several is added up from the
statements of the others. First the totals, by settlements or refunds and by insurance; where one
differs, line by line. Every difference is one of three, names the terminal whose it is, and has its
repair there. Pure but for `reconcile` and `repair`, which ask the centre.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import Enum
from itertools import product

from backend_client.channels.channel import SettlementChannel, VisitNumbers
from backend_client.codec import decode
from backend_client.day_statement_messages import DayStatement, NumberStanding, Standing
from backend_client.messages import Enrolment, Scheme, Settlement, Split
from backend_client.money_messages import Cancellation, DayTotal, Scope, StatementLine
from terminal.centre import Centre
from terminal.clock import SHANGHAI, local
from terminal.store.journal import Journal, Kind, Operation, State
from terminal.text import Text

log = logging.getLogger(__name__)

SCHEMES: tuple[Scheme, ...] = ("employee", "resident")


class Differs(Enum):
    """How a line differs, and what a clerk does about it."""

    OURS_ONLY = Text("仅终端有", "only the terminal has it")
    THEIRS_ONLY = Text("仅中心有", "only the centre has it")
    AMOUNTS = Text("金额不符", "the amounts differ")


class Repair(Enum):
    """What mends a difference, at its terminal. `ssct reconcile --repair` does the first two."""

    REVERSE = Text(
        "终端未成功，中心已记账：在该终端按流水号冲正。",
        "It did not happen at the terminal, but the centre has booked it: reverse it from there.",
    )
    VOID = Text(
        "终端已成功，中心无记录：在该终端查询后作废，通知持卡人重新结算。",
        "It happened at the terminal, but the centre has not got it: ask by its number there, "
        "void it, and have the bill settled again.",
    )
    RESOLVE = Text(
        "终端结果待核实：在该终端运行 ssct sync 后重新对账。",
        "The terminal does not know yet: run `ssct sync` there, then reconcile again.",
    )
    CANCEL = Text(
        "以中心金额为准：撤销该笔结算，持卡人到场后重新结算。",
        "The centre's amounts count: take it back, and settle again with the holder.",
    )
    OTHER_DAY = Text(
        "终端在另一日已成功：请中心核实日期，不要冲正。",
        "It is done at the terminal, on another day: let the centre tell which; do not reverse it.",
    )
    STATEMENT = Text(
        "缺少该终端的（最新）对账文件：取来后重新对账，不要冲正。",
        "That terminal's statement, or a newer one, is missing: bring it and reconcile again; do "
        "not reverse it.",
    )
    ASK = Text(
        "没有终端有这个流水号：请中心核实来源，不要冲正。",
        "No terminal has this number: let the centre find out whose it is; do not reverse it.",
    )


AT_TERMINAL = (Repair.REVERSE, Repair.VOID)
"""What `ssct reconcile --repair` mends, each at its own terminal."""

_BY_STANDING: Mapping[Standing, Repair] = {
    "open": Repair.RESOLVE,
    "undone": Repair.REVERSE,
    "other_day": Repair.OTHER_DAY,
}
"""What becomes of a booking that only the centre has, by what its terminal knows of it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One line that differs; `ours` or `theirs` is None where one side has not got it.

    `terminal` is whose it is, None where neither a statement nor the centre tells.
    """

    differs: Differs
    ours: StatementLine | None
    theirs: StatementLine | None
    repair: Repair
    terminal: str | None = None

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
    """What came of it. Without lines asked for, `differences` is empty.

    `statements` are the terminals', this one's first.
    """

    day: date
    totals: tuple[TotalCheck, ...]
    statements: tuple[DayStatement, ...]
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether both ledgers agree."""
        return all(check.agrees for check in self.totals) and not self.differences

    @property
    def own(self) -> DayStatement:
        """What this terminal says."""
        return self.statements[0]

    @property
    def ours(self) -> tuple[StatementLine, ...]:
        """The lines of all terminals."""
        return tuple(line for each in self.statements for line in each.lines)

    @property
    def missing(self) -> tuple[str, ...]:
        """Terminals without a statement here of which the centre has booked something."""
        here = {each.terminal_id for each in self.statements}
        named = {each.terminal for each in self.differences if each.terminal is not None}
        return tuple(sorted(named - here))

    @property
    def early(self) -> tuple[str, ...]:
        """Terminals that wrote their statement before the day was over."""
        return tuple(each.terminal_id for each in self.statements[1:] if is_early(each))

    @property
    def needs_others(self) -> bool:
        """Whether totals differ and none of our lines does: others have settled, too."""
        return not self.equal and not self.differences


def reconcile(
    journal: Journal,
    channel: SettlementChannel,
    own: DayStatement,
    others: Sequence[DayStatement] = (),
    *,
    always_lines: bool = False,
) -> Report:
    """Compare one day, of this terminal or with `others` of the whole institution.

    `own` is what `statement_of` makes of the journal. Raises `BackendError` and `StoreError`.
    """
    day, statements = own.day, (own, *others)
    scope: Scope = "institution" if others else "terminal"
    report = Report(day, (), statements, ())
    ours = report.ours
    totals = (TotalCheck(each, channel.agrees(day, each, scope)) for each in totals_of(ours))
    report = replace(report, totals=tuple(totals))
    if report.equal and not always_lines:
        return report
    found = compare(ours, channel.statement(day, ours, scope))
    whose = _Whose(statements, journal)
    return replace(report, differences=tuple(whose.told(each) for each in found))


def statement_of(
    journal: Journal,
    day: date,
    terminal: Enrolment,
    now: datetime,
    visit_of: Callable[[Operation], VisitNumbers | None],
) -> DayStatement:
    """What the journal has of that day, as this terminal says it. Raises `StoreError`."""
    lines: list[StatementLine] = []
    others = [
        NumberStanding(number, "open" if state.is_open else "undone")
        for number, state in journal.not_done_about(day)
    ]
    for operation in journal.done_about(day):
        line = _line(operation, day)
        if line is None:
            others.append(NumberStanding(operation.number, "other_day"))
            continue
        visit = visit_of(operation)
        if visit is not None:
            line = replace(line, visit_id=visit.visit_id, person_id=visit.person_id)
        lines.append(line)
    return DayStatement(
        day, terminal.institution, terminal.terminal_id, now, tuple(lines), tuple(others)
    )


def is_early(statement: DayStatement) -> bool:
    """Whether a statement was written before its day was over: more may have happened since."""
    end = datetime.combine(statement.day, time(), SHANGHAI) + timedelta(days=1)
    return statement.written_at < end


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
    mine = {line.booking: line for line in ours}
    centre = {line.booking: line for line in theirs}
    found = []
    for key, line in mine.items():
        other = centre.get(key)
        if other is None:
            found.append(Difference(Differs.OURS_ONLY, line, None, Repair.VOID))
        elif other != line:
            found.append(Difference(Differs.AMOUNTS, line, other, Repair.CANCEL))
    found.extend(
        Difference(Differs.THEIRS_ONLY, None, line, Repair.ASK)
        for key, line in centre.items()
        if key not in mine
    )
    return tuple(found)


def repair(report: Report, journal: Journal, centre: Centre) -> int:
    """Mend what can be mended without the holder; how many differences were.

    What only the centre has and did not happen here is reversed there. What only this terminal has
    is asked for by its number, and voided here when the centre has not got it. What is another
    terminal's is mended there. Raises `BackendError` and `StoreError`; what was mended until then
    is.
    """
    own = report.own.terminal_id
    mine = (each for each in report.differences if each.terminal == own)
    return sum(_mended(each, journal, centre) for each in mine)


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


class _Whose:
    """Tells whose a difference is, and what mends it there."""

    def __init__(self, statements: Sequence[DayStatement], journal: Journal) -> None:
        self._own = statements[0].terminal_id
        self._done = {line.number for line in statements[0].lines}
        self._journal = journal
        self._lines = {line.booking: each.terminal_id for each in statements for line in each.lines}
        self._others = {
            other.number: (each.terminal_id, other.standing)
            for each in statements[1:]
            for other in each.others
        }

    def told(self, difference: Difference) -> Difference:
        """The difference with its terminal and its repair."""
        if difference.differs is not Differs.THEIRS_ONLY:
            return replace(difference, terminal=self._lines[difference.line.booking])
        terminal, repair = self._of_centre(difference.line)
        return replace(difference, terminal=terminal, repair=repair)

    def _of_centre(self, line: StatementLine) -> tuple[str | None, Repair]:
        """Whose a booking is that no terminal has as done on that day.

        Two terminals may have given the same number in the same second: a number that is done here
        is another terminal's booking, or one that the centre has to explain.
        """
        known = self._journal.find(line.number)
        if known is not None and line.number not in self._done:
            return self._own, _BY_STANDING[_standing(known.state)]
        if line.number in self._others:
            terminal, standing = self._others[line.number]
            return terminal, _BY_STANDING[standing]
        is_others = line.terminal not in (None, self._own)
        return line.terminal, Repair.STATEMENT if is_others else Repair.ASK


def _standing(state: State) -> Standing:
    if state.is_open:
        return "open"
    return "other_day" if state is State.CONFIRMED else "undone"


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
