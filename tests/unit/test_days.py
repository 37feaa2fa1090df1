"""How days are counted: Civil Code 201 to 203, and Articles 18 and 23 of the regulation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.backoffice.days import (
    SHANGHAI,
    Counting,
    WorkingCalendar,
    birthday,
    deadline,
    end_of_day,
    has_turned,
    local,
    loss_ends,
    working_deadline,
)
from simulator.backoffice.figures import load_figures

SECOND = timedelta(seconds=1)


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.article(18)
@pytest.mark.parametrize(
    ("reported", "ends"),
    [
        ("2026-03-16T09:00:00", "2026-03-22"),
        ("2026-03-16T00:00:00", "2026-03-22"),
        ("2026-03-16T23:59:59", "2026-03-22"),
        ("2026-03-16T23:59:59.999999", "2026-03-22"),
        ("2026-03-17T00:00:00", "2026-03-23"),
        ("2026-01-28T12:00:00", "2026-02-03"),  # over the end of a month
        ("2026-12-29T12:00:00", "2027-01-04"),  # over the end of a year
        ("2028-02-24T12:00:00", "2028-03-01"),  # the fifth day is 29 February
        ("2028-02-25T12:00:00", "2028-03-02"),  # 29 February is one of the five
        ("2028-02-29T12:00:00", "2028-03-06"),  # reported on 29 February
        ("2027-02-24T12:00:00", "2027-03-02"),  # no 29 February
    ],
)
def test_a_temporary_loss_ends_with_its_fifth_day(reported: str, ends: str) -> None:
    assert loss_ends(shanghai(reported)) == shanghai(f"{ends}T00:00:00")


@pytest.mark.article(18)
def test_the_last_second_of_the_fifth_day_still_belongs_to_the_loss() -> None:
    end = loss_ends(shanghai("2026-03-16T09:00:00"))
    assert shanghai("2026-03-21T23:59:59") < end
    assert not shanghai("2026-03-22T00:00:00") < end


@pytest.mark.article(18)
@pytest.mark.parametrize(
    ("reported", "ends"),
    [
        # 15:59:59 UTC is the last second of the day in Shanghai, 16:00:00 the first of the next.
        (datetime(2026, 3, 16, 15, 59, 59, tzinfo=UTC), "2026-03-22T00:00:00"),
        (datetime(2026, 3, 16, 16, 0, 0, tzinfo=UTC), "2026-03-23T00:00:00"),
        (datetime(2026, 3, 16, 11, 0, tzinfo=timezone(timedelta(hours=-5))), "2026-03-23T00:00:00"),
    ],
)
def test_the_day_of_the_report_is_the_day_in_shanghai(reported: datetime, ends: str) -> None:
    assert loss_ends(reported) == shanghai(ends)


@pytest.mark.article(18)
def test_a_loss_lifts_on_a_holiday_as_on_any_day() -> None:
    # 1 to 7 October 2026 are days off; the office's deadline moves, the loss does not.
    calendar = load_figures().calendar
    reported = shanghai("2026-09-28T10:00:00")
    assert loss_ends(reported) == shanghai("2026-10-04T00:00:00")
    assert deadline(reported, 5, calendar) == shanghai("2026-10-09T00:00:00")


@pytest.mark.article(18)
def test_five_days_may_be_counted_as_120_hours() -> None:
    reported = shanghai("2026-03-16T09:30:15")
    assert loss_ends(reported, counting=Counting.HOURS) == shanghai("2026-03-21T09:30:15")
    assert loss_ends(reported, counting=Counting.HOURS) - reported == timedelta(hours=120)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # the bounds of naive values
@pytest.mark.article(18)
def test_a_loss_lasts_five_whole_days_and_the_rest_of_the_first(reported: datetime) -> None:
    end = loss_ends(reported)
    assert timedelta(days=5) < end - reported <= timedelta(days=6)
    assert (end.hour, end.minute, end.second, end.microsecond) == (0, 0, 0, 0)
    assert (end - SECOND).astimezone(SHANGHAI).date() == local(reported).date() + timedelta(days=5)


def test_an_instant_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        loss_ends(datetime(2026, 3, 16, 9))  # noqa: DTZ001  # the point of the test
    with pytest.raises(ValueError, match="time zone"):
        loss_ends(datetime(2026, 3, 16, 9), counting=Counting.HOURS)  # noqa: DTZ001  # likewise


@pytest.mark.article(23)
@pytest.mark.parametrize(
    ("event", "last_day"),
    [
        ("2026-03-16T09:00:00", date(2026, 3, 31)),  # a Tuesday
        ("2026-03-20T09:00:00", date(2026, 4, 7)),  # Qingming, 4 to 6 April
        ("2026-01-30T09:00:00", date(2026, 2, 14)),  # a Saturday on which offices work
        ("2026-01-31T09:00:00", date(2026, 2, 24)),  # Spring Festival, 15 to 23 February
        ("2026-02-27T23:59:59", date(2026, 3, 16)),  # ends on Saturday 14 March
    ],
)
def test_an_office_has_until_the_next_working_day(event: str, last_day: date) -> None:
    assert deadline(shanghai(event), 15, load_figures().calendar) == end_of_day(last_day)


def test_the_holiday_table_can_be_replaced() -> None:
    monday = date(2026, 3, 16)
    assert WorkingCalendar().is_working_day(monday)
    assert not WorkingCalendar(days_off=frozenset({monday})).is_working_day(monday)
    sunday = date(2026, 3, 15)
    assert not WorkingCalendar().is_working_day(sunday)
    assert WorkingCalendar(made_up_days=frozenset({sunday})).is_working_day(sunday)


@pytest.mark.article(10)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # the bounds of naive values
    st.integers(1, 20),
)
def test_a_period_of_working_days_holds_exactly_so_many(event: datetime, days: int) -> None:
    calendar = load_figures().calendar
    last = working_deadline(event, days, calendar) - SECOND
    first = local(event).date()
    between = [first + timedelta(n) for n in range(1, (last.date() - first).days + 1)]
    assert sum(calendar.is_working_day(day) for day in between) == days
    assert calendar.is_working_day(between[-1])


@pytest.mark.article(22)
@pytest.mark.parametrize(
    ("born", "turned"),
    [
        (date(2019, 3, 16), date(2026, 3, 16)),
        (date(2020, 2, 29), date(2027, 2, 28)),
        (date(2021, 2, 28), date(2028, 2, 28)),
        (date(2020, 12, 31), date(2027, 12, 31)),
    ],
)
def test_years_end_on_the_day_of_the_same_name_or_the_months_last(born: date, turned: date) -> None:
    assert birthday(born, 7) == turned
    start = datetime(turned.year, turned.month, turned.day, tzinfo=SHANGHAI)
    assert has_turned(born, 7, start)
    assert not has_turned(born, 7, start - timedelta(microseconds=1))


@pytest.mark.article(22)
def test_a_leap_day_comes_back_in_a_leap_year() -> None:
    assert birthday(date(2020, 2, 29), 8) == date(2028, 2, 29)
