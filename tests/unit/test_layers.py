"""The layers on a connection, one by one and stacked, also against cards that do not behave."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.layers import (
    MAX_ANSWER,
    MAX_ROUNDS,
    CorrectLe,
    Counted,
    GetResponse,
    Layer,
    Logged,
    Recorded,
    stack,
)
from apdu.status import CardError, CardRemoved, MalformedApdu, NoAnswer
from apdu.trace import Trace

READ = bytes.fromhex("00B2010500")


class Card:
    """A connection whose card answers by a function of the command; keeps the commands."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer = answer
        self.commands: list[bytes] = []
        self.closed = False

    @property
    def atr(self) -> bytes:
        return b"\x3b\x00"

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        return self.answer(command)

    def reset(self) -> bytes:
        return b"\x3b\x01"

    def close(self) -> None:
        self.closed = True


def script(*exchanges: str) -> Card:
    """A card with fixed answers: "command > answer" in hex."""
    answers = dict(exchange.replace(" ", "").split(">") for exchange in exchanges)
    return Card(lambda command: bytes.fromhex(answers[command.hex().upper()]))


def test_a_layer_leaves_everything_to_the_one_below() -> None:
    card = script("00B2010500 > AA9000")
    layer = Layer(card)
    assert layer.atr == b"\x3b\x00"
    assert layer.transmit(READ) == b"\xaa\x90\x00"
    assert layer.reset() == b"\x3b\x01"
    layer.close()
    assert card.closed


def test_get_response_collects_the_answer() -> None:
    card = script("00A40400026F01 > 6103", "00C0000003 > 0102036102", "00C0000002 > 04059000")
    assert GetResponse(card).transmit(bytes.fromhex("00A40400026F01")).hex() == "01020304059000"


def test_get_response_keeps_data_that_came_with_61xx() -> None:
    card = script("00B2010500 > AA6101", "00C0000001 > BB6282")
    assert GetResponse(card).transmit(READ).hex().upper() == "AABB6282"


def test_get_response_after_a_wrong_length() -> None:
    card = script("00B2010500 > 6105", "00C0000005 > 6C02", "00C0000002 > AABB9000")
    assert stack(card).transmit(READ).hex().upper() == "AABB9000"


@pytest.mark.parametrize("chunk", [0, 1, 256])
def test_endless_61xx_ends(chunk: int) -> None:
    card = Card(lambda command: bytes(chunk) + b"\x61\x00")
    with pytest.raises(NoAnswer):
        GetResponse(card).transmit(READ)
    assert len(card.commands) <= MAX_ROUNDS + 1
    assert len(card.commands) * chunk <= MAX_ANSWER + 2 * chunk


def test_the_longest_answer_passes() -> None:
    chunks = iter([bytes(256) + b"\x61\x00"] * 255 + [bytes(256) + b"\x90\x00"])
    assert len(GetResponse(Card(lambda _: next(chunks))).transmit(READ)) == MAX_ANSWER + 2


@pytest.mark.parametrize("cut", ["", "90"])
def test_an_answer_cut_off_on_the_way(cut: str) -> None:
    card = script("00B2010500 > AABB6101", f"00C0000001 > {cut}")
    with pytest.raises(MalformedApdu):
        GetResponse(card).transmit(READ)


@pytest.mark.parametrize(
    ("first", "sw", "second"),
    [
        ("00B2010500", "6C40", "00B2010540"),
        ("00B20105FF", "6C00", "00B2010500"),
        ("0088000002AABB00", "6C08", "0088000002AABB08"),
        ("00B00000000400", "6C10", "00B00000000010"),
    ],
)
def test_correct_le_repeats_with_the_true_length(first: str, sw: str, second: str) -> None:
    card = script(f"{first} > {sw}", f"{second} > AA9000")
    assert CorrectLe(card).transmit(bytes.fromhex(first)).hex().upper() == "AA9000"
    assert [command.hex().upper() for command in card.commands] == [first, second]


def test_correct_le_repeats_once_only() -> None:
    card = Card(lambda _: b"\x6c\x10")
    assert CorrectLe(card).transmit(READ) == b"\x6c\x10"
    assert len(card.commands) == 2


def test_no_le_nothing_to_correct() -> None:
    card = Card(lambda _: b"\x6c\x10")
    assert CorrectLe(card).transmit(bytes.fromhex("00A4020002EF05")) == b"\x6c\x10"
    assert len(card.commands) == 1


@given(st.lists(st.binary(max_size=6), min_size=1), st.binary(min_size=4, max_size=12))
def test_hostile_answers_end_in_an_answer_or_a_card_error(
    answers: list[bytes], command: bytes
) -> None:
    turns = iter(range(10**9))
    card = Card(lambda _: answers[next(turns) % len(answers)])
    with contextlib.suppress(CardError):
        stack(card, trace=Trace()).transmit(command)
    assert len(card.commands) <= 2 * (MAX_ROUNDS + 1)


def test_counted() -> None:
    counted = Counted(script("00B2010500 > 6C02", "00B2010502 > AABB9000"))
    CorrectLe(counted).transmit(READ)
    assert (counted.commands, counted.bytes_sent, counted.bytes_received) == (2, 10, 6)


def test_logged_shows_no_data(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logged = Logged(script("0020000003123456 > 63C2", "00B2010500 > D5C5C8FD9000", "00 > 90"))
    logged.transmit(bytes.fromhex("0020000003123456"))
    logged.transmit(READ)
    logged.transmit(b"\0")
    assert "00200000" in caplog.text
    assert "63C2 2 tries left" in caplog.text
    assert "cut off" in caplog.text
    assert "123456" not in caplog.text
    assert "D5C5" not in caplog.text.upper()


def test_logged_names_the_error(caplog: pytest.LogCaptureFixture) -> None:
    def pulled(_: bytes) -> bytes:
        raise CardRemoved

    caplog.set_level(logging.DEBUG)
    with pytest.raises(CardRemoved):
        Logged(Card(pulled)).transmit(READ)
    assert "CARD_REMOVED" in caplog.text


def test_logged_is_silent_by_default(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert Logged(Card(lambda _: b"\x90\x00")).transmit(READ) == b"\x90\x00"
    assert not caplog.records


def test_recorded_writes_a_trace() -> None:
    times = iter([100.0, 101.0, 101.5, 102.0, 103.25])
    trace = Trace(clock=lambda: next(times))

    def answer(command: bytes) -> bytes:
        if command == READ:
            raise CardRemoved
        return b"\x90\x00"

    recorded = Recorded(Card(answer), trace)
    recorded.transmit(bytes.fromhex("0020000003123456"))
    with pytest.raises(CardRemoved):
        recorded.transmit(READ)
    recorded.reset()
    assert str(trace) == (
        "ATR 3B00\n"
        "1.000000 > 00200000 03......\n"
        "1.500000 < 9000\n"
        "2.000000 > 00B20105 00\n"
        "3.250000 ! CARD_REMOVED\n"
        "reset\n"
        "ATR 3B01\n"
    )


def test_the_stack_records_what_goes_over_the_line() -> None:
    trace = Trace()
    card = script("00B2010500 > 6C01", "00B2010501 > 6101", "00C0000001 > AA9000")
    assert stack(card, trace=trace).transmit(READ) == b"\xaa\x90\x00"
    assert str(trace).count(">") == 3
