"""A PSAM as its slot sees it: power, answer to reset, and T=0 commands."""

from __future__ import annotations

from typing import Protocol

from apdu.status import CardRemoved, StatusWord
from simulator.card.instruction import Instruction, parse_t0
from simulator.card.memory import Memory, PowerLost, WriteFailed
from simulator.card.refusal import Refused, wrong_length

_OK = b"\x90\x00"
_GET_RESPONSE = b"\x00\xc0\x00\x00"


class System(Protocol):
    """The operating system inside. `memory` is what outlives a power-off."""

    memory: Memory

    def begin(self) -> None:
        """Finish or undo what a power cut interrupted, and forget everything volatile."""
        ...

    def execute(self, instruction: Instruction) -> bytes:
        """Carry out one command and return its answer's data. Raises `Refused`, `PowerLost`."""
        ...


class PsamChip:
    """Any PSAM in software; implements `apdu.readers.inprocess.Chip`. T=0, as real ones are."""

    def __init__(self, system: System, atr: bytes) -> None:
        self.atr = atr
        self._system = system
        self._powered = False
        self._waiting = b""

    @property
    def memory(self) -> Memory:
        """The PSAM's non-volatile memory, for those who want to tear it."""
        return self._system.memory

    def power_on(self) -> bytes:
        """Power up, or reset, and return the answer to reset.

        Raises `CardRemoved` when the power is cut while the PSAM restores its memory.
        """
        self._powered = False
        self._waiting = b""
        try:
            self._system.begin()
        except PowerLost:
            raise CardRemoved("the simulated PSAM lost its power") from None
        self._powered = True
        return self.atr

    def power_off(self) -> None:
        """Cut the power: everything but the memory is forgotten."""
        self._powered = False

    def transmit(self, command: bytes) -> bytes:
        """The response to one T=0 command; 6700 for bytes that are no command.

        Raises `CardRemoved` without power, or when the power is cut on the way.
        """
        if not self._powered:
            raise CardRemoved("the simulated PSAM has no power")
        try:
            instruction = parse_t0(command)
            if instruction is None:
                raise wrong_length()
            if command[:4] == _GET_RESPONSE:
                return self._get_response(instruction)
            return self._execute(instruction)
        except Refused as refusal:
            return refusal.sw.to_bytes(2, "big")
        except WriteFailed:
            return StatusWord.MEMORY_FAILURE.to_bytes(2, "big")
        except PowerLost:
            self._powered = False
            raise CardRemoved("the simulated PSAM lost its power") from None

    def _execute(self, instruction: Instruction) -> bytes:
        self._waiting = b""
        data = self._system.execute(instruction)
        le = instruction.le
        if not data:
            return _OK
        if le is None:
            self._waiting = data
            return bytes((0x61, len(data)))
        return bytes((0x6C, len(data))) if le > len(data) else data[:le] + _OK

    def _get_response(self, instruction: Instruction) -> bytes:
        if instruction.data or instruction.le is None:
            raise wrong_length()
        data, le = self._waiting, instruction.le
        if not data:
            raise Refused(StatusWord.UNKNOWN_FAILURE)
        if le > len(data):
            return bytes((0x6C, len(data)))
        self._waiting = data[le:]
        return data[:le] + (bytes((0x61, len(self._waiting))) if self._waiting else _OK)
