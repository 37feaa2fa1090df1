"""The card's commands: their bytes, what the channel remembers, and what status words become."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.channel import CardChannel
from apdu.command import Command
from apdu.layers import stack
from apdu.pin import Pin
from apdu.status import (
    ApplicationLocked,
    CardError,
    CardRemoved,
    CardReset,
    MalformedApdu,
    NoAnswer,
    PinBlocked,
    PinWrong,
    StatusError,
)

SSSE = "社会保障".encode("gbk")
SSSE = b"sx1.sh." + SSSE
SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"
SELECT_EF05 = "00A4020002EF05"
SELECT_EF06 = "00A4020002EF06"


class Card:
    """Answers 9000 to everything, unless told otherwise; keeps what it was sent."""

    def __init__(self, **answers: str) -> None:
        # A key is a command's bytes in hex behind an underscore, or its start.
        self.answers = {key[1:]: bytes.fromhex(answer) for key, answer in answers.items()}
        self.sent: list[str] = []
        self.error: CardError | None = None

    @property
    def atr(self) -> bytes:
        return b"\x3b\x00"

    def transmit(self, command: bytes) -> bytes:
        if self.error:
            raise self.error
        self.sent.append(command.hex().upper())
        found = [self.answers[key] for key in self.answers if self.sent[-1].startswith(key)]
        return found[0] if found else b"\x90\x00"

    def reset(self) -> bytes:
        return b"\x3b\x01"

    def close(self) -> None:
        pass


Call = Callable[[CardChannel], object]


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        (lambda c: c.select_name(SSSE), SELECT_SSSE),
        (lambda c: c.select_fid(0xEF05), SELECT_EF05),
        (lambda c: c.select_fid(0xDF03), "00A4000002DF0300"),
        (lambda c: c.select_fid(0xDDF1), "00A4000002DDF100"),
        (lambda c: c.select_fid(0x3F00), "00A40000023F0000"),
        (lambda c: c.read_record_by_tag(0x4E), "00B24E0000"),
        (lambda c: c.read_record_by_tag(0x01, sfi=5, le=0x12), "00B2012812"),
        (lambda c: c.read_record_by_number(7, le=11), "00B207040B"),
        (lambda c: c.read_record_by_number(7, sfi=5, le=11), "00B2072C0B"),
        (lambda c: c.read_file_records(0, 0x40), "00B2010540"),
        (lambda c: c.read_file_records(6, 0x5B), "00B201355B"),
        (lambda c: c.read_binary(0x1234, 255), "00B01234FF"),
        (lambda c: c.read_binary(0x10, 255, sfi=8), "00B08810FF"),
        (lambda c: c.update_record_by_tag(5, b"\x05\x01\xaa", sfi=5), "00DC052803" + "0501AA"),
        (lambda c: c.update_record_by_number(2, b"\xeb\x01\xaa"), "00DC020403" + "EB01AA"),
        (lambda c: c.append_record(b"\xaa\xbb", sfi=0x17), "00DC00BB02AABB"),
        (lambda c: c.update_binary(0x100, b"\xaa"), "00D6010001AA"),
        (lambda c: c.update_binary(1, b"\xaa", sfi=7), "00D6870101AA"),
        (lambda c: c.internal_authenticate(bytes(16)), "0088000010" + "00" * 17),
        (lambda c: c.external_authenticate(0x0A, bytes(16)), "0082000A10" + "00" * 16),
        (lambda c: c.verify(Pin("123456")), "0020000003123456"),
        (lambda c: c.verify(None), "0020000000"),
        (lambda c: c.change_pin(Pin("123456"), Pin("12345")), "805E010007123456FF12345F"),
        (lambda c: c.change_pin(None, Pin("123456")), "805E010004FF123456"),
        (lambda c: c.change_pin(Pin("123456"), None), "805E010004123456FF"),
    ],
)
def test_the_bytes_of_every_command(call: Call, sent: str) -> None:
    card = Card()
    call(CardChannel(card))
    assert card.sent == [sent]


def test_get_challenge() -> None:
    channel = CardChannel(Card(_0084000008="01020304050607089000", _0084000004="010203049000"))
    assert channel.get_challenge() == bytes(range(1, 9))
    assert channel.get_challenge(4) == bytes(range(1, 5))


def test_a_short_challenge_is_no_challenge() -> None:
    with pytest.raises(MalformedApdu):
        CardChannel(Card(_0084="01029000")).get_challenge()


# What is selected


def test_nothing_selected_is_selected_again() -> None:
    card = Card(_00A404="6F009000")
    channel = CardChannel(card)
    for _ in range(3):
        assert channel.select_name(SSSE) == b"\x6f\x00"
        channel.select_fid(0xEF05)
        channel.read_file_records(0, 0x40)
    assert card.sent == [SELECT_SSSE, SELECT_EF05, *["00B2010540"] * 3]
    assert (channel.current_df, channel.current_ef) == (SSSE, 0xEF05)


def test_another_ef_in_the_same_df() -> None:
    card = Card()
    channel = CardChannel(card)
    channel.select_name(SSSE)
    for fid in (0xEF05, 0xEF06, 0xEF05):
        channel.select_fid(fid)
    channel.select_name(SSSE)
    assert card.sent == [SELECT_SSSE, SELECT_EF05, SELECT_EF06, SELECT_EF05]


def test_another_df_has_other_efs() -> None:
    card = Card()
    channel = CardChannel(card)
    channel.select_fid(0xDF03)
    channel.select_fid(0xEF05)
    channel.select_fid(0xDF04)
    assert channel.current_ef is None
    channel.select_fid(0xEF05)
    assert card.sent[-2:] == ["00A4000002DF0400", SELECT_EF05]


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.reset(),
        lambda c: c.forget(),
        lambda c: c.send(Command(0, 0xA4, 0, 0, b"\x3f\x00"), "SELECT by hand"),
    ],
)
def test_forgets_everything(call: Call) -> None:
    channel = CardChannel(Card())
    channel.select_name(SSSE)
    channel.select_fid(0xEF05)
    call(channel)
    assert (channel.current_df, channel.current_ef) == (None, None)


@pytest.mark.parametrize("error", [CardRemoved(), CardReset(), NoAnswer()])
def test_forgets_after_an_error_of_the_line(error: CardError) -> None:
    card = Card()
    channel = CardChannel(card)
    channel.select_name(SSSE)
    card.error = error
    with pytest.raises(type(error)):
        channel.read_record_by_tag(1)
    card.error = None
    channel.select_name(SSSE)
    assert card.sent == [SELECT_SSSE, SELECT_SSSE]


def test_forgets_after_a_failed_select() -> None:
    card = Card(_00A4000002DF09="6A82")
    channel = CardChannel(card)
    channel.select_name(SSSE)
    with pytest.raises(StatusError):
        channel.select_fid(0xDF09)
    assert channel.current_df is None


def test_remembers_after_a_refused_read() -> None:
    channel = CardChannel(Card(_00B2="6A83"))
    channel.select_name(SSSE)
    with pytest.raises(StatusError):
        channel.read_record_by_tag(0x99)
    assert channel.current_df == SSSE


@pytest.mark.parametrize(
    ("call", "known"),
    [
        (lambda c: c.read_record_by_tag(1, sfi=6), False),
        (lambda c: c.read_record_by_tag(1, sfi=5), True),
        (lambda c: c.read_record_by_tag(1), True),
        (lambda c: c.update_record_by_tag(1, b"\x01\x00", sfi=6), False),
        (lambda c: c.read_binary(0, sfi=8), False),
        (lambda c: c.read_binary(0), True),
        (lambda c: c.update_binary(0, b"\x01", sfi=8), False),
        (lambda c: c.get_challenge(8), True),
    ],
)
def test_a_short_identifier_may_change_the_ef(call: Call, known: bool) -> None:
    channel = CardChannel(Card(_0084="00000000000000009000"))
    channel.select_fid(0xEF05)
    call(channel)
    assert channel.current_ef == (0xEF05 if known else None)


@pytest.mark.parametrize("refusal", ["6A86", "6D00"])
def test_selects_an_ef_the_other_way(refusal: str) -> None:
    card = Card(_00A40200=refusal)
    channel = CardChannel(card)
    channel.select_name(SSSE)
    channel.select_fid(0xEF05)
    assert card.sent == [SELECT_SSSE, SELECT_EF05, "00A4000002EF05"]
    assert (channel.current_df, channel.current_ef) == (SSSE, 0xEF05)


def test_an_ef_that_is_not_there() -> None:
    card = Card(_00A402="6A82")
    with pytest.raises(StatusError, match="SELECT EF05: 6A82"):
        CardChannel(card).select_fid(0xEF05)
    assert len(card.sent) == 1


# Status words


@pytest.mark.parametrize("sw", ["6A81", "9303", "6283", "6F006283"])
@pytest.mark.parametrize("fid", [0xDF03, 0xEF05])
def test_locked_applications(sw: str, fid: int) -> None:
    with pytest.raises(ApplicationLocked):
        CardChannel(Card(_00A4=sw)).select_fid(fid)


def test_locked_while_reading() -> None:
    with pytest.raises(ApplicationLocked):
        CardChannel(Card(_00B2="9303")).read_record_by_tag(1)
    # Outside SELECT, 6A81 says only that the function is not there.
    with pytest.raises(StatusError, match="6A81"):
        CardChannel(Card(_00B2="6A81")).read_record_by_tag(1)


def test_call_takes_the_status_words_it_is_told() -> None:
    command = Command(0, 0xB0, 0, 0, le=4)
    channel = CardChannel(Card(_00B0="AABB6282"))
    assert channel.call(command, "READ BINARY", ok=(0x9000, 0x6282)) == b"\xaa\xbb"
    with pytest.raises(StatusError) as caught:
        channel.call(command, "READ BINARY")
    assert caught.value.sw == 0x6282
    assert channel.send(command, "READ BINARY").sw == 0x6282


@pytest.mark.parametrize("sw", ["6A82", "6A83", "6982", "6700", "6C10", "6F00"])
def test_other_status_words(sw: str) -> None:
    with pytest.raises(StatusError) as caught:
        CardChannel(stack(Card(_00B2=sw))).read_record_by_tag(9)
    assert caught.value.sw == int(sw, 16)


@pytest.mark.parametrize(
    ("sw", "error", "left"),
    [
        ("63C2", PinWrong, 2),
        ("63C1", PinWrong, 1),
        ("63C0", PinBlocked, None),
        ("6983", PinBlocked, None),
        ("6A88", StatusError, None),
    ],
)
@pytest.mark.parametrize(
    "call",
    [lambda c: c.verify(Pin("123456")), lambda c: c.change_pin(Pin("123456"), Pin("654321"))],
)
def test_pin_failures(sw: str, error: type[CardError], left: int | None, call: Call) -> None:
    with pytest.raises(error) as caught:
        call(CardChannel(Card(_0020=sw, _805E=sw)))
    assert getattr(caught.value, "tries_left", None) == left


@pytest.mark.parametrize(("sw", "left"), [("63C3", 3), ("63C0", 0), ("6983", 0), ("9000", None)])
def test_asking_for_tries(sw: str, left: int | None) -> None:
    assert CardChannel(Card(_0020000000=sw)).verify(None) == left


def test_asking_for_tries_of_no_pin() -> None:
    with pytest.raises(StatusError):
        CardChannel(Card(_0020000000="6A88")).verify(None)


def test_external_authentication_failed() -> None:
    with pytest.raises(StatusError) as caught:
        CardChannel(Card(_0082="63C2")).external_authenticate(4, bytes(16))
    assert caught.value.sw == 0x63C2


# Hostile cards


@pytest.mark.parametrize("answer", ["", "90"])
def test_an_answer_without_status_word(answer: str) -> None:
    channel = CardChannel(Card(_00B2=answer))
    channel.select_name(SSSE)
    with pytest.raises(MalformedApdu):
        channel.read_record_by_tag(1)
    assert channel.current_df is None


def test_an_answer_longer_than_asked_for() -> None:
    channel = CardChannel(Card(_00B2="AABBCC9000", _00B0="00" * 70_000 + "9000"))
    with pytest.raises(MalformedApdu):
        channel.read_record_by_tag(1, le=2)
    with pytest.raises(MalformedApdu):
        channel.read_binary()
    assert len(channel.read_record_by_tag(1, le=3)) == 3


@given(st.binary(max_size=40), st.sampled_from([0x40, 0x5B, 256]))
def test_any_answer_is_data_or_a_card_error(answer: bytes, le: int) -> None:
    channel = CardChannel(stack(Card(_00=answer.hex())))
    calls: list[Call] = [
        lambda c: c.select_name(SSSE),
        lambda c: c.select_fid(0xEF05),
        lambda c: c.read_file_records(5, le),
        lambda c: c.get_challenge(),
        lambda c: c.verify(None),
        lambda c: c.verify(Pin("123456")),
    ]
    for call in calls:
        try:
            call(channel)
        except CardError:
            continue


@pytest.mark.parametrize("call", [lambda c: c.read_binary(0x8000), lambda c: c.read_binary(-1)])
def test_offsets_out_of_range(call: Call) -> None:
    with pytest.raises(MalformedApdu):
        call(CardChannel(Card()))
    with pytest.raises(MalformedApdu):
        CardChannel(Card()).read_binary(256, sfi=8)


# Secrets


@pytest.mark.parametrize("answer", ["63C2", "63C0", "6983", "6A80", "6F00", "", "90"])
def test_no_pin_in_errors_or_logs(answer: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = str(135_790)  # so that no source line in a traceback shows it
    channel = CardChannel(stack(Card(_0020=answer, _805E=answer)))
    calls: list[Call] = [
        lambda c: c.verify(Pin(secret)),
        lambda c: c.change_pin(Pin(secret), Pin(secret)),
    ]
    for call in calls:
        with pytest.raises(CardError) as caught:
            call(channel)
        assert secret not in "".join(traceback.format_exception(caught.value))
    assert caplog.text
    assert secret not in caplog.text


def test_the_card_behind_the_channel() -> None:
    card = Card()
    channel = CardChannel(card)
    assert channel.connection is card
    assert channel.atr == b"\x3b\x00"
    assert channel.reset() == b"\x3b\x01"
