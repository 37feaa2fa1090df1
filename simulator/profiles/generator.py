"""Any number of invented holders: every age, card type, version, algorithm and state, as profiles.

The same seed makes the same profiles. Each is a JSON document of `profile.schema.json`, ready to
be a card, a holder in the back office, or a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, ClassVar, NamedTuple

from simulator.profiles.circumstances import circumstances, household
from simulator.profiles.names import draw_name
from simulator.profiles.numbers import REGION, Numbers

SAMPLE_DAY = date(2026, 3, 10)
"""The day on which the built-in profiles play; generated cards are issued before it."""

Document = dict[str, Any]

_INITIALISER = f"9156000002{REGION}{REGION}01"
_INITIAL_PIN = "123456"
_NEWBORN = timedelta(days=30)  # nobody younger has a card


class ProfilesNotWritten(Exception):
    """The generated profiles could not be written. The message names the directory."""

    code: ClassVar[str] = "PROFILES_NOT_WRITTEN"
    zh: ClassVar[str] = "无法写入生成的卡片配置。"
    en: ClassVar[str] = "The generated profiles could not be written."
    remedy: ClassVar[str] = "Name a directory that this user may write to, and check the disk."


class Stage(NamedTuple):
    """A stage of life: youngest and oldest in years."""

    zh: str
    en: str
    youngest: int
    oldest: int


class Issue(NamedTuple):
    """A card version, from when to when it was issued, and how many years it holds good."""

    version: str
    first: date
    last: date
    years: int


STAGES = (
    Stage("学龄前儿童", "preschool child", 0, 6),
    Stage("学生", "student", 7, 22),
    Stage("成人", "adult", 23, 59),
    Stage("老人", "senior", 60, 102),
)
_ISSUES = (
    Issue("1.00", date(2005, 1, 1), date(2014, 12, 31), 20),
    Issue("2.00", date(2013, 1, 1), date(2019, 12, 31), 10),
    Issue("3.00", date(2019, 1, 1), date.max, 10),
)
_CLASS_FROM = {"1": 0, "2": 7, "3": 19, "4": 60}
_CONDITIONS = ("normal", "application_blocked", "card_blocked")


def generate(count: int, seed: int, *, today: date = SAMPLE_DAY) -> Iterator[Document]:
    """`count` profiles. More of them with the same seed begin with the same ones."""
    return islice(_endless(seed, today), count)


def write_profiles(documents: Iterable[Document], directory: Path) -> list[Path]:
    """One file a profile; the directory is made. Raises `ProfilesNotWritten`."""
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for number, document in enumerate(documents, start=1):
            file = directory / f"holder-{number:05d}.json"
            file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")
            written.append(file)
    except OSError as error:
        raise ProfilesNotWritten(f"{directory}: {error.strerror}") from None
    return written


def _endless(seed: int, today: date) -> Iterator[Document]:
    random = Random(seed)  # noqa: S311  samples that come again, nothing secret
    numbers = Numbers(random)
    while True:
        for stage in STAGES:
            yield _profile(stage, random, numbers, today)


def _profile(stage: Stage, random: Random, numbers: Numbers, today: date) -> Document:
    born = _birth_date(stage, random, today)
    issue, issued = _issued(random, born, today)
    card = _card(issue, issued, born, random, numbers)
    ssn = numbers.ssn(born, sex := random.choice("12"))
    name, ethnicity = draw_name(random, extension=issue.version != "1.00")
    register = circumstances(card, born, random, today)
    return {
        "title": _title(stage, card, register["state"]),
        "holder": {
            "name": name,
            "ssn": ssn,
            "sex": sex,
            "ethnicity": ethnicity,
            "birthplace": REGION,
            "birth_date": f"{born}",
        },
        "card": card,
        "pin": _pin(random, register["state"]),
        "state": random.choices(_CONDITIONS, (94, 3, 3))[0],
        "files": household(card["version"], random),
        "medical_account": {"balance_fen": random.choice((0, random.randrange(200_000)))},
        "backoffice": register,
    }


def _birth_date(stage: Stage, random: Random, today: date) -> date:
    """Between the stage's ages on `today`."""
    latest = years_after(today, -stage.youngest)
    earliest = years_after(today, -stage.oldest - 1) + timedelta(days=1)
    if stage.youngest == 0:
        latest -= _NEWBORN * 2
    return earliest + timedelta(days=random.randrange((latest - earliest).days + 1))


def _issued(random: Random, born: date, today: date) -> tuple[Issue, date]:
    """A version that was issued after the holder's birth, and a day on which it was."""
    possible = [issue for issue in _ISSUES if issue.last >= born + _NEWBORN]
    issue = random.choice(possible)
    first = max(issue.first, born + _NEWBORN)
    days = (min(issue.last, today - timedelta(days=1)) - first).days
    return issue, first + timedelta(days=random.randrange(days + 1))


def _card(issue: Issue, issued: date, born: date, random: Random, numbers: Numbers) -> Document:
    serial = numbers.serial()
    card_class = _class_at(issued, born)
    # A young child's card holds good until the seventh birthday (Article 22).
    expires = years_after(born, 7) if card_class == "1" else years_after(issued, issue.years)
    algorithm = _algorithm(issue.version, random)
    card: Document = {
        "region": REGION,
        "serial": serial,
        "authentication_code": random.choice(("FFFFFFFF", f"{random.randrange(1 << 32):08X}")),
        "number": numbers.card_number(),
        "class": card_class,
        "version": issue.version,
        "algorithm": algorithm,
        "initialiser": _INITIALISER,
        "issued": f"{issued}",
        "expires": f"{expires}",
        "historical_bytes": numbers.historical_bytes(issue.version, serial, issued),
        "fci": "plain" if issue.version == "1.00" and algorithm == "DES" else "algorithm",
    }
    if issue.version == "3.00":
        card["interface"] = random.choice(("contact", "contactless"))
    if issue.version != "1.00" and random.random() < 0.6:
        card["bank_card_number"] = numbers.bank_card_number()
    return card


def _class_at(issued: date, born: date) -> str:
    """The card class of somebody of that age (facts 3.2)."""
    ages = {one: years for one, years in _CLASS_FROM.items() if years_after(born, years) <= issued}
    return max(ages)


def _algorithm(version: str, random: Random) -> str:
    """3.0 cards have SM4, older ones DES, and a few, as in some cities, SSF33 (facts 1.4)."""
    if version == "3.00":
        return "SM4"
    return "SSF33" if random.random() < 0.08 else "DES"


def _pin(random: Random, state: str) -> Document | None:
    """Not yet activated: the initial PIN. Otherwise the holder's, mistyped or blocked at times."""
    if state == "not_activated":
        return {"value": _INITIAL_PIN, "initial": True}
    if random.random() < 0.04:
        return None
    left = random.choices((3, 2, 1, 0), (85, 7, 3, 5))[0]
    return {"value": f"{random.randrange(1_000_000):06d}", "retries": 3, "tries_left": left}


def _title(stage: Stage, card: Document, state: str) -> dict[str, str]:
    version, algorithm = card["version"], card["algorithm"]
    return {
        "zh": f"虚构持卡人：{stage.zh}，{version} 版，{algorithm}",
        "en": f"Invented holder: {stage.en}, version {version}, {algorithm}, {state}",
    }


def years_after(day: date, years: int) -> date:
    """The same day `years` later (earlier if negative); 1 March for a leap day without one."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
