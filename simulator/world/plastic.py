"""A card in a holder's hand, which can leave the reader at any command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from apdu.readers.inprocess import Chip, InProcessReader
from apdu.status import CardRemoved
from simulator.card.memory import Memory

DEBIT = b"\xb0\x2c"
"""CLA and INS of DEBIT FOR PURCHASE, with which money leaves the account on a card."""


class Tear(Enum):
    """When the contacts part."""

    BEFORE = "card torn before a command"
    WITHIN = "card torn within a command"
    AFTER = "card torn after a command"


@dataclass(frozen=True, slots=True)
class Plan:
    """The card leaves at the `command`-th command from now (0: the next), after `writes` bytes.

    With `instruction`, CLA and INS, only those commands count.
    """

    command: int
    tear: Tear
    writes: int = 0
    instruction: bytes = b""


class Torn(Chip, Protocol):
    """A chip whose memory can be torn."""

    @property
    def memory(self) -> Memory:
        """What outlives the power."""
        ...


C = TypeVar("C", bound=Torn)


class Plastic(Generic[C]):
    """A simulated card that is pulled when it is planned; implements `readers.inprocess.Chip`.

    `alive` raises `Killed` when the terminal it stands in is dead. `commands` counts what was sent.
    """

    def __init__(self, make: Callable[[], C], on_tear: Callable[[Tear], None]) -> None:
        self._make = make
        self.commands = 0
        self.alive: Callable[[], None] = lambda: None
        self._on_tear = on_tear
        self._plan: Plan | None = None
        self._reader: InProcessReader | None = None

    @cached_property
    def card(self) -> C:
        """The card, made when it is first used: most worlds use only some."""
        return self._make()

    def mended(self) -> C:
        """The card, for who looks into its memory: torn, it has to be powered once before."""
        if self._reader is None:
            self.card.power_on()
            self.card.power_off()
        return self.card

    @property
    def is_away(self) -> bool:
        """Whether it is in no reader."""
        return self._reader is None

    @property
    def is_new(self) -> bool:
        """Whether nobody has used the card yet."""
        return "card" not in self.__dict__

    def enter(self, reader: InProcessReader, alive: Callable[[], None]) -> None:
        """Put the card into a reader."""
        self._reader, self.alive = reader, alive
        reader.insert(self)

    def leave(self) -> None:
        """Take the card out of its reader, if it is still there."""
        reader, self._reader, self._plan = self._reader, None, None
        if reader is not None:
            reader.remove()

    def tear(self, plan: Plan | None) -> None:
        """Let the card leave in the middle of something; None: let it stay after all."""
        self._plan = plan

    def power_on(self) -> bytes:
        """See `Chip`."""
        self.alive()
        return self.card.power_on()

    def power_off(self) -> None:
        """See `Chip`."""
        self.card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """See `Chip`."""
        self.alive()
        self.commands += 1
        plan = self._plan
        if plan is None or not command.startswith(plan.instruction):
            return self.card.transmit(command)
        if plan.command > 0:
            self._plan = replace(plan, command=plan.command - 1)
            return self.card.transmit(command)
        return self._torn(command, plan)

    def _torn(self, command: bytes, plan: Plan) -> bytes:
        self._on_tear(plan.tear)
        try:
            if plan.tear is Tear.WITHIN:
                # A command that writes less than that is done; the contacts part after it.
                self.card.memory.tear_after(plan.writes)
            if plan.tear is not Tear.BEFORE:
                self.card.transmit(command)
        finally:
            self.card.memory.mend()
            self.leave()
        raise CardRemoved("the card was pulled")
