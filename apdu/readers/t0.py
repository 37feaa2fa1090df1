"""T=0 as readers carry it that pass on what they get (ISO/IEC 7816-3, 12.2)."""

from __future__ import annotations

from apdu.atr import is_contactless


def speaks_t0(atr: bytes) -> bool:
    """Whether the card offers T=0 first: TD1 is absent or names it (ISO/IEC 7816-3, 8.2.3).

    The answer to reset that a reader makes up for a contactless card names it, too, and is of none.
    """
    if is_contactless(atr):
        return False
    if len(atr) < 2 or not atr[1] & 0x80:
        return True
    td1 = 2 + (atr[1] >> 4 & 0x7).bit_count()
    return td1 < len(atr) and atr[td1] & 0x0F == 0


def for_t0(command: bytes) -> bytes:
    """A short command APDU as T=0 carries it.

    Case 1 gets a P3 of zero, case 4 loses its Le: the card then says 61xx and GET RESPONSE
    fetches the answer. Readers that work on APDUs do this themselves and take either form; readers
    that pass on what they get need this one.
    """
    if len(command) == 4:
        return command + b"\x00"
    if len(command) > 5 and command[4] and len(command) == 6 + command[4]:
        return command[:-1]
    return command
