"""GET CHALLENGE, INTERNAL and EXTERNAL AUTHENTICATE (facts 4.4, 5)."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from apdu.crypto import auth_data
from apdu.status import StatusWord
from simulator.card.instruction import Instruction
from simulator.card.refusal import Refused, tries_left, wrong_length, wrong_parameters

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

_CHALLENGE_LENGTHS = (4, 8, 16)
_DATA_LENGTH = 16


def get_challenge(system: OperatingSystem, instruction: Instruction) -> bytes:
    """00 84: 4, 8 or 16 random bytes, good for one use in this application."""
    if instruction.p1 or instruction.p2:
        raise wrong_parameters()
    if instruction.data or instruction.le is None or instruction.le not in _CHALLENGE_LENGTHS:
        raise wrong_length()
    challenge = system.random(instruction.le)
    system.session.challenge = challenge
    return challenge


def internal_authenticate(system: OperatingSystem, instruction: Instruction) -> bytes:
    """00 88: factor 8, original 8, key version; the card proves that it knows IRK."""
    if instruction.p1 or instruction.p2:
        raise wrong_parameters()
    first, original, version = _authentication_data(instruction)
    key = system.keys.internal(version)
    if key is None:
        raise Refused(StatusWord.KEY_NOT_FOUND)
    return auth_data(system.algorithm, system.session_key(key, first), original)


def external_authenticate(system: OperatingSystem, instruction: Instruction) -> bytes:
    """00 82, P2 key id: cryptogram 8, original 8, key version; opens what the key opens.

    The factor is the card's last challenge. A wrong cryptogram costs a try of the key.
    """
    if instruction.p1:
        raise wrong_parameters()
    cryptogram, original, version = _authentication_data(instruction)
    session = system.session
    key = system.keys.authenticator(session.directory.label, instruction.p2, version)
    if key is None:
        raise Refused(StatusWord.KEY_NOT_FOUND)
    if key.tries.left == 0:
        raise Refused(StatusWord.AUTHENTICATION_BLOCKED)
    session_key = system.session_key(key, system.take_challenge())
    right = (key.name.spec.df, instruction.p2)
    session.granted.discard(right)
    key.tries.spend()
    if not compare_digest(auth_data(system.algorithm, session_key, original), cryptogram):
        raise tries_left(key.tries.left)
    key.tries.restore()
    session.granted.add(right)
    return b""


def _authentication_data(instruction: Instruction) -> tuple[bytes, bytes, int | None]:
    """The two 8-byte halves and the key version byte, None where it is left out."""
    data = instruction.data
    if len(data) not in (_DATA_LENGTH, _DATA_LENGTH + 1):
        raise wrong_length()
    version = data[_DATA_LENGTH] if len(data) > _DATA_LENGTH else None
    return data[:8], data[8:_DATA_LENGTH], version
