"""How days and years are counted, in one place (Civil Code, Articles 201 to 203).

The rule. A period of days begins on the day after the event: the day of the event does not count
(201). It ends with the last day's 24:00, which is the next day's 00:00 (203). Where an office or
an applicant has to do something and the last day is a day off, the next working day is the last
one (203). Days, and their ends, are those of Shanghai.

A temporary loss is five such days and lifts by itself (regulation, Article 18). Nobody has to do
anything when it lifts, so a holiday does not prolong it. Civil Code 201 counts a period given in
hours from the event on; `Counting.HOURS` reads the five days as 120 hours.

A period of working days counts the days on which offices work and no others; the first is the
first working day after that of the event (regulation, Article 10).

Years end on the day with the same month and number; where a month has no such day, on its last one
(202). So whoever was born on 29 February turns seven on 28 February of a year without a 29th. A
person is that old from the first instant of that day in Shanghai on.

An end is the first instant that no longer belongs to the period.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
TEMPORARY_LOSS_DAYS = 5
_DAY = timedelta(days=1)
_SATURDAY = 5


class Counting(Enum):
    """How the days of a temporary loss are counted."""

    CALENDAR_DAYS = "calendar_days"
    HOURS = "hours"


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """Which days offices work: Monday to Friday, but for days off and made-up working days."""

    days_off: frozenset[date] = frozenset()
    made_up_days: frozenset[date] = frozenset()

    def is_working_day(self, day: date) -> bool:
        """Whether offices work on that day."""
        if day in self.made_up_days:
            return True
        return day.weekday() < _SATURDAY and day not in self.days_off


def local(instant: datetime) -> datetime:
    """That instant in Shanghai time. Raises `ValueError` for one without a time zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(SHANGHAI)


def end_of_day(day: date) -> datetime:
    """24:00 of that day in Shanghai."""
    return datetime.combine(day + _DAY, time.min, tzinfo=SHANGHAI)


def loss_ends(
    reported_at: datetime,
    days: int = TEMPORARY_LOSS_DAYS,
    counting: Counting = Counting.CALENDAR_DAYS,
) -> datetime:
    """The instant at which a temporary loss lifts (regulation, Article 18), holiday or not."""
    reported = local(reported_at)
    if counting is Counting.HOURS:
        return reported + days * _DAY
    return end_of_day(reported.date() + days * _DAY)


def deadline(event: datetime, days: int, calendar: WorkingCalendar) -> datetime:
    """The end of the last of so many days, moved to the next working day (Civil Code 203)."""
    last = local(event).date() + days * _DAY
    while not calendar.is_working_day(last):
        last += _DAY
    return end_of_day(last)


def working_deadline(event: datetime, days: int, calendar: WorkingCalendar) -> datetime:
    """The end of the last of so many working days (regulation, Article 10)."""
    day = local(event).date()
    while days > 0:
        day += _DAY
        if calendar.is_working_day(day):
            days -= 1
    return end_of_day(day)


def birthday(born: date, years: int) -> date:
    """The day on which somebody turns so many years old (Civil Code 202)."""
    year = born.year + years
    try:
        return born.replace(year=year)
    except ValueError:  # 29 February, in a year without
        return date(year, 2, 28)


def has_turned(born: date, years: int, now: datetime) -> bool:
    """Whether somebody is that old at `now`, from the first instant of the birthday on."""
    return local(now).date() >= birthday(born, years)
