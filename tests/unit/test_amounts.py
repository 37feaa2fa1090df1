"""Amounts as people type them."""

from __future__ import annotations

import pytest

from terminal.amounts import MOST_FEN, fen_of


@pytest.mark.parametrize(
    ("typed", "fen"),
    [
        ("0", 0),
        ("0.01", 1),
        ("12.5", 1_250),
        (" 12.50 ", 1_250),
        ("1,234", 123_400),
        ("1,234.50", 123_450),
        ("1,234,567.89", 123_456_789),
        ("１２．５０", 1_250),
        ("１，２３４", 123_400),
        ("9999999.99", MOST_FEN),
    ],
)
def test_an_amount_is_read_to_the_fen(typed: str, fen: int) -> None:
    assert fen_of(typed) == fen


@pytest.mark.parametrize(
    "typed",
    ["", "-1", "+1", "1.234", ".5", "5.", "1e9", "nan", "十二", "0x10", "10000000"],
)
def test_what_is_no_amount_is_none(typed: str) -> None:
    assert fen_of(typed) is None


@pytest.mark.parametrize("typed", ["12,50", "12,5", "1,2345", ",50", "12,", "1,,234", "1234,567"])
def test_a_comma_that_parts_no_thousands_never_makes_a_hundred_times_as_much(typed: str) -> None:
    assert fen_of(typed) is None
