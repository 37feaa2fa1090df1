"""Turns a page into HTML: one template a type of screen."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

import segno
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from terminal.clock import local
from terminal.kiosk.views import (
    Attract,
    Checking,
    Menu,
    OutOfService,
    Page,
    TakeCard,
    Task,
    View,
)
from terminal.kiosk.wording import WORDS
from terminal.mask import mask
from terminal.receipt import Receipt
from terminal.screens import (
    AskAmount,
    AskIdentity,
    AskPin,
    AskScan,
    Choose,
    Confirm,
    Details,
    Message,
    Picture,
    Progress,
    ReceiptScreen,
    Row,
    Screen,
    ShowQr,
)
from terminal.text import Text

_VIEWS: Mapping[type[View], str] = {
    OutOfService: "out_of_service",
    Attract: "attract",
    Checking: "checking",
    Menu: "menu",
    TakeCard: "take_card",
}
_SCREENS: Mapping[type[Screen], str] = {
    Message: "message",
    Details: "details",
    Choose: "choose",
    AskPin: "ask_pin",
    AskIdentity: "ask_identity",
    AskScan: "ask_scan",
    AskAmount: "ask_amount",
    ShowQr: "show_qr",
    Confirm: "confirm",
    Progress: "progress",
    ReceiptScreen: "receipt",
}
_HTML_LANG = {"zh": "zh-CN", "en": "en"}
_QR_LONGEST = 900
"""Bytes of a receipt that a code on a screen can hold and a telephone can still read."""


def template_of(view: View) -> str:
    """The name of the template that shows `view`."""
    return _SCREENS[type(view.screen)] if isinstance(view, Task) else _VIEWS[type(view)]


def render(page: Page) -> str:
    """The HTML of `page`, from the header to the buttons."""
    wanted = _Wanted(page)
    name = template_of(page.view)
    return (
        _environment()
        .get_template(f"{name}.html")
        .render(
            page=page,
            view=page.view,
            kind=name,
            screen=page.view.screen if isinstance(page.view, Task) else None,
            likes=page.preferences,
            lang=_HTML_LANG[page.preferences.language],
            other_lang=_HTML_LANG["en" if page.preferences.language == "zh" else "zh"],
            say=wanted.say,
            word=wanted.word,
            other=wanted.other,
            value=wanted.value,
            has_personal=_has_personal(page.view),
            qr=receipt_qr,
            code=qr_code,
            clock=_time_of_day,
            picture=_data_address,
        )
    )


def warning_words(page: Page) -> Mapping[str, str]:
    """What the countdown says, in the visitor's language."""
    wanted = _Wanted(page)
    return {name: wanted.word(name) for name in ("still_there", "seconds", "stay")}


def html_lang(page: Page) -> str:
    """The page's language as HTML names it."""
    return _HTML_LANG[page.preferences.language]


def receipt_qr(receipt: Receipt, language: str) -> Markup:
    """A code that holds the receipt as text, so that a telephone keeps it without any network."""
    lines = [
        receipt.title.say(language),
        *([receipt.number] if receipt.number else ()),
        f"{receipt.at:%Y-%m-%d %H:%M:%S} {receipt.place}",
        *(f"{line.label.say(language)} {line.value.say(language)}" for line in receipt.lines),
        *(note.say(language) for note in receipt.notes),
    ]
    text = "\n".join(lines)
    while len(text.encode()) > _QR_LONGEST:
        lines.pop()
        text = "\n".join(lines)
    return qr_code(text)


def qr_code(content: str) -> Markup:
    """A code that holds `content`, as a drawing within the page."""
    code = segno.make(content, error="l", micro=False)
    svg = code.svg_inline(scale=4, border=2, omitsize=True, dark="#000", light="#fff")
    return Markup(svg)  # noqa: S704 - drawn by segno from numbers alone


class _Wanted:
    """What a page's visitor wants: the language, and personal values in full or not."""

    def __init__(self, page: Page) -> None:
        self._language = page.preferences.language
        self._reveal = page.preferences.reveal

    def say(self, text: Text) -> str:
        return text.say(self._language)

    def word(self, name: str, **values: Text | str | int) -> str:
        text = WORDS[name]
        return self.say(text.fill(**values) if values else text)

    def other(self, name: str) -> str:
        """A word in the language that the page is not in."""
        return WORDS[name].say("zh" if self._language == "en" else "en")

    def value(self, row: Row) -> str:
        said = self.say(row.value)
        return mask(said) if row.personal and not self._reveal else said


def _time_of_day(instant: datetime) -> str:
    return local(instant).strftime("%H:%M:%S")


def _has_personal(view: View) -> bool:
    if not (isinstance(view, Task) and isinstance(view.screen, Details | Confirm)):
        return False
    return any(row.personal for section in view.screen.sections for row in section.rows)


def _data_address(picture: Picture) -> str:
    """The picture within the page itself, so that no second request could be kept anywhere."""
    return f"data:{picture.media_type};base64,{b64encode(picture.data).decode()}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("terminal.kiosk"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(_globals())
    return environment


def _globals() -> dict[str, Any]:
    return {"tones": {"info": "i", "success": "✓", "warning": "!", "error": "✕"}}
