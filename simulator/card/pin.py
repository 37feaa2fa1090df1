"""VERIFY, CHANGE PIN, PIN UNBLOCK and PIN RELOAD (facts 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apdu.crypto import MAC_LENGTH, decrypt_data
from apdu.ssc.keys import KeyName
from apdu.status import StatusWord
from simulator.card.instruction import Instruction
from simulator.card.pin_store import MAX_BYTES, MIN_BYTES, is_packed_pin
from simulator.card.refusal import Refused, tries_left, wrong_length, wrong_parameters
from simulator.card.secure import verified_data

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

_SEPARATOR = b"\xff"
_UNBLOCK, _RELOAD = 0x00, 0x01


def verify(system: OperatingSystem, instruction: Instruction) -> bytes:
    """00 20: check the PIN; without data, tell how many tries are left (9000: no PIN is set)."""
    if instruction.p1 or instruction.p2:
        raise wrong_parameters()
    if not instruction.data:
        return _query(system)
    if not MIN_BYTES <= len(instruction.data) <= MAX_BYTES:
        raise wrong_length()
    _check(system, instruction.data)
    system.pin.tries.restore()
    system.session.pin_verified = True
    return b""


def change_pin(system: OperatingSystem, instruction: Instruction) -> bytes:
    """80 5E 01 00: old PIN, FF, new PIN. An empty old PIN sets the first, an empty new one none."""
    if (instruction.p1, instruction.p2) != (1, 0):
        raise wrong_parameters()
    if not MIN_BYTES + 1 <= len(instruction.data) <= 2 * MAX_BYTES + 1:
        raise wrong_length()
    old, separator, new = instruction.data.partition(_SEPARATOR)
    if not separator or (new and not is_packed_pin(new)):
        raise Refused(StatusWord.WRONG_DATA)
    if old or system.pin.is_set:
        _check(system, old)
    system.pin.replace(new)
    return b""


def unblock_or_reload(system: OperatingSystem, instruction: Instruction) -> bytes:
    """84 24, P2 0: give all tries back. P2 1: set a new PIN as well, sent enciphered.

    Both need PUK to have authenticated, and a MAC by STK over a new challenge.
    """
    if instruction.p1 or instruction.p2 not in (_UNBLOCK, _RELOAD):
        raise wrong_parameters()
    if instruction.p2 == _UNBLOCK and len(instruction.data) != MAC_LENGTH:
        raise wrong_length()
    if not system.is_granted(KeyName.PUK):
        raise Refused(StatusWord.SECURITY_STATUS_NOT_SATISFIED)
    cipher, session_key = verified_data(system, instruction, system.keys.named(KeyName.STK))
    if instruction.p2 == _UNBLOCK:
        system.pin.tries.restore()
        return b""
    try:
        packed = decrypt_data(system.algorithm, session_key, cipher)
    except ValueError:
        raise Refused(StatusWord.WRONG_DATA) from None
    if not is_packed_pin(packed):
        raise Refused(StatusWord.WRONG_DATA)
    system.pin.replace(packed)
    return b""


def _query(system: OperatingSystem) -> bytes:
    if not system.pin.is_set:
        return b""
    left = system.pin.tries.left
    raise tries_left(left) if left else Refused(StatusWord.AUTHENTICATION_BLOCKED)


def _check(system: OperatingSystem, packed: bytes) -> None:
    """Compare with the PIN. The try is spent before; to give it back is the caller's part."""
    store = system.pin
    if not store.is_set:
        raise Refused(StatusWord.KEY_NOT_FOUND)
    if store.tries.left == 0:
        raise Refused(StatusWord.AUTHENTICATION_BLOCKED)
    store.tries.spend()
    if not store.matches(packed):
        system.session.pin_verified = False
        raise tries_left(store.tries.left)
