"""Receipts and slips, as values: lines of label and amount that any printer or screen can set.

A receipt carries no name and no full card number, so a forgotten one tells nobody whose it was.
Money is an integer count of fen; `yuan()` is the only place that turns it into text. Values are in
both languages like their labels: who reads English gets an English receipt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from terminal.text import Text, same


def yuan(fen: int) -> str:
    """An amount in yuan with two places and thousands apart: 123456 -> "1,234.56"."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def money(fen: int) -> Text:
    """An amount in yuan, behind the sign of the currency."""
    return same(f"¥ {yuan(fen)}")


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line: a label and what stands beside it. `strong` lines are the ones that matter most."""

    label: Text
    value: Text
    strong: bool = False

    @classmethod
    def amount(cls, label: Text, fen: int, *, strong: bool = False) -> ReceiptLine:
        """A line of money."""
        return cls(label, money(fen), strong)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the holder takes away: the operation's number, when and where, and what came of it.

    `number` is the operation number under which terminal and back office both know it; empty where
    nothing was done.
    """

    title: Text
    number: str
    at: datetime
    place: str
    lines: tuple[ReceiptLine, ...]
    notes: tuple[Text, ...] = ()
