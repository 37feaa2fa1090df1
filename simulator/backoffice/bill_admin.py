"""The staff's route of bills: what a hospital's own system hands in for a card holder to settle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from itertools import count

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend_client.codec import canonical, encode
from backend_client.errors import BadRequest
from backend_client.messages import Bill, BillList, CardRef
from backend_client.transport import Reply
from simulator.backoffice.admin import PREFIX, Fields, by_staff, key_of
from simulator.backoffice.bills import Bills
from simulator.backoffice.database import Database
from simulator.backoffice.days import local
from simulator.backoffice.errors import Refused
from simulator.backoffice.incoming import bad_request
from simulator.backoffice.problems import json_reply
from simulator.backoffice.records import BillLineRecord, BillRecord
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import Register
from simulator.backoffice.routes import Route
from simulator.backoffice.schema import BillRow, Institution
from simulator.backoffice.shapes import ADMIN

_ANY_CARD = CardRef("0" * 32, "000000000")


class BillAdmin:
    """Taking in bills, one transaction each."""

    def __init__(
        self, database: Database, *, now: Callable[[], datetime], register: Register, bills: Bills
    ) -> None:
        self._database = database
        self._now = now
        self._register = register
        self._bills = bills

    def routes(self) -> Mapping[str, Route]:
        """Path -> what answers a POST to it."""
        return {
            PREFIX + "/bills": by_staff(
                "bill",
                ADMIN + "bill-result",
                self._bill,
                "A hospital hands in a bill, for the holder to settle (5, 13)",
                {Refusal.CARD_UNKNOWN, Refusal.INSTITUTION_UNKNOWN},
            )
        }

    def _bill(self, fields: Fields) -> Reply:
        lines = tuple(BillLineRecord(**line) for line in fields["lines"])
        key = key_of(fields)
        with self._database.transaction() as session:
            if session.get(Institution, fields["institution"]) is None:
                raise Refused(Refusal.INSTITUTION_UNKNOWN)
            card = self._register.find_by(session, card_id=key.card_id, card_number=key.card_number)
            day = _day(fields) or local(self._now()).date()
            number = _unused(session, day)
            bill = BillRecord(
                f"B{number}",
                f"V{number}",
                fields["institution"],
                fields["department"],
                day,
                lines,
            ).message()
            _check(bill)
            self._bills.add(session, card.holder, bill, [line.is_covered for line in lines])
        return json_reply(canonical({"bill_id": bill.bill_id, "total_fen": bill.total_fen}))


def _day(fields: Fields) -> date | None:
    try:
        return date.fromisoformat(fields["date"]) if "date" in fields else None
    except ValueError:
        raise bad_request("/date", "format") from None


def _unused(session: Session, day: date) -> str:
    """The day and a serial that no bill of that day has yet."""
    first = (session.scalar(select(func.max(BillRow.id))) or 0) + 1
    numbers = (f"{day:%Y%m%d}{serial:05d}" for serial in count(first))
    taken = select(BillRow.id).where
    return next(
        each for each in numbers if session.scalar(taken(BillRow.bill_id == f"B{each}")) is None
    )


def _check(bill: Bill) -> None:
    """Refuse what terminals could not be told: a sum below zero or beyond the contract's bounds."""
    try:
        encode(BillList(_ANY_CARD, (bill,)))
    except BadRequest as error:
        raise bad_request(error.pointer.removeprefix("/bills/0"), error.rule) from None
