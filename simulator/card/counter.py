"""Retry counters: how many wrong tries a PIN or a key still forgives."""

from __future__ import annotations

from simulator.card.memory import Change, Memory


class RetryCounter:
    """One byte of memory that counts down to zero, where the secret is blocked."""

    __slots__ = ("_memory", "_offset", "limit")

    def __init__(self, memory: Memory, limit: int, left: int) -> None:
        self._memory = memory
        self._offset = memory.allocate(bytes((left,)))
        self.limit = limit

    @property
    def left(self) -> int:
        """Tries left; 0 means blocked."""
        return self._memory.byte(self._offset)

    def spend(self) -> None:
        """Take one try away. Done before comparing: a power cut must not give the try back."""
        self._memory.commit([(self._offset, bytes((self.left - 1,)))])

    def restored(self) -> Change:
        """The change that gives all tries back, for a commit together with others."""
        return self._offset, bytes((self.limit,))

    def restore(self) -> None:
        """Give all tries back, unless they are all there (memory wears out)."""
        if self.left != self.limit:
            self._memory.commit([self.restored()])
