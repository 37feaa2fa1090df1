"""3201 and 3202, and the files of 9101 and 9102: the institution's day as the centre has it.

The envelope names the institution, and no field a terminal (facts 1.2, 1.6). Whether the sums are
equal is told to every terminal of it; the lines of other terminals only to a role that may see
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.money_messages import Scope, StatementLine
from backend_client.national import statement_file
from backend_client.national.envelope import Asked
from backend_client.national.split import INSUTYPES, exp_content, scheme_of
from backend_client.national.statement_file import Difference, Row, row_of
from backend_client.national.transactions import EQUAL, REFUND
from simulator.backoffice.database import Database
from simulator.backoffice.errors import Refused
from simulator.backoffice.money_schema import StatementFileRow, VisitRow, VisitSettlementRow
from simulator.backoffice.national.visits import person_no, visit_no
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.statements import Booking, bookings_of, totals_of
from simulator.backoffice.terminals import Caller, Task
from simulator.backoffice.vault import Vault

FILE_LIFETIME = timedelta(days=1)
_UNEQUAL = "000001"
_AT_ONCE = 500
Output = dict[str, Any]


class Reconciling:
    """One method a transaction. Safe to share between threads."""

    def __init__(self, database: Database, now: Callable[[], datetime], vault: Vault) -> None:
        self._database = database
        self._now = now
        self._vault = vault

    def totals(self, caller: Caller, asked: Asked) -> Output:
        """3201: whether the sums of the whole institution are those that were sent."""
        values = asked.input["data"]
        refund = values.get("refd_setl_flag") == REFUND
        key = (refund, scheme_of(values["insutype"]))
        with self._database.transaction() as session:
            booked = _on_day(session, caller, values, "institution")
        totals = totals_of(each.line for each in booked)
        mine = next((each for each in totals if (each.refund, each.scheme) == key), None)
        names = ("fixmedins_setl_cnt", "medfee_sumamt", "fund_pay_sumamt", "acct_pay")
        theirs = tuple(values[name] for name in names)
        ours = (0, 0, 0, 0)
        if mine is not None:
            ours = (mine.count, mine.total_fen, mine.fund_fen, mine.account_fen)
        equal = ours == theirs
        said = "平" if equal else "不平"
        return {"stmtinfo": {"stmt_rslt": EQUAL if equal else _UNEQUAL, "stmt_rslt_dscr": said}}

    def compare(self, caller: Caller, asked: Asked) -> Output:
        """3202: the file of what differs from the file that was sent.

        The institution's lines are compared; who has no right to those of other terminals is
        shown its own, and what the centre has not got.
        """
        values = asked.input["data"]
        with self._database.transaction() as session:
            now = self._now()
            file = self._file(session, caller, values["file_qury_no"], now)
            sent = {row.booking: row for row in statement_file.received(file)}
            booked = _on_day(session, caller, values, "institution")
            shown = booked
            if Task.INSTITUTION not in caller.role.tasks:
                shown = _on_day(session, caller, values, "terminal")
            known = {row_of(each.line).booking for each in booked}
            found = [
                *_centres(session, shown, sent),
                *(
                    Difference(row, None, statement_file.SENDER_ONLY)
                    for booking, row in sent.items()
                    if booking not in known
                ),
            ]
            name = f"result-{values['stmt_begndate']:%Y%m%d}.zip"
            kept = self._keep(session, caller, name, statement_file.results(found), now)
            info = {"file_qury_no": str(kept.id), "filename": name, "dld_endtime": kept.until}
            return {"fileinfo": info}

    def take_file(self, caller: Caller, asked: Asked) -> Output:
        """9101."""
        values = asked.input["fsUploadIn"]
        with self._database.transaction() as session:
            row = self._keep(session, caller, values["filename"], values["in"], self._now())
            return {"fsUploadOut": {"file_qury_no": str(row.id)}}

    def give_file(self, caller: Caller, asked: Asked) -> Output:
        """9102."""
        wanted = asked.input["fsDownloadIn"]["file_qury_no"]
        with self._database.transaction() as session:
            return {"fsDownloadOut": {"out": self._file(session, caller, wanted, self._now())}}

    def _keep(
        self, session: Session, caller: Caller, name: str, file: str, now: datetime
    ) -> StatementFileRow:
        row = StatementFileRow(owner=caller.owner, name=name, sealed=b"", until=now + FILE_LIFETIME)
        session.add(row)
        session.flush()
        row.sealed = self._vault.seal(file, "statement_files", str(row.id))
        return row

    def _file(self, session: Session, caller: Caller, number: str, now: datetime) -> str:
        """The terminal's own file of that number. Raises `Refused` FILE_UNKNOWN."""
        known = number.isascii() and number.isdecimal()
        row = session.get(StatementFileRow, int(number)) if known else None
        if row is None or row.owner != caller.owner or now >= row.until:
            raise Refused(Refusal.FILE_UNKNOWN)
        return str(self._vault.open(row.sealed, "statement_files", str(row.id)))


def _on_day(
    session: Session, caller: Caller, values: dict[str, Any], scope: Scope
) -> tuple[Booking, ...]:
    """What was booked on the day asked about. Raises `Refused`."""
    begin: date = values["stmt_begndate"]
    if values["stmt_enddate"] != begin:
        raise Refused(Refusal.BAD_REQUEST, detail="one day at a time")
    return bookings_of(session, caller, begin, scope)


def _centres(
    session: Session, booked: Sequence[Booking], sent: Mapping[statement_file.Booking, Row]
) -> list[Difference]:
    """What was booked and not sent, or with other amounts."""
    differing = []
    for each in booked:
        row = row_of(each.line)
        other = sent.get(row.booking)
        if other is None or other.amounts != row.amounts:
            differing.append((each, other))
    visits = _visits_of(session, [each.operation for each, _ in differing])
    return [_told(each.line, other, visits.get(each.operation)) for each, other in differing]


def _visits_of(session: Session, operations: Sequence[int]) -> dict[int, VisitRow]:
    """The visit of each operation that has one."""
    found: dict[int, VisitRow] = {}
    for start in range(0, len(operations), _AT_ONCE):
        some = operations[start : start + _AT_ONCE]
        query = (
            select(VisitSettlementRow.operation, VisitRow)
            .join(VisitRow, VisitSettlementRow.visit == VisitRow.id)
            .where(VisitSettlementRow.operation.in_(some))
        )
        for operation, visit in session.execute(query):
            found[operation] = visit
    return found


def _told(line: StatementLine, sent: Row | None, visit: VisitRow | None) -> Difference:
    """A line of the centre's that was not sent, or with other amounts."""
    row = row_of(line)
    if visit is not None:
        row = replace(row, visit_id=visit_no(visit), person_id=person_no(visit.holder))
    result = statement_file.CENTRE_ONLY if sent is None else statement_file.AMOUNTS
    memo = exp_content(insutype=INSUTYPES[line.scheme], terminal=line.terminal)
    return Difference(row, line.number, result, memo)
