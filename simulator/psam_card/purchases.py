"""INIT SAM FOR PURCHASE and CREDIT SAM FOR PURCHASE (facts 4.5, 5.1)."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from apdu.crypto import MAC_LENGTH, Purchase, purchase_session_key
from apdu.psam_keys import KeyUse
from apdu.status import StatusWord
from simulator.card.instruction import Instruction
from simulator.card.refusal import Refused, wrong_length, wrong_parameters

if TYPE_CHECKING:
    from simulator.psam_card.keys import PsamKey
    from simulator.psam_card.operating_system import Application, PsamSystem

_FIXED_LENGTH = 0x1C
_COUNTER_LENGTH = 4
_COUNTER_MAX = 0xFFFFFFFF


def init_sam_for_purchase(system: PsamSystem, instruction: Instruction) -> bytes:
    """80 70 01 00: what the card answered and what is bought. Answers counter 4, MAC1 4.

    The counter moves on before anything is answered: no value of it is ever used twice, whatever
    happens to the power.
    """
    if (instruction.p1, instruction.p2) != (1, 0):
        raise wrong_parameters()
    application = system.application
    system.session.expected_mac2 = None
    system.require_province()
    fixed, factors = instruction.data[:_FIXED_LENGTH], instruction.data[_FIXED_LENGTH:]
    if len(fixed) < _FIXED_LENGTH or len(factors) not in (8, 16, 24):
        raise wrong_length()
    key = _purchase_key(application, fixed, factors)
    counter = application.counter
    sequence = counter.content(0)
    if int.from_bytes(sequence, "big") == _COUNTER_MAX:
        raise Refused(StatusWord.COUNTER_AT_MAXIMUM)
    engine = application.engine
    dpk = key.card_key(engine, factors)
    session = purchase_session_key(engine, dpk, fixed[:4], fixed[4:6], sequence)
    purchase = _purchase(system, fixed)
    counter.overwrite(0, (int.from_bytes(sequence, "big") + 1).to_bytes(_COUNTER_LENGTH, "big"))
    system.session.expected_mac2 = purchase.mac2(engine, session)
    return sequence + purchase.mac1(engine, session)


def credit_sam_for_purchase(system: PsamSystem, instruction: Instruction) -> bytes:
    """80 72 00 00: the card's MAC2. 6985 when no purchase was begun, 9302 when it is wrong."""
    if instruction.p1 or instruction.p2:
        raise wrong_parameters()
    if len(instruction.data) != MAC_LENGTH:
        raise wrong_length()
    expected, system.session.expected_mac2 = system.session.expected_mac2, None
    if expected is None:
        raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
    if not compare_digest(expected, instruction.data):
        raise Refused(StatusWord.MAC_INVALID)
    return b""


def _purchase_key(application: Application, fixed: bytes, factors: bytes) -> PsamKey:
    """The purchase key of the version asked for. 6A88 no such key, 6A80 level or algorithm."""
    version, algorithm = fixed[26:28]
    key = application.keys.get((KeyUse.PURCHASE, version))
    if key is None:
        raise Refused(StatusWord.KEY_NOT_FOUND)
    if algorithm != application.algorithm or len(factors) != 8 * key.levels:
        raise Refused(StatusWord.WRONG_DATA)
    return key


def _purchase(system: PsamSystem, fixed: bytes) -> Purchase:
    """Random 4, counter 2, three amounts 4, type 1, date 4, time 3, version 1, algorithm 1."""
    account, self_pay, fund = (int.from_bytes(fixed[at : at + 4], "big") for at in (6, 10, 14))
    kind, time = fixed[18:19], fixed[19:26]
    return Purchase(account, self_pay, fund, system.terminal_number, time, kind)
