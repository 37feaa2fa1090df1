"""INITIALIZE ENVIRONMENT, DELIVERY SESSION KEY and CIPHER DATA (facts 4.5).

DELIVERY SESSION KEY leaves a session key behind that CIPHER DATA uses, until the next one or
until something is selected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from apdu.crypto import MAC_LENGTH, Algorithm, encrypt_blocks, fold, session_key
from apdu.psam_channel import MAX_BLOCKS, CipherMode
from apdu.psam_keys import KeyUse
from apdu.status import StatusWord
from simulator.card.instruction import Instruction
from simulator.card.refusal import Refused, wrong_length, wrong_parameters

if TYPE_CHECKING:
    from simulator.psam_card.operating_system import PsamSystem

_ENCRYPTION = (CipherMode.ENCRYPT_LAST, CipherMode.ENCRYPT_MORE)
_FIRST_OF_A_MAC = (CipherMode.MAC_ONLY, CipherMode.MAC_FIRST)
_LAST_OF_A_MAC = (CipherMode.MAC_ONLY, CipherMode.MAC_LAST)
_MAY_ENCRYPT = (KeyUse.ENCRYPT, KeyUse.MAC_AND_ENCRYPT)
_MAY_SIGN = (KeyUse.MAC, KeyUse.MAC_AND_ENCRYPT)


@dataclass(slots=True)
class SessionKey:
    """A session key and what it may be used for. `chain` is the MAC so far, None outside one."""

    value: bytes = field(repr=False)
    use: int
    chain: bytes | None = field(default=None, repr=False)


def initialize_environment(system: PsamSystem, instruction: Instruction) -> bytes:
    """BF EC 00 00: the first byte of the card id, that is, the card's province."""
    if instruction.p1 or instruction.p2:
        raise wrong_parameters()
    if len(instruction.data) != 1:
        raise wrong_length()
    _ = system.application
    system.session.province = instruction.data[0]
    return b""


def delivery_session_key(system: PsamSystem, instruction: Instruction) -> bytes:
    """BF DE use id: factors, the card's first, and session factor. 6A80 level, 6A88 no key."""
    application = system.application
    system.session.key = None
    system.require_province()
    use, levels = instruction.p1 & 0x1F, instruction.p1 >> 5
    key = application.keys.get((use, instruction.p2))
    if key is None:
        raise Refused(StatusWord.KEY_NOT_FOUND)
    if levels != key.levels:
        raise Refused(StatusWord.WRONG_DATA)
    factors, random = instruction.data[: 8 * levels], instruction.data[8 * levels :]
    if len(random) != application.engine.block_size:
        raise wrong_length()
    card_key = key.card_key(application.engine, factors)
    system.session.key = SessionKey(session_key(application.engine, card_key, random), use)
    return b""


def cipher_data(system: PsamSystem, instruction: Instruction) -> bytes:
    """80 FA: encipher whole blocks, or continue a MAC; the caller pads."""
    application, key = system.application, system.session.key
    if key is None:
        raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
    if instruction.p2 or instruction.p1 not in list(CipherMode):
        raise wrong_parameters()
    mode, data = CipherMode(instruction.p1), instruction.data
    block = application.engine.block_size
    if not data or len(data) % block or len(data) > MAX_BLOCKS * block:
        raise wrong_length()
    if key.use not in (_MAY_ENCRYPT if mode in _ENCRYPTION else _MAY_SIGN):
        raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
    if mode in _ENCRYPTION:
        key.chain = None
        return encrypt_blocks(application.engine, key.value, data)
    return _sign(application.engine, key, mode, data)


def _sign(algorithm: Algorithm, key: SessionKey, mode: CipherMode, data: bytes) -> bytes:
    """One part of a MAC; the first block of the first part is the initial value."""
    size = algorithm.block_size
    if mode in _FIRST_OF_A_MAC:
        key.chain, data = data[:size], data[size:]
    if key.chain is None:
        raise Refused(StatusWord.WRONG_STATE)
    for at in range(0, len(data), size):
        mixed = bytes(a ^ b for a, b in zip(key.chain, data[at : at + size], strict=True))
        key.chain = encrypt_blocks(algorithm, key.value, mixed)
    if mode not in _LAST_OF_A_MAC:
        return b""
    last, key.chain = key.chain, None
    return last[:MAC_LENGTH] if size == 8 else fold(last, MAC_LENGTH)
