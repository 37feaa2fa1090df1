"""READ BINARY and UPDATE BINARY (facts 3.9): offset in P1 P2, or P1 = 80 + SFI and P2 offset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apdu.status import StatusWord
from simulator.card.files import TransparentFile
from simulator.card.instruction import Instruction
from simulator.card.refusal import Refused, wrong_length, wrong_parameters

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

_BY_SFI = 0x80
_RESERVED = 0x60


def read_binary(system: OperatingSystem, instruction: Instruction) -> bytes:
    """00 B0: everything from the offset to the end, of which Le bytes travel."""
    file, offset = _addressed(system, instruction)
    if instruction.data or instruction.le is None:
        raise wrong_length()
    system.require(file.read_access)
    if offset >= file.size:
        raise Refused(StatusWord.OFFSET_OUTSIDE_FILE)
    return file.content(offset)


def update_binary(system: OperatingSystem, instruction: Instruction) -> bytes:
    """00 D6: overwrite from the offset on."""
    file, offset = _addressed(system, instruction)
    system.require(file.write_access)
    if not instruction.data:
        raise wrong_length()
    if offset >= file.size:
        raise Refused(StatusWord.OFFSET_OUTSIDE_FILE)
    file.overwrite(offset, instruction.data)
    return b""


def _addressed(system: OperatingSystem, instruction: Instruction) -> tuple[TransparentFile, int]:
    """The file and the offset that P1 and P2 name. Raises 6A86, 6A82, 6986 or 6981."""
    session = system.session
    offset = instruction.p1 << 8 | instruction.p2
    if instruction.p1 & _BY_SFI:
        if instruction.p1 & _RESERVED:
            raise wrong_parameters()
        offset = instruction.p2
        by_sfi = session.directory.by_sfi.get(instruction.p1 & 0x1F)
        if by_sfi is None:
            raise Refused(StatusWord.FILE_NOT_FOUND)
        session.open(by_sfi)
    file = session.file
    if file is None:
        raise Refused(StatusWord.NO_CURRENT_EF)
    if not isinstance(file, TransparentFile):
        raise Refused(StatusWord.INCOMPATIBLE_FILE)
    return file, offset
