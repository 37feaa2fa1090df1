"""Status words, and that every error says what it must."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu import status
from apdu.status import (
    CardError,
    PinWrong,
    StatusError,
    StatusWord,
    describe,
    has_more,
    has_true_length,
    is_ok,
    tries_left,
)


def errors(base: type[CardError] = CardError) -> Iterator[type[CardError]]:
    yield base
    for kind in base.__subclasses__():
        if kind.__module__ == status.__name__:
            yield from errors(kind)


def test_families_are_told_apart() -> None:
    for sw in range(0x10000):
        families = [is_ok(sw), has_more(sw), has_true_length(sw), tries_left(sw) is not None]
        assert sum(families) <= 1
    assert is_ok(0x9000)
    assert not is_ok(0x9001)
    assert has_more(0x6100)
    assert has_true_length(0x6C40)
    assert tries_left(0x63C0) == 0
    assert tries_left(0x63CF) == 15
    assert tries_left(0x6300) is None


@given(st.integers(0, 0xFFFF))
def test_every_status_word_has_a_description(sw: int) -> None:
    assert describe(sw).startswith(f"{sw:04X}")


@pytest.mark.parametrize(
    ("sw", "text"),
    [
        (0x9000, "9000 ok"),
        (0x6118, "6118 more data"),
        (0x6C40, "6C40 wrong Le"),
        (0x63C2, "63C2 2 tries left"),
        (0x6A83, "6A83 record not found"),
        (0x1234, "1234"),
    ],
)
def test_describe(sw: int, text: str) -> None:
    assert describe(sw) == text


def test_facts_list_of_status_words_is_complete() -> None:
    # Facts 5.2, the families and the two that 63Cx and 9000 cover left out.
    listed = (
        "6581 6700 6901 6981 6982 6983 6984 6985 6986 6987 6988 6A80 6A81 6A82 6A83 6A84 6A85 "
        "6A86 6A88 6B00 6D00 6E00 6F00 9302 9303 9401 9402 9403 9406"
    )
    assert {int(word, 16) for word in listed.split()} <= set(StatusWord)


def test_codes_are_distinct_and_every_error_speaks() -> None:
    kinds = list(errors())
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind.code == kind.code.upper()
        assert any("一" <= character <= "鿿" for character in kind.zh)
        assert kind.en
        assert kind.remedy


def test_status_error_names_command_and_word() -> None:
    error = StatusError(0x6982, "READ RECORD 09 00")
    assert str(error) == "READ RECORD 09 00: 6982 security status not satisfied"
    assert error.sw == 0x6982


def test_pin_wrong_counts() -> None:
    assert PinWrong(2).tries_left == 2
