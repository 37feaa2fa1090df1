"""Texts in two languages, and how days and ends of periods are said."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from terminal.clock import SHANGHAI, SystemClock, local
from terminal.text import Text, day, until


def test_both_languages_chinese_first() -> None:
    text = Text("你好", "Hello")
    assert str(text) == "你好 Hello"
    assert text.say("zh") == "你好"
    assert text.say("en") == "Hello"
    assert str(Text("12345", "12345")) == "12345"


def test_places_are_filled_in_each_language() -> None:
    sentence = Text("到{when}，共{count}次", "until {when}, {count} times")
    filled = sentence.fill(when=Text("明天", "tomorrow"), count=3)
    assert filled == Text("到明天，共3次", "until tomorrow, 3 times")


@pytest.mark.article(18)
def test_midnight_is_said_as_the_end_of_the_day_before() -> None:
    """Civil Code, Article 203: the last day ends at 24:00."""
    end = datetime(2026, 3, 7, 0, 0, tzinfo=SHANGHAI)
    assert until(end) == Text("2026年3月6日24时", "24:00 on 6 March 2026")
    assert until(end.astimezone(UTC)) == until(end)
    new_year = datetime(2027, 1, 1, tzinfo=SHANGHAI)
    assert until(new_year) == Text("2026年12月31日24时", "24:00 on 31 December 2026")


def test_another_end_is_said_with_its_time() -> None:
    end = datetime(2026, 3, 7, 0, 0, 1, tzinfo=SHANGHAI)
    assert until(end) == Text("2026年3月7日00:00", "00:00 on 7 March 2026")
    assert until(end + timedelta(hours=9, minutes=5)).zh == "2026年3月7日09:05"


def test_a_day_in_words() -> None:
    assert day(date(2028, 2, 29)) == Text("2028年2月29日", "29 February 2028")


def test_local_time_is_that_of_shanghai() -> None:
    assert local(datetime(2026, 1, 1, 16, tzinfo=UTC)).isoformat() == "2026-01-02T00:00:00+08:00"
    with pytest.raises(ValueError, match="time zone"):
        local(datetime(2026, 1, 1, 16))  # noqa: DTZ001 - the fault under test


def test_the_system_clock_is_aware_and_steady() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is not None
    first = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= first
