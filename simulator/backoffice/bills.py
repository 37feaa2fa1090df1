"""Bills: taking them in, finding the open ones, and what the tariff has to know of one.

Works in the caller's transaction. What was done and where (health data) is sealed; amounts are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backend_client.messages import Bill, BillLine
from simulator.backoffice.errors import Refused
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import BillLineRow, BillRow, Institution
from simulator.backoffice.tariff import Charge, charge_of
from simulator.backoffice.vault import Vault

MAX_SHOWN = 50

_LINES = (
    select(BillLineRow).where(BillLineRow.bill == bindparam("bill")).order_by(BillLineRow.position)
)
"""How many open bills are shown at once: the newest, in the order of their dates."""


class Bills:
    """The bills of all holders."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def add(self, session: Session, holder: int, bill: Bill, covered: Sequence[bool]) -> None:
        """Take in a bill; `covered` says for each line whether the insurance covers it."""
        visit = {"visit_id": bill.visit_id, "department": bill.department}
        row = BillRow(
            bill_id=bill.bill_id,
            holder=holder,
            institution=bill.institution,
            date=bill.date,
            total_fen=bill.total_fen,
            sealed=self._vault.seal(visit, "bills", bill.bill_id),
        )
        session.add(row)
        session.flush()
        for position, (line, is_covered) in enumerate(zip(bill.lines, covered, strict=True)):
            item = {"code": line.code, "name": line.name}
            session.add(
                BillLineRow(
                    bill=row.id,
                    position=position,
                    sealed=self._vault.seal(item, "bill_lines", f"{bill.bill_id}/{position}"),
                    quantity=line.quantity,
                    unit_price_fen=line.unit_price_fen,
                    amount_fen=line.amount_fen,
                    is_covered=is_covered,
                )
            )

    def open_of(self, session: Session, holder: int, institution: str | None) -> tuple[Bill, ...]:
        """The holder's open bills, of one institution or of all."""
        query = select(BillRow).where(BillRow.holder == holder, BillRow.settled_by.is_(None))
        if institution is not None:
            query = query.where(BillRow.institution == institution)
        newest = query.order_by(BillRow.date.desc(), BillRow.id.desc()).limit(MAX_SHOWN)
        rows = session.scalars(newest).all()
        return tuple(self.message(session, row) for row in reversed(rows))

    def open_one(
        self, session: Session, holder: int, bill_id: str, institution: str | None
    ) -> BillRow:
        """An open bill of the holder. Raises `Refused` BILL_UNKNOWN or BILL_SETTLED."""
        query = select(BillRow).where(BillRow.bill_id == bill_id, BillRow.holder == holder)
        row = session.scalar(query.with_for_update())
        if row is None or institution not in (None, row.institution):
            raise Refused(Refusal.BILL_UNKNOWN)
        if row.settled_by is not None:
            raise Refused(Refusal.BILL_SETTLED)
        return row

    def charge(self, session: Session, row: BillRow) -> Charge:
        """What the tariff has to know of a bill."""
        lines = tuple((line.amount_fen, line.is_covered) for line in _lines(session, row))
        return charge_of(lines, session.get_one(Institution, row.institution).tier)

    def message(self, session: Session, row: BillRow) -> Bill:
        """A bill as terminals get it."""
        visit = cast(dict[str, str], self._vault.open(row.sealed, "bills", row.bill_id))
        lines = tuple(self._line(row, line) for line in _lines(session, row))
        return Bill(
            bill_id=row.bill_id,
            visit_id=visit["visit_id"],
            institution=row.institution,
            department=visit["department"],
            date=row.date,
            lines=lines,
            total_fen=row.total_fen,
        )

    def covered(self, session: Session, row: BillRow) -> tuple[bool, ...]:
        """For each line, whether the insurance covers it."""
        return tuple(line.is_covered for line in _lines(session, row))

    def _line(self, bill: BillRow, row: BillLineRow) -> BillLine:
        place = f"{bill.bill_id}/{row.position}"
        item = cast(dict[str, Any], self._vault.open(row.sealed, "bill_lines", place))
        return BillLine(
            item["code"], item["name"], row.quantity, row.unit_price_fen, row.amount_fen
        )


def _lines(session: Session, row: BillRow) -> Sequence[BillLineRow]:
    return session.scalars(_LINES, {"bill": row.id}).all()
