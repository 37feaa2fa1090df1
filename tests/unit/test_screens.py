"""Screens: which answers each takes, and that they are values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from apdu.pin import Pin
from terminal.mask import mask
from terminal.receipt import ReceiptLine, yuan
from terminal.screens import (
    LONGEST_AMOUNT,
    LONGEST_SCAN,
    Answer,
    AskAmount,
    AskIdentity,
    AskPin,
    AskScan,
    Choose,
    Confirm,
    Details,
    Identity,
    Message,
    Option,
    Progress,
    Screen,
    ShowQr,
)
from terminal.text import Text, same

TITLE = Text("标题", "Title")
CHOOSE = Choose(TITLE, (Option("a", Text("甲", "A")), Option("b", Text("乙", "B"))))
CONFIRM = Confirm(TITLE, (), Text("是", "Yes"), Text("否", "No"))


@pytest.mark.parametrize(
    ("screen", "answer", "accepted"),
    [
        (Message(TITLE), None, True),
        (Message(TITLE), "a", False),
        (Details(TITLE, ()), None, True),
        (Details(TITLE, ()), True, False),
        (Progress(TITLE), None, True),
        (Progress(TITLE), "x", False),
        (CHOOSE, "a", True),
        (CHOOSE, "c", False),
        (CHOOSE, None, False),
        (CHOOSE, True, False),
        (CONFIRM, True, True),
        (CONFIRM, False, True),
        (CONFIRM, None, False),
        (CONFIRM, "y", False),
        (AskPin(TITLE), Pin("123456"), True),
        (AskPin(TITLE), "123456", False),
        (AskPin(TITLE), None, False),
        (AskIdentity(TITLE), Identity("张三", "990100199001011234"), True),
        (AskIdentity(TITLE), "张三", False),
        (AskScan(TITLE), "SSCT1:ABC", True),
        (AskScan(TITLE), "x" * LONGEST_SCAN, True),
        (AskScan(TITLE), "x" * (LONGEST_SCAN + 1), False),
        (AskScan(TITLE), "", False),
        (AskScan(TITLE), None, False),
        (AskAmount(TITLE), "12.50", True),
        (AskAmount(TITLE), "1" * (LONGEST_AMOUNT + 1), False),
        (AskAmount(TITLE), "", False),
        (AskAmount(TITLE), None, False),
        (ShowQr(TITLE, "SSCT1:ABC"), None, True),
        (ShowQr(TITLE, "SSCT1:ABC"), "a", False),
    ],
)
def test_a_screen_takes_its_own_kind_of_answer_only(
    screen: Screen, answer: Answer, accepted: bool
) -> None:
    assert screen.accepts(answer) is accepted


def test_screens_are_values() -> None:
    assert Message(TITLE) == Message(Text("标题", "Title"))
    with pytest.raises(FrozenInstanceError):
        Message(TITLE).title = TITLE  # type: ignore[misc]  # that it fails is the point


@pytest.mark.article(25)
def test_neither_an_identity_nor_a_code_shows_in_a_repr() -> None:
    assert "张三" not in repr(Identity("张三", "990100199001011234"))
    assert "9901" not in repr(Identity("张三", "990100199001011234"))
    assert "SSCT1" not in repr(ShowQr(TITLE, "SSCT1:ABC"))


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (100, "1.00"),
        (123456, "1,234.56"),
        (-5, "-0.05"),
        (-1205, "-12.05"),
    ],
)
def test_yuan_shows_fen_exactly(fen: int, text: str) -> None:
    assert yuan(fen) == text


def test_an_amount_line_shows_the_currency() -> None:
    assert ReceiptLine.amount(TITLE, 1234).value == same("¥ 12.34")


@pytest.mark.article(25)
@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("", ""),
        ("张", "张"),
        ("张三", "张*"),
        ("欧阳某某", "欧***"),
        ("990100199001011234", "99**************34"),
        ("A1234567X", "A1*****7X"),
    ],
)
def test_masking_hides_the_middle(value: str, masked: str) -> None:
    assert mask(value) == masked
