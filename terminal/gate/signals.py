"""What the passenger sees and hears: the gate's light, its sound and its few words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from terminal.gate.reasons import WORDING, GateReason
from terminal.text import Text


class Light(Enum):
    """The light, with the number of beeps that goes with it for who does not see it."""

    GO = 1
    AGAIN = 2
    STOP = 3


_MARKS = {Light.GO: "✔", Light.AGAIN: "↻", Light.STOP: "✘"}


@dataclass(frozen=True, slots=True)
class TapResult:
    """How a tap ended. `fen` is what was debited now, `balance_fen` what is left.

    `reason` is None where the gate opens. `detail` is the code of the error behind a reason, for
    the staff.
    """

    light: Light
    reason: GateReason | None = None
    fen: int = 0
    balance_fen: int | None = None
    resumed: bool = False
    detail: str = ""

    @property
    def opens(self) -> bool:
        """Whether the gate opens."""
        return self.light is Light.GO

    @property
    def text(self) -> Text:
        """What the passenger reads."""
        if self.reason is not None:
            return WORDING[self.reason]
        left = "" if self.balance_fen is None else f"{self.balance_fen / 100:.2f}"
        return Text(
            f"扣款 {self.fen / 100:.2f} 元，余额 {left} 元",
            f"¥ {self.fen / 100:.2f} paid, ¥ {left} left",
        )


class Signals(Protocol):
    """The device at the gate. Showing must not block: the next passenger waits."""

    def show(self, result: TapResult) -> None:
        """Light, sound and words for this result."""
        ...


class ConsoleSignals:
    """A line a tap on the console, with the bell for the beeps."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def show(self, result: TapResult) -> None:
        """See `Signals`."""
        text = result.text
        code = f" [{result.reason.value}]" if result.reason else ""
        bells = "\a" * result.light.value
        self._write(f"{bells}{_MARKS[result.light]} {text.zh} {text.en}{code}\n")
