"""What the register takes in about a holder: plain records, checked when they are taken in.

Nothing personal shows in a `repr`. Money is whole fen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from backend_client.messages import Bill, BillLine


@dataclass(frozen=True, slots=True)
class InsuranceRecord:
    """One insurance: kind and status as the message `Insurance` names them."""

    kind: str
    status: str
    since: date
    months_paid: int


@dataclass(frozen=True, slots=True)
class ContributionRecord:
    """What was paid into one insurance for one month ("YYYY-MM")."""

    month: str
    kind: str
    person_fen: int
    employer_fen: int


@dataclass(frozen=True, slots=True)
class HolderRecord:
    """A holder. `insured_as` names a group of the payment rules."""

    name: str = field(repr=False)
    ssn: str = field(repr=False)
    insured_as: str = "employee"
    insurances: tuple[InsuranceRecord, ...] = ()
    contributions: tuple[ContributionRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class CardRecord:
    """A card as it is when it comes into the register; `card_id` is 32 lower-case hex digits."""

    card_id: str = field(repr=False)
    card_number: str = field(repr=False)
    state: str = "not_activated"
    financial_active: bool = False


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """The medical account: this year's and past years' money."""

    current_fen: int = field(default=0, repr=False)
    past_fen: int = field(default=0, repr=False)


@dataclass(frozen=True, slots=True)
class BillLineRecord:
    """One item; `amount_fen` None is quantity times unit price. Not covered: the holder pays."""

    code: str
    name: str
    quantity: int
    unit_price_fen: int
    amount_fen: int | None = None
    is_covered: bool = True


@dataclass(frozen=True, slots=True)
class BillRecord:
    """A bill that waits for settlement. `institution` is the institution's code."""

    bill_id: str
    visit_id: str
    institution: str
    department: str
    date: date
    lines: tuple[BillLineRecord, ...] = field(repr=False)

    def message(self) -> Bill:
        """The bill as terminals get it."""
        lines = tuple(_line(line) for line in self.lines)
        return Bill(
            bill_id=self.bill_id,
            visit_id=self.visit_id,
            institution=self.institution,
            department=self.department,
            date=self.date,
            lines=lines,
            total_fen=sum(line.amount_fen for line in lines),
        )


def _line(line: BillLineRecord) -> BillLine:
    amount = line.quantity * line.unit_price_fen if line.amount_fen is None else line.amount_fen
    return BillLine(line.code, line.name, line.quantity, line.unit_price_fen, amount)
