"""The simulated card as a reader sees it: power, answer to reset, and commands on the line.

T=0 splits what an APDU says in one (facts 2, 3.9): a command with data gets 61xx, and GET
RESPONSE the answer; a command without data that asks for the wrong length gets 6Cxx.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from apdu.status import CardRemoved, StatusWord
from simulator.card.atr import contact_atr, contactless_atr
from simulator.card.instruction import Instruction, parse_apdu, parse_t0
from simulator.card.ledger import Ledger
from simulator.card.memory import Memory, PowerLost, WriteFailed
from simulator.card.personalise import personalise
from simulator.card.profile import CardProfile
from simulator.card.refusal import Refused

Protocol = Literal["T0", "T1", "TCL"]

_OK = b"\x90\x00"
_GET_RESPONSE = b"\x00\xc0\x00\x00"
_READS = (0xB0, 0xB2)
_SHORT_MAX = 256


class SimulatedCard:
    """A social security card in software; implements `apdu.readers.inprocess.Chip`.

    `random` gives the card's challenges. `protocol` is "T0", "TCL" (contactless), or "T1" for
    whole APDUs with the contact ATR, as behind a reader that fetches T=0 answers itself; left
    out, the profile's interface decides between T0 and TCL.

    Raises `ProfileError` when the profile does not fit the card's file map.
    """

    def __init__(
        self,
        profile: CardProfile,
        *,
        random: Callable[[int], bytes],
        protocol: Protocol | None = None,
    ) -> None:
        self.protocol: Protocol = protocol or ("TCL" if profile.card.contactless else "T0")
        historical = profile.card.historical
        self.atr = (contactless_atr if self.protocol == "TCL" else contact_atr)(historical)
        self._system = personalise(profile, random)
        self._is_t0 = self.protocol == "T0"
        self._parse = parse_t0 if self._is_t0 else parse_apdu
        self._powered = False
        self._waiting = b""

    @property
    def memory(self) -> Memory:
        """The card's non-volatile memory, for those who want to tear it."""
        return self._system.memory

    @property
    def ledger(self) -> Ledger:
        """The medical account as it lies in the memory, for those who check what was booked.

        After a torn write it is right again from the next `power_on` on.
        """
        return self._system.ledger

    def power_on(self) -> bytes:
        """Power up, or reset, and return the answer to reset.

        Raises `CardRemoved` when the power is cut while the card restores its memory.
        """
        self._powered = False
        self._waiting = b""
        try:
            self._system.begin()
        except PowerLost:
            raise CardRemoved("the simulated card lost its power") from None
        self._powered = True
        return self.atr

    def power_off(self) -> None:
        """Cut the power: everything but the memory is forgotten."""
        self._powered = False

    def transmit(self, command: bytes) -> bytes:
        """The response APDU to one command; 6700 for bytes that are no command.

        Raises `CardRemoved` on a card without power, or one whose power is cut on the way.
        """
        if not self._powered:
            raise CardRemoved("the simulated card has no power")
        instruction = self._parse(command)
        try:
            if instruction is None:
                raise Refused(StatusWord.WRONG_LENGTH)
            if self._is_t0:
                return self._over_t0(command, instruction)
            return self._whole(instruction)
        except Refused as refusal:
            return refusal.sw.to_bytes(2, "big")
        except WriteFailed:
            return StatusWord.MEMORY_FAILURE.to_bytes(2, "big")
        except PowerLost:
            self._powered = False
            raise CardRemoved("the simulated card lost its power") from None

    def _over_t0(self, command: bytes, instruction: Instruction) -> bytes:
        if command[:4] == _GET_RESPONSE:
            return self._get_response(instruction)
        self._waiting = b""
        data = self._system.execute(instruction)
        if not data:
            return _OK
        if instruction.le is None:
            self._waiting = data
            return bytes((0x61, len(data)))
        return _measured(data, instruction.le)

    def _get_response(self, instruction: Instruction) -> bytes:
        if instruction.data or instruction.le is None:
            raise Refused(StatusWord.WRONG_LENGTH)
        data, le = self._waiting, instruction.le
        if not data:
            raise Refused(StatusWord.UNKNOWN_FAILURE)
        if le > len(data):
            return bytes((0x6C, len(data)))
        self._waiting = data[le:]
        rest = len(self._waiting)
        return data[:le] + (bytes((0x61, rest)) if rest else _OK)

    def _whole(self, instruction: Instruction) -> bytes:
        data = self._system.execute(instruction)
        le = instruction.le
        if le is None or le >= _SHORT_MAX or instruction.ins not in _READS:
            return data[:le] + _OK
        return _measured(data, le)


def _measured(data: bytes, le: int) -> bytes:
    """The first `le` bytes of `data`, or 6Cxx with the true length when there are fewer."""
    size = len(data)
    if size == le:
        return data + _OK
    if size > le:
        return data[:le] + _OK
    return bytes((0x6C, size))
