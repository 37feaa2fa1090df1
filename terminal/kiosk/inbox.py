"""What happens to a visit, in order: presses, the card, the clock. The session thread waits here.

Presses carry the revision of the screen they were made on: what was pressed on a screen that has
gone does not count on the next one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from threading import Condition

from apdu.pin import Pin
from terminal.clock import Clock
from terminal.screens import Identity

LONGEST_QUEUE = 64
"""More presses than anybody makes before they are heard; the rest are dropped."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """An answer to the screen `revision`, as its screen takes it; a PIN never comes this way."""

    revision: int
    answer: str | bool | Identity | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class CancelPressed:
    """The holder wants to leave the screen `revision`."""

    revision: int


@dataclass(frozen=True, slots=True)
class PinKey:
    """A key of the pad on the screen: a digit, "erase" or "enter"."""

    revision: int
    key: str


@dataclass(frozen=True, slots=True)
class PadKeys:
    """How many digits have been typed on the PIN pad."""

    count: int


@dataclass(frozen=True, slots=True)
class PadPin:
    """The PIN that was typed on the PIN pad. Who takes it wipes it."""

    pin: Pin


@dataclass(frozen=True, slots=True)
class PadFailed:
    """The PIN pad does not work."""

    error: Exception


@dataclass(frozen=True, slots=True)
class PadCancelled:
    """Cancel was pressed on the PIN pad."""


@dataclass(frozen=True, slots=True)
class Touched:
    """Somebody is there: time starts anew."""


@dataclass(frozen=True, slots=True)
class CardCame:
    """A card is in the reader."""


@dataclass(frozen=True, slots=True)
class CardLeft:
    """The reader is empty."""


@dataclass(frozen=True, slots=True)
class ReaderTrouble:
    """The reader or its service went away; None when it is back."""

    error: Exception | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The kiosk is to end."""


Happening = (
    Pressed
    | CancelPressed
    | PinKey
    | PadKeys
    | PadPin
    | PadFailed
    | PadCancelled
    | Touched
    | CardCame
    | CardLeft
    | ReaderTrouble
    | Ended
)

_PRESSES = (Pressed, CancelPressed, PinKey, Touched)


class Inbox:
    """A queue with one reader, the session thread. Any thread may put."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = Condition()
        self._happened: deque[Happening] = deque()

    def put(self, happening: Happening) -> bool:
        """Add it. False when there are too many presses already, and this one is dropped."""
        with self._changed:
            full = len(self._happened) >= LONGEST_QUEUE
            if full and isinstance(happening, _PRESSES):
                return False
            self._happened.append(happening)
            self._changed.notify_all()
        return True

    def nudge(self) -> None:
        """Have whoever waits look at the clock again: it was moved."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, until: float | None = None) -> Happening | None:
        """The next happening; None when `until` (of `Clock.monotonic`) comes first."""
        with self._changed:
            while not self._happened:
                left = None if until is None else until - self._clock.monotonic()
                if left is not None and left <= 0:
                    return None
                self._changed.wait(left)
            return self._happened.popleft()

    def forget_presses(self) -> None:
        """Drop what was pressed and not heard, and wipe a PIN that came too late."""
        with self._changed:
            dropped = (*_PRESSES, PadKeys, PadFailed, PadCancelled)
            kept = [one for one in self._happened if not isinstance(one, dropped)]
            self._happened.clear()
            for one in kept:
                if isinstance(one, PadPin):
                    one.pin.wipe()
                else:
                    self._happened.append(one)
