"""Visits and their fee lines, and which settlements belong to them (2201 to 2205, 5203).

Works in the caller's transaction. The fee lines of a bill must be those that the hospital has
billed; the insurance's catalogue, which says what it covers, is that of the bill's lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from simulator.backoffice.bills import Bills
from simulator.backoffice.errors import Refused
from simulator.backoffice.money_schema import FeeBatchRow, VisitRow, VisitSettlementRow
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import BillRow, Card, Operation, SettlementRow
from simulator.backoffice.vault import Vault

_PERSON, _VISIT = "P", "M"


def person_no(holder: int) -> str:
    """psn_no of a holder."""
    return f"{_PERSON}{holder:012d}"


def visit_no(visit: VisitRow) -> str:
    """mdtrt_id of a visit."""
    return f"{_VISIT}{visit.id:012d}"


class Visits:
    """The visits of all holders."""

    def __init__(self, bills: Bills, vault: Vault) -> None:
        self._bills = bills
        self._vault = vault

    def register(
        self, session: Session, card: Card, institution: str, own_number: str, now: datetime
    ) -> VisitRow:
        """2201. The same visit again is the same registration."""
        index = self._vault.index("visit", f"{institution}/{own_number}")
        known = select(VisitRow).where(
            VisitRow.holder == card.holder,
            VisitRow.visit_index == index,
            VisitRow.revoked_at.is_(None),
        )
        visit = session.scalar(known)
        if visit is None:
            visit = VisitRow(
                holder=card.holder,
                card=card.id,
                institution=institution,
                visit_index=index,
                described=False,
                registered_at=now,
            )
            session.add(visit)
            session.flush()
        return visit

    def find(self, session: Session, values: Mapping[str, Any], institution: str) -> VisitRow:
        """The visit that mdtrt_id and psn_no name. Raises `Refused` VISIT_UNKNOWN."""
        text = values["mdtrt_id"].removeprefix(_VISIT)
        number = int(text) if text.isascii() and text.isdecimal() else 0
        visit = session.get(VisitRow, number, with_for_update=True)
        if (
            visit is None
            or visit.revoked_at is not None
            or person_no(visit.holder) != values["psn_no"]
            or visit.institution != institution
        ):
            raise Refused(Refusal.VISIT_UNKNOWN)
        return visit

    def revoke(self, session: Session, visit: VisitRow, now: datetime) -> None:
        """2202. Raises `Refused` VISIT_HAS_SETTLEMENT."""
        if any(True for _ in self.standing(session, visit)):
            raise Refused(Refusal.VISIT_HAS_SETTLEMENT)
        visit.revoked_at = now

    def upload(
        self,
        session: Session,
        visit: VisitRow,
        bill: BillRow,
        lines: Sequence[Mapping[str, Any]],
        now: datetime,
    ) -> list[dict[str, Any]]:
        """2204: what of each line the insurance covers. Raises `Refused` FEE_LINES_DIFFER."""
        billed = self._bills.message(session, bill).lines
        wanted = [(e.code, e.quantity, e.unit_price_fen, e.amount_fen) for e in billed]
        names = ("med_list_codg", "cnt", "pric", "det_item_fee_sumamt")
        if wanted != [tuple(line[name] for name in names) for line in lines]:
            raise Refused(Refusal.FEE_LINES_DIFFER)
        batch = session.get(FeeBatchRow, (visit.id, bill.id))
        if batch is None:
            session.add(FeeBatchRow(visit=visit.id, bill=bill.id, uploaded_at=now))
        else:
            batch.revoked_at = None
        covered = self._bills.covered(session, bill)
        return [
            {
                "feedetl_sn": line["feedetl_sn"],
                "det_item_fee_sumamt": line["det_item_fee_sumamt"],
                "fulamt_ownpay_amt": 0 if is_covered else line["det_item_fee_sumamt"],
                "inscp_scp_amt": line["det_item_fee_sumamt"] if is_covered else 0,
            }
            for line, is_covered in zip(lines, covered, strict=True)
        ]

    def revoke_batch(self, session: Session, visit: VisitRow, bill_id: str, now: datetime) -> None:
        """2205. Raises `Refused` FEE_LINES_MISSING or VISIT_HAS_SETTLEMENT."""
        batch, bill = self._batch(session, visit, bill_id)
        if any(row.bill == bill.id for _, row in self.standing(session, visit)):
            raise Refused(Refusal.VISIT_HAS_SETTLEMENT)
        batch.revoked_at = now

    def uploaded(self, session: Session, visit: VisitRow, bill_id: str) -> BillRow:
        """The bill whose lines were uploaded. Raises `Refused` FEE_LINES_MISSING."""
        return self._batch(session, visit, bill_id)[1]

    def standing(
        self, session: Session, visit: VisitRow
    ) -> Sequence[tuple[VisitSettlementRow, SettlementRow]]:
        """The visit's settlements that are in force."""
        query = (
            select(VisitSettlementRow, SettlementRow)
            .join(SettlementRow, VisitSettlementRow.settlement == SettlementRow.id)
            .where(VisitSettlementRow.visit == visit.id)
            .where(VisitSettlementRow.is_refund.is_(False), SettlementRow.reversed_at.is_(None))
        )
        return [(link, row) for link, row in session.execute(query)]

    def operations(
        self, session: Session, visit: VisitRow, owner: int
    ) -> Sequence[tuple[VisitSettlementRow, Operation, SettlementRow]]:
        """What a terminal has settled and taken back for a visit, but for what was reversed."""
        query = (
            select(VisitSettlementRow, Operation, SettlementRow)
            .join(Operation, VisitSettlementRow.operation == Operation.id)
            .join(SettlementRow, VisitSettlementRow.settlement == SettlementRow.id)
            .where(VisitSettlementRow.visit == visit.id, Operation.owner == owner)
            .where(Operation.reversal.is_(None))
            .order_by(Operation.id)
        )
        return [(link, by, row) for link, by, row in session.execute(query)]

    def _batch(
        self, session: Session, visit: VisitRow, bill_id: str
    ) -> tuple[FeeBatchRow, BillRow]:
        query = (
            select(FeeBatchRow, BillRow)
            .join(BillRow, FeeBatchRow.bill == BillRow.id)
            .where(FeeBatchRow.visit == visit.id, BillRow.bill_id == bill_id)
            .where(FeeBatchRow.revoked_at.is_(None))
        )
        found = session.execute(query).first()
        if found is None:
            raise Refused(Refusal.FEE_LINES_MISSING)
        batch, bill = found
        return batch, bill
