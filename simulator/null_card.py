"""The smallest card: one answer to everything. It measures what a reader costs, and tests it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

# A contact card that offers T=0 only, and a contactless one as PC/SC shows it (facts 1.1, 1.3).
T0_ATR = bytes.fromhex("3B6D000000814A444686605199000001AC")
CONTACTLESS_ATR = bytes.fromhex("3B8D80010081544C9686845101C0666779E9")


def always_ok(command: bytes) -> bytes:
    """9000 without data, whatever the command."""
    del command
    return b"\x90\x00"


@dataclass(slots=True, eq=False)
class NullCard:
    """A `Chip` that answers every command with what `answer` makes of it."""

    atr: bytes = T0_ATR
    answer: Callable[[bytes], bytes] = always_ok
    powered: bool = False
    power_ups: int = 0
    commands: list[bytes] = field(default_factory=list)

    def power_on(self) -> bytes:
        """Power up, or reset."""
        self.powered = True
        self.power_ups += 1
        return self.atr

    def power_off(self) -> None:
        """Cut the power."""
        self.powered = False

    def transmit(self, command: bytes) -> bytes:
        """Note the command and answer it."""
        self.commands.append(command)
        return self.answer(command)
