"""A walk through every screen of the kiosk, for who looks at them: the axe engine, or people.

Each stop has a name and leaves the screen standing. `stops` are made with one kiosk and one page.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.network import Fault

from .hall import Hall

PIN = "246810"


def stops(hall: Hall) -> Iterator[str]:
    """Go from screen to screen; at each name that is yielded the screen stands still."""
    yield from _idle(hall)
    yield from _card(hall)
    yield from _settlement(hall)
    yield from _others(hall)
    yield from _amount(hall)
    yield from _leaving(hall)
    yield from _refused(hall)
    yield from _out_of_order(hall)


def _idle(hall: Hall) -> Iterator[str]:
    hall.at("attract")
    yield "attract"
    hall.press("without-card")
    hall.at("choose")
    yield "without-card"
    hall.press("cancel")
    hall.at("attract")


def _card(hall: Hall) -> Iterator[str]:
    hall.insert()
    hall.at("menu")
    yield "menu"
    hall.press("why")
    hall.at("details")
    yield "menu-why"
    hall.press("next")
    hall.press_item("read")
    hall.at("details")
    yield "my-card"
    hall.press("reveal")
    hall.shows("张三")
    hall.page.locator("img.photo").wait_for()
    yield "my-card-in-full"
    hall.press("next")
    hall.at("menu")


def _settlement(hall: Hall) -> Iterator[str]:
    hall.press_item("query")
    hall.at("ask_pin")
    for digit in "999":
        hall.press(f"key-{digit}")
    hall.shows_digits(3)
    yield "pin"
    for digit in "999":
        hall.press(f"key-{digit}")
    hall.shows_digits(6)
    hall.press("enter")
    hall.note("还可再试", "tries are left")
    yield "pin-wrong"
    hall.enter(PIN)
    hall.at("details")
    yield "query"
    hall.press("next")
    hall.press_item("settlement")
    hall.at("choose")
    yield "settlement-bills"
    hall.press("option-1")
    hall.at("confirm")
    yield "settlement-confirm"
    hall.press("yes")
    hall.at("receipt")
    yield "settlement-receipt"
    hall.press("next")
    hall.at("menu")


def _others(hall: Hall) -> Iterator[str]:
    """The first screen of every other function that the menu offers this card."""
    seen = {"settlement", "query", "read"}
    for key in hall.menu():
        if key not in seen:
            hall.press_item(key)
            hall.leave_menu()
            yield f"function-{key}"
            hall.back_to_menu()


def _amount(hall: Hall) -> Iterator[str]:
    """While the centre is away a visit is registered, and what was paid for it is asked."""
    hall.kiosk.panel.network(connected=False)
    hall.press_item("provisional")
    hall.enter(PIN)  # reading the purse has closed the application that knew it
    hall.at("ask_amount")
    yield "amount"
    hall.kiosk.panel.network(connected=True)
    hall.press("cancel")
    hall.at("menu")


def _leaving(hall: Hall) -> Iterator[str]:
    hall.wait(61)
    hall.page.locator("#warning[open]").wait_for()
    yield "countdown"
    hall.press("warning-stay")
    hall.press("cancel")
    hall.at("take_card")
    yield "take-card"
    hall.wait(10)
    hall.at("take_card")
    hall.page.locator(".alarm").wait_for()
    yield "take-card-alarm"
    hall.remove()
    hall.at("attract")


def _refused(hall: Hall) -> Iterator[str]:
    hall.insert("forged")
    hall.at("message")
    yield "refused-forged"
    hall.press("slip")
    hall.at("receipt")
    yield "refused-slip"
    hall.remove()
    hall.at("attract")
    hall.kiosk.panel.lose("adult-2.0", "temporary")
    hall.insert("adult-2.0")
    hall.at("message")
    yield "refused-lost"
    hall.remove()
    hall.at("attract")
    hall.insert("not-active")
    hall.press_item("activation")
    hall.at("confirm")
    yield "activation"
    hall.remove()
    hall.at("message")
    yield "card-removed"
    hall.wait(20)
    hall.wait(30)
    hall.at("attract")
    hall.insert("child")
    hall.at("menu")
    hall.remove()
    hall.at("attract")


def _out_of_order(hall: Hall) -> Iterator[str]:
    hall.kiosk.panel.network(connected=False)
    hall.kiosk.scene.network.fail("/v1/time", Fault.REFUSED_CONNECTION)
    hall.wait(2 * 24 * 3600)
    hall.page.locator("main.attract .tone").wait_for()
    yield "attract-limited"
    hall.trouble()
    hall.at("out_of_service")
    yield "out-of-service"
