"""The menu: the registered functions, those first that people come for, six on a screen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from terminal.functions import FUNCTIONS
from terminal.kiosk.views import Menu, MenuItem
from terminal.policy import Function
from terminal.text import Text

PER_PAGE = 6
"""Big buttons on a screen (facts 4.4)."""

MORE, BACK, WHY = "more", "back", "why"
"""Answers to a menu that are no functions."""


class Place(NamedTuple):
    """Where a function stands: its order, its kin, and its picture in `static/kiosk.html`."""

    order: int
    group: str
    icon: str


_PLACES: Mapping[str, Place] = {
    "settlement": Place(10, "money", "bill"),
    "query": Place(20, "card", "search"),
    "read": Place(30, "card", "card"),
    "activation": Place(5, "card", "spark"),
    "pin": Place(40, "card", "key"),
    "contribution": Place(50, "money", "coins"),
    "benefits": Place(55, "money", "gift"),
    "records": Place(60, "money", "list"),
    "cancel": Place(65, "money", "undo"),
    "debit": Place(67, "money", "coins"),
    "provisional": Place(68, "money", "list"),
    "transit": Place(70, "money", "bus"),
    "standing": Place(75, "care", "clock"),
    "loss": Place(80, "care", "lock"),
    "release": Place(82, "care", "lock"),
    "replacement": Place(85, "care", "swap"),
    "bank": Place(90, "care", "bank"),
    "ecard": Place(95, "care", "qr"),
    "catalogue": Place(100, "care", "book"),
}
_OTHER = Place(200, "other", "dot")


def place_of(function: Function) -> Place:
    """Where `function` stands; one that nobody gave a place comes last, with a plain picture."""
    return _PLACES.get(function.value, _OTHER)


def ordered(functions: Collection[Function]) -> tuple[Function, ...]:
    """`functions` as the menu lists them."""
    return tuple(sorted(functions, key=lambda one: place_of(one).order))


def menu(admitted: Sequence[Function], withheld: int, number: int) -> Menu:
    """Page `number` of what this card may do. `withheld` functions are not open to it now."""
    pages = max(1, -(-len(admitted) // PER_PAGE))
    number = (number - 1) % pages + 1
    shown = admitted[(number - 1) * PER_PAGE : number * PER_PAGE]
    items = tuple(_item(function) for function in shown)
    title = Text("请选择要办理的业务", "What would you like to do?")
    return Menu(items, number, pages, withheld, title)


def _item(function: Function) -> MenuItem:
    place = place_of(function)
    return MenuItem(function.value, FUNCTIONS[function].title, place.icon, place.group)
