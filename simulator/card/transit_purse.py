"""The transport purse (T-Union) on the simulated card, as far as it is recognised by (facts A2).

Public files and GET BALANCE. The commands that move money are a gate's affair and not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from apdu.ssc.filespec import FREE, NEVER
from apdu.status import StatusWord
from simulator.card.fci import name_only, tlv, with_proprietary
from simulator.card.files import Directory, TransparentFile
from simulator.card.instruction import Instruction
from simulator.card.memory import Memory
from simulator.card.refusal import Refused, wrong_length, wrong_parameters

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

AID = bytes.fromhex("A000000632010105")
LABEL = "MOT_T_EP"
_FID = 0x0004
_PUBLIC, _AREA = 0x0015, 0x0017
_AREA_SIZE = 60
_CHINA = "00000156"
_PERSONALISED, _FCI_DATA = b"\x02", b"\x00\x00"
_PURSE = 0x02
_WITH_OVERDRAFT, _OVERDRAFT, _WITHOUT_OVERDRAFT = 0x00, 0x01, 0x03
_AMOUNT = 4


@dataclass(frozen=True, slots=True)
class TransitData:
    """The purse: number (19 digits, 31 first), issuer and city codes, validity, money in fen.

    The defaults are Shanghai's. `fci_has_file`: SELECT answers with file 0015 inside.
    """

    number: str = field(repr=False)
    valid_from: date
    valid_to: date
    issuer: str = "02002900FFFFFFFF"
    province: str = "3100"
    city: str = "2900"
    enabled: bool = True
    interoperable: bool = True
    balance_fen: int = field(default=0, repr=False)
    overdraft_limit_fen: int = 0
    overdraft_used_fen: int = field(default=0, repr=False)
    fci_has_file: bool = True

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> TransitData:
        """The profile's `transit`."""
        dates = {name: date.fromisoformat(fields[name]) for name in ("valid_from", "valid_to")}
        return cls(**{**fields, **dates})

    @property
    def public_file(self) -> bytes:
        """File 0015, 30 bytes."""
        return b"".join(
            (
                bytes.fromhex(self.issuer),
                _PERSONALISED,
                bytes((self.enabled,)),
                bytes.fromhex("0" + self.number),
                bytes.fromhex(f"{self.valid_from:%Y%m%d}{self.valid_to:%Y%m%d}"),
                _FCI_DATA,
            )
        )

    @property
    def area_file(self) -> bytes:
        """File 0017, 60 bytes: country, province, city, interoperability, category."""
        kind = "0001" if self.interoperable else "0000"
        head = bytes.fromhex(_CHINA + self.province + self.city + kind + "00")
        return head.ljust(_AREA_SIZE, b"\x00")


class Purse:
    """The purse's money in the card's memory: balance 4, overdraft used 4."""

    def __init__(self, data: TransitData, memory: Memory) -> None:
        self._memory = memory
        self._limit = data.overdraft_limit_fen
        money = data.balance_fen.to_bytes(_AMOUNT, "big")
        self._at = memory.allocate(money + data.overdraft_used_fen.to_bytes(_AMOUNT, "big"))

    def get_balance(self, _system: OperatingSystem, instruction: Instruction) -> bytes:
        """80 5C: P1 0 with what may still be overdrawn, 1 the overdraft used, 3 without either."""
        if instruction.p2 != _PURSE:
            raise wrong_parameters()
        if instruction.data or instruction.le is None:
            raise wrong_length()
        balance, used = self._number(0), self._number(_AMOUNT)
        answers = {
            _WITH_OVERDRAFT: balance + self._limit - used,
            _OVERDRAFT: used,
            _WITHOUT_OVERDRAFT: balance,
        }
        if instruction.p1 not in answers:
            raise Refused(StatusWord.WRONG_P1_P2)
        return answers[instruction.p1].to_bytes(_AMOUNT, "big")

    def _number(self, offset: int) -> int:
        return int.from_bytes(self._memory.read(self._at + offset, _AMOUNT), "big")


def transit_application(data: TransitData, memory: Memory) -> Directory:
    """The purse's directory."""
    public = data.public_file
    fci = name_only(AID)
    if data.fci_has_file:
        fci = with_proprietary(AID, tlv(0x9F08, b"\x02"), tlv(0x9F0C, public))
    application = Directory("", _FID, AID, fci, memory)
    application.commands = {(0x80, 0x5C): Purse(data, memory).get_balance}
    application.add(
        TransparentFile(_PUBLIC, FREE, NEVER, memory, public),
        TransparentFile(_AREA, FREE, NEVER, memory, data.area_file),
    )
    return application
