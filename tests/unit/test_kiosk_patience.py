"""The visitor's time counts from the moment a screen stands."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulator.clock import SimulatedClock
from simulator.kiosk import BEGINS
from terminal.kiosk.inbox import Inbox
from terminal.kiosk.stage import Stage
from terminal.kiosk.timing import Patience, Timing
from terminal.kiosk.views import Checking, Preferences
from terminal.outcome import TimedOut


def test_time_that_passed_before_the_kiosk_came_to_wait_counts() -> None:
    clock = SimulatedClock(BEGINS)
    inbox, stage = Inbox(clock), Stage(Preferences())
    patience = Patience(inbox, stage, clock, Timing(answer=60, warning=30))
    patience.show(Checking())
    clock.advance(timedelta(seconds=90))

    with pytest.raises(TimedOut):
        next(patience.happenings(60))
