"""What happens by chance, all of it from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """Decisions from a seed: the same seed, the same decisions, on every machine.

    Bytes for cryptography come from a stream of their own.
    """

    def __init__(self, seed: int) -> None:
        # A text seeds by its SHA-512, whatever the hash seed of the process.
        self._decisions = Random(f"{seed} decisions")  # noqa: S311  # nothing is to be secret
        self.bytes = Random(f"{seed} bytes").randbytes  # noqa: S311

    def happens(self, probability: float) -> bool:
        """Whether something of that probability happens."""
        return probability > 0 and self._decisions.random() < probability

    def below(self, bound: int) -> int:
        """A whole number from 0 to `bound` - 1."""
        return self._decisions.randrange(bound)

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return self._decisions.randint(low, high)

    def pick(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the options."""
        if weights is None:
            return self._decisions.choice(options)
        return self._decisions.choices(options, weights)[0]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """All of the options, in another order."""
        return self._decisions.sample(options, len(options))
