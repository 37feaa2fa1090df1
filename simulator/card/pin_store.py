"""Where the card keeps its PIN and the tries left for it."""

from __future__ import annotations

from hmac import compare_digest

from simulator.card.counter import RetryCounter
from simulator.card.memory import Memory

MIN_BYTES = 2
MAX_BYTES = 8


class PinStore:
    """One PIN of 2 to 8 packed bytes (BCD, low nibble F fill), or none, and its retry counter."""

    __slots__ = ("_memory", "_offset", "tries")

    def __init__(self, memory: Memory, packed: bytes, retries: int, tries_left: int) -> None:
        self._memory = memory
        self._offset = memory.allocate(_cell(packed))
        self.tries = RetryCounter(memory, retries, tries_left)

    @property
    def is_set(self) -> bool:
        """Whether the card has a PIN at all."""
        return self._memory.byte(self._offset) != 0

    def matches(self, packed: bytes) -> bool:
        """Whether `packed` is the PIN. Takes the same time for every wrong one."""
        return compare_digest(self._memory.read(self._offset, MAX_BYTES + 1), _cell(packed))

    def replace(self, packed: bytes) -> None:
        """Set a new PIN (empty: no PIN) and give all tries back, both or neither."""
        self._memory.commit([(self._offset, _cell(packed)), self.tries.restored()])


def is_packed_pin(data: bytes) -> bool:
    """Whether `data` is a PIN as the card takes it: 2 to 8 bytes of digits, the last nibble F."""
    digits = data.hex()
    if digits.endswith("f"):
        digits = digits[:-1]
    return MIN_BYTES <= len(data) <= MAX_BYTES and digits.isdecimal()


def _cell(packed: bytes) -> bytes:
    return bytes((len(packed),)) + packed.ljust(MAX_BYTES, b"\x00")
