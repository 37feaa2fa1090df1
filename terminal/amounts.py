"""Amounts as people type them: yuan, with at most two places, to whole fen."""

from __future__ import annotations

import re
from unicodedata import normalize

_YUAN = re.compile(r"([0-9]{1,7}|[0-9]{1,3}(?:,[0-9]{3}){1,2})(?:\.([0-9]{1,2}))?")
"""A comma parts thousands and nothing else: "12,50" may be meant as 12.50, and is no amount."""

MOST_FEN = 999_999_999
"""The largest amount that can be typed."""


def fen_of(typed: str) -> int | None:
    """The fen of what was typed, 0 to `MOST_FEN`; None where it is no amount.

    >>> fen_of("12.50"), fen_of("12.5"), fen_of("1,234"), fen_of("12,50"), fen_of("1.234")
    (1250, 1250, 123400, None, None)
    """
    match = _YUAN.fullmatch(normalize("NFKC", typed).strip())
    if match is None:
        return None
    fen = int(match[1].replace(",", "")) * 100 + int((match[2] or "").ljust(2, "0"))
    return fen if fen <= MOST_FEN else None
