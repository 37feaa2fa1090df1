"""How an invented holder lives: address and work on the card, insurances and bills in the register.

Institutions are those that the reference back office knows.
"""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

Document = dict[str, Any]

_RETIREMENT_AGE = 60
_ADULT_AGE = 19
_STATES = ("active", "not_activated", "temporarily_lost", "formally_lost", "void", "stopped")
_STATE_WEIGHTS = (70, 12, 5, 5, 4, 4)
_OLD_STATE_WEIGHTS = (15, 0, 0, 2, 8, 75)  # 1.0 cards have been stopped, nearly all of them
_STREETS = ("测试路", "样本路", "示例街", "虚构弄")
_DEPARTMENTS = ("内科", "外科", "儿科", "口腔科", "急诊科", "中医科")
_TREATMENTS = (
    ("110200001", "门诊诊查费", 2500),
    ("250101015", "血常规（五分类）", 2000),
    ("210200001", "胸部 CT 平扫", 18000),
    ("310501001", "口腔检查", 3500),
    ("120400002", "静脉输液", 1500),
)
_INSTITUTIONS = ("990100000101", "990100000102")


def circumstances(card: Document, born: date, random: Random, today: date) -> Document:
    """The profile's `backoffice` object for the holder of `card`."""
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    insured_as = _insured_as(age, random)
    weights = _OLD_STATE_WEIGHTS if card["version"] == "1.00" else _STATE_WEIGHTS
    state = random.choices(_STATES, weights)[0]
    register: Document = {
        "state": state,
        "financial_active": "bank_card_number" in card and state == "active",
        "insured_as": insured_as,
        "insurances": _insurances(insured_as, age, random, today),
    }
    if insured_as != "student_or_child":
        register["current_account_fen"] = random.randrange(300_000)
        register["past_accounts_fen"] = random.choice((0, random.randrange(900_000)))
    if random.random() < 0.5:
        register["bills"] = [_bill(card["serial"], random, today)]
    return register


def household(version: str, random: Random) -> Document:
    """Contents of DF01 and DF04; 1.0 cards have other items under some of the tags."""
    address = f"示例市样本区{random.choice(_STREETS)} {random.randrange(1, 400)} 号"
    if version == "1.00":
        return {
            "DF01EF05": {"20": random.choice("12"), "21": address},
            "DF04EF05": {"80": f"{random.randrange(1995, 2013)}0701"},
        }
    return {
        "DF01EF05": {"20": random.choice(("10", "20", "50", "51")), "21": address, "0E": "990100"},
        "DF01EF06": {"23": address, "24": "990100", "28": f"990{random.randrange(10**8):08d}"},
        "DF01EF08": {"2B": random.choice("12349")},
        "DF04EF05": {"81": "31000000", "84": "990100", "83": "990100101", "8F": "1"},
    }


def _insured_as(age: int, random: Random) -> str:
    if age < _ADULT_AGE:
        return "student_or_child"
    if age >= _RETIREMENT_AGE:
        return random.choice(("retired", "retired", "resident"))
    return random.choice(("employee", "employee", "resident"))


def _insurances(insured_as: str, age: int, random: Random, today: date) -> list[Document]:
    """Who works has all kinds; children and residents the medical one."""
    kinds = {
        "employee": ("pension", "medical", "unemployment", "work_injury"),
        "retired": ("pension", "medical"),
    }.get(insured_as, ("medical",))
    years = random.randrange(max(1, min(age, 40)))
    since = date(today.year - years, 1, 1)
    months = years * 12 + today.month - 1
    return [
        {
            "kind": kind,
            "status": random.choices(("insured", "suspended", "ended"), (90, 6, 4))[0],
            "since": f"{since}",
            "months_paid": random.randrange(months + 1),
        }
        for kind in kinds
    ]


def _bill(serial: str, random: Random, today: date) -> Document:
    lines = random.sample(_TREATMENTS, random.randrange(1, 4))
    return {
        "bill_id": f"B{today:%Y%m%d}{serial}",
        "visit_id": f"V{today:%Y%m%d}{serial}",
        "institution": random.choice(_INSTITUTIONS),
        "department": random.choice(_DEPARTMENTS),
        "date": f"{today}",
        "lines": [
            {
                "code": code,
                "name": name,
                "quantity": random.randrange(1, 4),
                "unit_price_fen": price,
            }
            for code, name, price in lines
        ],
    }
