"""Amounts at the edge of the national interface: yuan with two places there, whole fen here.

An amount never passes through binary floating point: it is written as decimal text, and read from
decimal text or from the digits of a JSON number.
"""

from __future__ import annotations

import re
from decimal import Decimal

_AMOUNT = re.compile(r"-?[0-9]{1,14}(?:\.[0-9]{1,6})?")


def to_yuan(fen: int) -> str:
    """An amount in yuan with two places: -1205 -> "-12.05"."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def to_fen(value: object) -> int:
    """The whole fen of an amount in yuan. Raises `ValueError` for anything finer than a fen."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("not an amount")  # noqa: TRY004 - one error for all that is no amount
    text = str(value)
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError("not an amount")
    fen = Decimal(text) * 100
    if fen != fen.to_integral_value():
        raise ValueError("finer than a fen")
    return int(fen)
