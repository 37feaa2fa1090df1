"""What the card says at reset (facts 1.1, 1.3)."""

from __future__ import annotations

from functools import reduce
from operator import xor


def contact_atr(historical: bytes) -> bytes:
    """TS 3B, T0 6D (TB1, TC1, 13 historical bytes), TB1 00, TC1 00: T=0 only, so no TCK."""
    return b"\x3b\x6d\x00\x00" + historical


def contactless_atr(historical: bytes) -> bytes:
    """What a PC/SC reader makes of the ATS: 3B 8D 80 01, the historical bytes, TCK."""
    interface = b"\x8d\x80\x01" + historical
    return b"\x3b" + interface + bytes((reduce(xor, interface),))
