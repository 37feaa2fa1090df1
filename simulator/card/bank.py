"""A bank's payment application on the simulated card, as far as it is recognised by (facts A3).

Directories of applications for contacts (PSE) and for the contactless side (PPSE), and one debit or
credit application whose record holds the card number. Some banks open that record only after GET
PROCESSING OPTIONS, which counts up the application's transaction counter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from apdu.ssc.filespec import FREE, NEVER
from apdu.status import StatusWord
from simulator.card.fci import name_only, tlv, with_proprietary
from simulator.card.files import Directory, VariableFile
from simulator.card.instruction import Instruction
from simulator.card.memory import Memory
from simulator.card.refusal import Refused, wrong_parameters

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

PSE, PPSE = b"1PAY.SYS.DDF01", b"2PAY.SYS.DDF01"
UNIONPAY = bytes.fromhex("A000000333")
_KINDS = {"debit": "01", "credit": "02", "secured_credit": "03"}
_MASTER_FILE, _PPSE_FID, _APPLICATION_FID = 0x3F00, 0x0003, 0x0002
_DIRECTORY_SFI = 1
_PDOL = bytes.fromhex("9F66049F02069F03069F1A0295055F2A029A039C019F3704")
_PDOL_SIZE = 33
_AIP, _COUNTER = b"\x7c\x00", b"\x00\x00"
_EXPIRY, _SERVICE = "4912", "220"


class Listed(NamedTuple):
    """An application as the directories list it."""

    aid: bytes
    label: str


@dataclass(frozen=True, slots=True)
class BankData:
    """The bank's application: card number (16 to 19 digits), kind, and how openly it is told.

    `record` is where the number lies: 2 or 3, the short identifier of its file, or 0 where only
    the answer to GET PROCESSING OPTIONS has it. `directories`: whether the card lists its
    applications.
    """

    number: str = field(repr=False)
    kind: str = "debit"
    label: str = "UnionPay"
    record: int = 2
    directories: bool = True

    @property
    def aid(self) -> bytes:
        """The application's identifier."""
        return UNIONPAY + bytes.fromhex("0101" + _KINDS[self.kind])

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> BankData:
        """The profile's `bank`."""
        return cls(**fields)


class ProcessingOptions:
    """GET PROCESSING OPTIONS, and the transaction counter that it counts up."""

    def __init__(self, data: BankData, memory: Memory) -> None:
        self._data = data
        self._memory = memory
        self._counter_at = memory.allocate(_COUNTER)

    def get(self, _system: OperatingSystem, instruction: Instruction) -> bytes:
        """80 A8: 77 with 82, 94, 9F36, and 57 where no record has it."""
        if instruction.p1 or instruction.p2:
            raise wrong_parameters()
        if instruction.data[:2] != bytes((0x83, _PDOL_SIZE)):
            raise Refused(StatusWord.WRONG_DATA)
        counter = int.from_bytes(self._memory.read(self._counter_at, 2), "big")
        if counter == 0xFFFF:
            raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
        counted = (counter + 1).to_bytes(2, "big")
        self._memory.commit([(self._counter_at, counted)])
        objects = [tlv(0x82, _AIP), tlv(0x9F36, counted)]
        if self._data.record:
            objects.insert(1, tlv(0x94, bytes((self._data.record << 3, 1, 1, 0))))
        else:
            objects.append(_track(self._data.number))
        return tlv(0x77, *objects)


def bank_environment(data: BankData, memory: Memory, others: tuple[Listed, ...]) -> Directory:
    """The card's master file, which is the bank's, with directories and application.

    `others` are further applications that the contactless directory lists.
    """
    application = _application(data, memory)
    listed = (Listed(data.aid, data.label), *others)
    if not data.directories:
        master = Directory("", _MASTER_FILE, PSE, name_only(PSE), memory)
        master.add(application)
        return master
    sfi = tlv(0x88, bytes((_DIRECTORY_SFI,)))
    master = Directory("", _MASTER_FILE, PSE, with_proprietary(PSE, sfi), memory)
    master.add(_records(_DIRECTORY_SFI, [tlv(0x70, _entry(listed[0], 1))], memory))
    entries = [_entry(entry, priority) for priority, entry in enumerate(listed, 1)]
    contactless = with_proprietary(PPSE, tlv(0xBF0C, *entries))
    master.add(Directory("", _PPSE_FID, PPSE, contactless, memory), application)
    return master


def _application(data: BankData, memory: Memory) -> Directory:
    label = tlv(0x50, data.label.encode("ascii"))
    fci = with_proprietary(data.aid, label, tlv(0x9F38, _PDOL))
    application = Directory("", _APPLICATION_FID, data.aid, fci, memory)
    application.commands = {(0x80, 0xA8): ProcessingOptions(data, memory).get}
    if data.record:
        record = tlv(0x70, tlv(0x5A, _digits(data.number)))
        application.add(_records(data.record, [record], memory))
    return application


def _records(sfi: int, records: list[bytes], memory: Memory) -> VariableFile:
    return VariableFile(sfi, FREE, NEVER, memory, records, sum(map(len, records)))


def _entry(listed: Listed, priority: int) -> bytes:
    label = tlv(0x50, listed.label.encode("ascii"))
    return tlv(0x61, tlv(0x4F, listed.aid), label, tlv(0x87, bytes((priority,))))


def _track(number: str) -> bytes:
    """Track 2 equivalent data: number, D, expiry, service code, discretionary digits."""
    return tlv(0x57, _digits(f"{number}D{_EXPIRY}{_SERVICE}0000"))


def _digits(text: str) -> bytes:
    return bytes.fromhex(text + "F" * (len(text) % 2))
