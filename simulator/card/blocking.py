"""APPLICATION BLOCK and CARD BLOCK: both for good (facts 4.2, 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apdu.crypto import MAC_LENGTH
from apdu.ssc.keys import KeyName
from apdu.status import StatusWord
from simulator.card.instruction import Instruction
from simulator.card.refusal import Refused, wrong_length, wrong_parameters
from simulator.card.secure import verified_data

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

_OWN_LOCK_KEY = {"DF03": KeyName.LKDF03, "DF04": KeyName.LKDF04}


def block_application(system: OperatingSystem, instruction: Instruction) -> bytes:
    """84 1E 00 01: stop the current application and what lies under it (9303 from now on).

    Authorised by the application's LK, or by BK where it has none; MAC by its own STK.
    """
    directory = system.session.directory
    _check_form(instruction, p2=1)
    _check_right(system, _OWN_LOCK_KEY.get(directory.label, KeyName.BK))
    verified_data(system, instruction, system.keys.message_key(directory.label))
    directory.block()
    system.look_for_blocks()
    return b""


def block_card(system: OperatingSystem, instruction: Instruction) -> bytes:
    """84 16 00 00: stop the whole card (6A81 from now on). Authorised by BK, MAC by STK."""
    _check_form(instruction, p2=0)
    _check_right(system, KeyName.BK)
    verified_data(system, instruction, system.keys.named(KeyName.STK))
    system.block()
    return b""


def _check_form(instruction: Instruction, p2: int) -> None:
    if instruction.p1 or instruction.p2 != p2:
        raise wrong_parameters()
    if len(instruction.data) != MAC_LENGTH:
        raise wrong_length()


def _check_right(system: OperatingSystem, key: KeyName) -> None:
    if not system.is_granted(key):
        raise Refused(StatusWord.SECURITY_STATUS_NOT_SATISFIED)
