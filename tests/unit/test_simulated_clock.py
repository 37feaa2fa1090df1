"""The simulated clock: time passes when told to, and only forwards."""

from datetime import UTC, datetime, timedelta

import pytest

from simulator.clock import SHANGHAI, SimulatedClock

START = datetime(2026, 3, 10, 9, 0, tzinfo=SHANGHAI)


def test_time_stands_still_until_it_is_moved() -> None:
    clock = SimulatedClock(START)
    assert clock.now() == clock.now() == START
    assert clock.monotonic() == 0


def test_advance_moves_both_clocks() -> None:
    clock = SimulatedClock(START)
    clock.advance(timedelta(days=5, seconds=1))
    assert clock.now() == START + timedelta(days=5, seconds=1)
    assert clock.monotonic() == 5 * 86400 + 1


def test_sleep_takes_no_real_time() -> None:
    clock = SimulatedClock(START)
    clock.sleep(0.25)
    clock.sleep(3600)
    assert clock.monotonic() == 3600.25


def test_now_is_shanghai_time_whatever_the_start_was_given_in() -> None:
    clock = SimulatedClock(datetime(2026, 3, 10, 16, 30, tzinfo=UTC))
    assert clock.now().isoformat() == "2026-03-11T00:30:00+08:00"


def test_time_does_not_go_backwards() -> None:
    clock = SimulatedClock(START)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="backwards"):
        clock.sleep(-1)
    assert clock.now() == START


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="timezone-aware"):
        SimulatedClock(datetime(2026, 3, 10, 9, 0))  # noqa: DTZ001  # the point of the test
