"""SELECT, READ BINARY and GET CHALLENGE of the PSAM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from apdu.status import StatusWord
from simulator.card.files import Directory, TransparentFile
from simulator.card.instruction import Instruction
from simulator.card.refusal import Refused, wrong_length, wrong_parameters

if TYPE_CHECKING:
    from simulator.psam_card.operating_system import PsamSession, PsamSystem

MF = 0x3F00
_BY_SFI = 0x80
_CHALLENGE_LENGTHS = (4, 8, 16)


class FileSystem(Protocol):
    """A PSAM as far as its files go."""

    master_file: Directory
    session: PsamSession


def select(system: FileSystem, instruction: Instruction) -> bytes:
    """00 A4: a directory by name (P1 4) or identifier (P1 0) answers with its FCI, a file not."""
    if instruction.p1 not in (0x00, 0x04) or instruction.p2:
        raise wrong_parameters()
    if instruction.p1:
        return _enter(system, system.master_file.find_name(instruction.data))
    if len(instruction.data) not in (0, 2):
        raise wrong_length()
    fid = int.from_bytes(instruction.data, "big") or MF
    if fid == MF:
        return _enter(system, system.master_file)
    session = system.session
    file = session.directory.files.get(fid)
    if file is not None:
        session.file = file
        return b""
    return _enter(system, session.directory.find_near(fid))


def read_binary(system: FileSystem, instruction: Instruction) -> bytes:
    """00 B0: the current file, or with P1 = 80 + SFI another one, from an offset on."""
    if instruction.data or instruction.le is None:
        raise wrong_length()
    session, offset = system.session, instruction.p1 << 8 | instruction.p2
    if instruction.p1 & _BY_SFI:
        offset = instruction.p2
        session.file = session.directory.by_sfi.get(instruction.p1 & 0x1F)
        if session.file is None:
            raise Refused(StatusWord.FILE_NOT_FOUND)
    if not isinstance(session.file, TransparentFile):
        raise Refused(StatusWord.NO_CURRENT_EF)
    if offset >= session.file.size:
        raise Refused(StatusWord.OFFSET_OUTSIDE_FILE)
    return session.file.content(offset)


def get_challenge(system: PsamSystem, instruction: Instruction) -> bytes:
    """00 84: 4, 8 or 16 random bytes."""
    if instruction.p1 or instruction.p2:
        raise wrong_parameters()
    if instruction.data or instruction.le not in _CHALLENGE_LENGTHS:
        raise wrong_length()
    return system.random(instruction.le)


def _enter(system: FileSystem, directory: Directory | None) -> bytes:
    if directory is None:
        raise Refused(StatusWord.FILE_NOT_FOUND)
    session = system.session
    session.directory = directory
    session.file = session.province = session.key = session.expected_mac2 = None
    return directory.fci
