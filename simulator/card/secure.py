"""Commands with a MAC: who may send them, and UPDATE in its protected form (facts 4.4, 5)."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from apdu.crypto import MAC_LENGTH, command_mac
from apdu.status import StatusWord
from simulator.card import binary, records
from simulator.card.instruction import Instruction
from simulator.card.keys import CardKey
from simulator.card.refusal import Refused, wrong_length

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

_SHORT_DATA_MAX = 255


def update_record(system: OperatingSystem, instruction: Instruction) -> bytes:
    """04 DC: UPDATE RECORD whose data end in a MAC."""
    return records.update_record(system, _unwrapped(system, instruction))


def update_binary(system: OperatingSystem, instruction: Instruction) -> bytes:
    """04 D6: UPDATE BINARY whose data end in a MAC."""
    return binary.update_binary(system, _unwrapped(system, instruction))


def verified_data(
    system: OperatingSystem, instruction: Instruction, key: CardKey | None
) -> tuple[bytes, bytes]:
    """The command's data without its MAC, which was right, and the session key that checked it.

    Raises 6A88 without a key, 6984 without a challenge, 6988 for a wrong MAC.
    """
    if key is None:
        raise Refused(StatusWord.KEY_NOT_FOUND)
    if not MAC_LENGTH <= len(instruction.data) <= _SHORT_DATA_MAX:
        raise wrong_length()
    data, sent = instruction.data[:-MAC_LENGTH], instruction.data[-MAC_LENGTH:]
    session_key = system.session_key(key, system.take_challenge())
    right = command_mac(system.algorithm, session_key, instruction.header, data)
    if not compare_digest(right, sent):
        raise Refused(StatusWord.MAC_WRONG_LINE)
    return data, session_key


def _unwrapped(system: OperatingSystem, instruction: Instruction) -> Instruction:
    """The plain command inside. Raises 6987 when it is too short to hold a MAC."""
    if len(instruction.data) < MAC_LENGTH:
        raise Refused(StatusWord.MAC_MISSING)
    key = system.keys.message_key(system.session.directory.label)
    data, _ = verified_data(system, instruction, key)
    return Instruction(instruction.header, data, instruction.le)
