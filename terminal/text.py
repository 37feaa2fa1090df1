"""A text for the holder, in Chinese and English, Chinese first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from terminal.clock import local


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence or label in both languages.

    `str()` gives both, Chinese first, for places that show them in one line.
    """

    zh: str
    en: str

    def __str__(self) -> str:
        return self.zh if self.zh == self.en else f"{self.zh} {self.en}"

    def say(self, language: str) -> str:
        """The text in `language`, "zh" or "en"."""
        return self.en if language == "en" else self.zh

    def fill(self, **values: Text | str | int) -> Text:
        """The text with its `{name}` places filled; a `Text` fills each language with its own."""
        zh = {k: v.zh if isinstance(v, Text) else v for k, v in values.items()}
        en = {k: v.en if isinstance(v, Text) else v for k, v in values.items()}
        return Text(self.zh.format(**zh), self.en.format(**en))


def same(value: str) -> Text:
    """A value that is the same in both languages."""
    return Text(value, value)


def day(value: date) -> Text:
    """A calendar day in words: 2025年3月6日, 6 March 2025."""
    return Text(
        f"{value.year}年{value.month}月{value.day}日",
        f"{value.day} {_MONTHS[value.month - 1]} {value.year}",
    )


def until(instant: datetime) -> Text:
    """The end of a period in Shanghai time; midnight is said as 24:00 of the day that ends.

    The Civil Code counts that way (Article 203: the last day ends at 24:00), and so do people.
    """
    moment = local(instant)
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        last = day(moment.date() - timedelta(days=1))
        return Text(f"{last.zh}24时", f"24:00 on {last.en}")
    said = day(moment.date())
    return Text(f"{said.zh}{moment:%H:%M}", f"{moment:%H:%M} on {said.en}")


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
