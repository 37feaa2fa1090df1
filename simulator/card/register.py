"""What a profile says the back office's register knows: state, insurances, accounts, bills.

The card itself holds none of this. It stands in the profile so that one file describes a whole
case, and the reference back office is seeded from the same profiles as the cards. Money is whole
fen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class InsuranceEntry:
    """One insurance: kind and status as the message `Insurance` names them."""

    kind: str
    status: str
    since: date
    months_paid: int


@dataclass(frozen=True, slots=True)
class ContributionEntry:
    """What was paid into one insurance for one month ("YYYY-MM")."""

    month: str
    kind: str
    person_fen: int
    employer_fen: int


@dataclass(frozen=True, slots=True)
class BillLineEntry:
    """One item of a bill."""

    code: str
    name: str
    quantity: int
    unit_price_fen: int

    @property
    def amount_fen(self) -> int:
        """Quantity times unit price."""
        return self.quantity * self.unit_price_fen


@dataclass(frozen=True, slots=True)
class BillEntry:
    """A bill that waits for settlement. `institution` is the institution's number."""

    bill_id: str
    visit_id: str
    institution: str
    department: str
    date: date
    lines: tuple[BillLineEntry, ...]

    @property
    def total_fen(self) -> int:
        """The sum of the lines."""
        return sum(line.amount_fen for line in self.lines)


@dataclass(frozen=True, slots=True)
class ContributionBillEntry:
    """A contribution that is due for one month ("YYYY-MM")."""

    bill_id: str
    kind: str
    month: str
    amount_fen: int
    due: date


@dataclass(frozen=True, slots=True)
class BenefitEntry:
    """A benefit that was paid and whose receipt is not confirmed."""

    benefit_id: str
    kind: str
    name_zh: str
    name_en: str
    period: str
    amount_fen: int
    paid_on: date


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """One card and its holder in the register. `state` is a state of the message `CardStatus`."""

    state: str
    financial_active: bool = False
    insured_as: str = "employee"
    insurances: tuple[InsuranceEntry, ...] = ()
    contributions: tuple[ContributionEntry, ...] = ()
    current_account_fen: int = field(default=0, repr=False)
    past_accounts_fen: int = field(default=0, repr=False)
    bills: tuple[BillEntry, ...] = field(default=(), repr=False)
    contribution_bills: tuple[ContributionBillEntry, ...] = field(default=(), repr=False)
    benefits: tuple[BenefitEntry, ...] = field(default=(), repr=False)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> RegisterEntry:
        """The entry in a profile's `backoffice` object, which has passed the schema."""
        lists = {
            "insurances": tuple(_insurance(item) for item in fields.get("insurances", ())),
            "contributions": tuple(
                ContributionEntry(**item) for item in fields.get("contributions", ())
            ),
            "bills": tuple(_bill(item) for item in fields.get("bills", ())),
            "contribution_bills": tuple(
                ContributionBillEntry(**{**item, "due": date.fromisoformat(item["due"])})
                for item in fields.get("contribution_bills", ())
            ),
            "benefits": tuple(
                BenefitEntry(**{**item, "paid_on": date.fromisoformat(item["paid_on"])})
                for item in fields.get("benefits", ())
            ),
        }
        return cls(**{**fields, **lists})


def _insurance(fields: Mapping[str, Any]) -> InsuranceEntry:
    return InsuranceEntry(**{**fields, "since": date.fromisoformat(fields["since"])})


def _bill(fields: Mapping[str, Any]) -> BillEntry:
    lines = tuple(BillLineEntry(**line) for line in fields["lines"])
    return BillEntry(**{**fields, "date": date.fromisoformat(fields["date"]), "lines": lines})
