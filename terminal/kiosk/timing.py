"""How long the kiosk waits for whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from terminal.clock import Clock
from terminal.kiosk.inbox import Happening, Inbox, Touched
from terminal.kiosk.stage import Stage
from terminal.kiosk.views import View
from terminal.outcome import TimedOut


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. `answer` until the warning on a question, `reading` on something to be read.

    `warning` is the countdown that one touch stops (WCAG 2.2.1: at least 20). `closing` is for what
    stands after the card has gone. `alarm` and `call`: from when a forgotten card sounds, and calls
    the staff (facts 4.4).
    """

    answer: float = 60.0
    reading: float = 120.0
    warning: float = 30.0
    closing: float = 20.0
    alarm: float = 10.0
    call: float = 40.0


class Patience:
    """Waits for what happens on a screen, warns in time, and gives up at the end."""

    def __init__(self, inbox: Inbox, stage: Stage, clock: Clock, timing: Timing) -> None:
        self._inbox = inbox
        self._stage = stage
        self._clock = clock
        self._timing = timing
        self._shown_at = 0.0

    def show(self, view: View) -> int:
        """Put `view` on the screen and return its revision; from now on the visitor has time."""
        self._shown_at = self._clock.monotonic()
        return self._stage.show(view)

    def happenings(self, quiet: float) -> Iterator[Happening]:
        """What happens on the screen that was shown last, until the caller has enough.

        After `quiet` seconds without a touch the countdown begins. Raises `TimedOut` at its end.
        """
        warn_at = self._shown_at + quiet
        try:
            while True:
                happened = self._next(warn_at)
                if isinstance(happened, Touched):
                    warn_at = self._clock.monotonic() + quiet
                    self._stage.warn(None)
                else:
                    yield happened
                    warn_at = max(warn_at, self._clock.monotonic() + quiet)
                    self._stage.warn(None)
        finally:
            self._stage.warn(None)

    def _next(self, warn_at: float) -> Happening:
        happened = self._inbox.wait(warn_at)
        end = warn_at + self._timing.warning
        while happened is None:
            left = ceil(end - self._clock.monotonic())
            if left <= 0:
                raise TimedOut
            self._stage.warn(left)
            happened = self._inbox.wait(end - left + 1)
        return happened
