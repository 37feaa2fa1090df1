"""The historical bytes of an answer to reset (ISO/IEC 7816-3, 8.2; facts 1.1 to 1.3)."""

from __future__ import annotations

from apdu.status import UnsupportedCard


def historical_bytes(atr: bytes) -> bytes:
    """The historical bytes of a contact ATR, or of the one a reader derives from an ATS.

    Raises `UnsupportedCard` when `atr` is not built as the standard says.
    """
    if len(atr) < 2 or atr[0] not in (0x3B, 0x3F):
        raise UnsupportedCard("the answer to reset is not one")
    present, length = atr[1] >> 4, atr[1] & 0x0F
    position = 2
    while present:
        position += present.bit_count()  # TA, TB, TC and TD as announced
        if not present & 0x8:
            break
        if position > len(atr):
            raise UnsupportedCard("the answer to reset ends too soon")
        present = atr[position - 1] >> 4  # the TD just passed announces the next group
    if position + length > len(atr):
        raise UnsupportedCard("the answer to reset ends too soon")
    return atr[position : position + length]


def is_contactless(atr: bytes) -> bool:
    """Whether `atr` is the one a PC/SC reader derives from an ATS (facts 1.3): 3B 8x 80 01."""
    return len(atr) > 3 and atr[0] == 0x3B and atr[1] >> 4 == 0x8 and atr[2:4] == b"\x80\x01"
