"""SELECT: applications by name, directories and files by identifier (facts 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apdu.status import StatusWord
from simulator.card.files import Directory
from simulator.card.instruction import Instruction
from simulator.card.refusal import Refused, wrong_length, wrong_parameters

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

MF = 0x3F00
_ANY, _CHILD, _FILE, _NAME = 0x00, 0x01, 0x02, 0x04


def select(system: OperatingSystem, instruction: Instruction) -> bytes:
    """00 A4: a directory answers with its FCI, a file with nothing."""
    if instruction.p2 != 0:
        raise wrong_parameters()
    if instruction.p1 == _NAME:
        return _enter(system, system.master_file.find_name(instruction.data))
    if instruction.p1 not in (_ANY, _CHILD, _FILE):
        raise wrong_parameters()
    if len(instruction.data) not in (0, 2):
        raise wrong_length()
    return _by_fid(system, instruction.p1, int.from_bytes(instruction.data, "big") or MF)


def _by_fid(system: OperatingSystem, p1: int, fid: int) -> bytes:
    session = system.session
    if fid == MF and p1 == _ANY:
        return _enter(system, system.master_file)
    file = session.directory.files.get(fid)
    if file is not None and p1 in (_ANY, _FILE):
        if session.directory.is_blocked:
            raise Refused(StatusWord.APPLICATION_LOCKED)
        session.open(file)
        return b""
    if p1 == _ANY:
        return _enter(system, session.directory.find_near(fid))
    if p1 == _CHILD:
        children = session.directory.children
        return _enter(system, next((child for child in children if child.fid == fid), None))
    raise Refused(StatusWord.FILE_NOT_FOUND)


def _enter(system: OperatingSystem, directory: Directory | None) -> bytes:
    if directory is None:
        raise Refused(StatusWord.FILE_NOT_FOUND)
    if directory.is_blocked:
        raise Refused(StatusWord.APPLICATION_LOCKED)
    system.session.enter(directory)
    system.look_for_blocks()
    return directory.fci
