"""READ RECORD and UPDATE RECORD in all their forms (facts 3.9).

The low three bits of P2 say how P1 finds the record: 0 first with tag P1, 1 last, 2 next, 3
previous; 4 number P1; 5 number P1 and all after it, 6 the last one down to number P1. The high
five bits are a short file id, or zero for the current file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from apdu.status import StatusWord
from simulator.card.files import CyclicFile, VariableFile
from simulator.card.instruction import Instruction
from simulator.card.refusal import Refused, wrong_length, wrong_parameters

RecordFile: TypeAlias = VariableFile | CyclicFile

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

_FIRST, _LAST, _NEXT, _PREVIOUS, _NUMBER, _ONWARDS, _DOWN_TO = range(7)
_NO_SFI = 0x1F
_NO_TAG = (0x00, 0xFF)


def read_record(system: OperatingSystem, instruction: Instruction) -> bytes:
    """00 B2: one record, or several in one answer."""
    file = _addressed(system, instruction.p2)
    if instruction.data or instruction.le is None:
        raise wrong_length()
    system.require(file.read_access)
    records = file.records
    p1, mode = instruction.p1, instruction.p2 & 7
    if mode <= _NUMBER:
        return records[_find(system, file, p1, mode)]
    if mode > _DOWN_TO:
        raise wrong_parameters()
    if not 1 <= p1 <= len(records):
        raise Refused(StatusWord.RECORD_NOT_FOUND)
    chosen = records[p1 - 1 :]
    return b"".join(chosen if mode == _ONWARDS else reversed(chosen))


def update_record(system: OperatingSystem, instruction: Instruction) -> bytes:
    """00 DC: replace a record, or append one (a new tag, a number beyond the end, a cyclic row)."""
    file = _addressed(system, instruction.p2)
    system.require(file.write_access)
    if isinstance(file, CyclicFile):
        if instruction.p2 & 7 != _PREVIOUS or instruction.p1 != 0:
            raise wrong_parameters()
        file.append(instruction.data)
    else:
        _update_variable(system, file, instruction)
    return b""


def _update_variable(system: OperatingSystem, file: VariableFile, instruction: Instruction) -> None:
    record, p1, mode = instruction.data, instruction.p1, instruction.p2 & 7
    if mode > _NUMBER:
        raise wrong_parameters()
    if len(record) < 2 or len(record) != 2 + record[1]:
        raise Refused(StatusWord.LC_INCONSISTENT_WITH_TLV)
    if record[0] in _NO_TAG or (mode != _NUMBER and record[0] != p1):
        raise Refused(StatusWord.WRONG_DATA)
    beyond_the_end = mode == _NUMBER and p1 > len(file.records)
    if beyond_the_end or (mode == _FIRST and _first(file.records, p1) is None):
        file.append(record)
    else:
        file.replace(_find(system, file, p1, mode), record)


def _addressed(system: OperatingSystem, p2: int) -> RecordFile:
    """The file that P2 names, made current. Raises 6A86, 6A82, 6986 or 6981."""
    session = system.session
    sfi = p2 >> 3
    if sfi:
        if sfi == _NO_SFI:
            raise wrong_parameters()
        by_sfi = session.directory.by_sfi.get(sfi)
        if by_sfi is None:
            raise Refused(StatusWord.FILE_NOT_FOUND)
        session.open(by_sfi)
    file = session.file
    if file is None:
        raise Refused(StatusWord.NO_CURRENT_EF)
    if not isinstance(file, VariableFile | CyclicFile):
        raise Refused(StatusWord.INCOMPATIBLE_FILE)
    return file


def _find(system: OperatingSystem, file: RecordFile, p1: int, mode: int) -> int:
    """The index of the record that P1 and P2 mean. Raises 6A83 when there is none."""
    records = file.records
    if mode == _NUMBER and p1:
        if p1 > len(records):
            raise Refused(StatusWord.RECORD_NOT_FOUND)
        return p1 - 1
    at = _by_occurrence(system.session.pointer, file, p1, mode)
    if at is None:
        raise Refused(StatusWord.RECORD_NOT_FOUND)
    system.session.pointer = at
    return at


def _by_occurrence(pointer: int, file: RecordFile, p1: int, mode: int) -> int | None:
    """The record with tag P1, any one for P1 = 0, that `mode` chooses."""
    records = file.records
    if mode == _FIRST:
        return _first(records, p1) if p1 else (0 if records else None)
    if mode == _NUMBER:
        return pointer if 0 <= pointer < len(records) else None
    tagged = isinstance(file, VariableFile)
    matching = [i for i, r in enumerate(records) if not p1 or (tagged and r[0] == p1)]
    if mode == _NEXT:
        return next((i for i in matching if i > pointer), None)
    if mode == _PREVIOUS and pointer >= 0:
        matching = [i for i in matching if i < pointer]
    return matching[-1] if matching else None


def _first(records: Sequence[bytes], tag: int) -> int | None:
    for index, record in enumerate(records):
        if record[0] == tag:
            return index
    return None
