"""The replay reader: in order to the byte, or looked up."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.channel import CardChannel
from apdu.connection import Connection, Reader
from apdu.layers import stack
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.readers.replay import ReplayConnection, ReplayReader
from apdu.status import CardError, CardRemoved, NoAnswer, PinWrong, ReaderError, StatusError
from apdu.tlv import Tlv, parse_record, parse_records
from apdu.trace import Exchange, Trace, parse_trace

TRACES = Path(__file__).parents[1] / "conformance" / "traces"
SSSE = b"sx1.sh." + "社会保障".encode("gbk")

SESSION = """\
ATR 3B00
> 00A40200 02 EF05
< 9000
# the first challenge
> 00840000 02
< AAAA 9000
> 00840000 02
< BBBB 9000
> 00200000 03 ......
< 63C2
reset
ATR 3B01
> 00B20105 03
< 010203 9000
> 00B20135 02
! CARD_REMOVED
"""


def connect(text: str = SESSION, *, ordered: bool = True) -> ReplayConnection:
    return ReplayReader(parse_trace(text), ordered=ordered).connect()


def send(connection: Connection, command: str) -> str:
    return connection.transmit(bytes.fromhex(command)).hex().upper()


def test_is_a_reader() -> None:
    reader: Reader = ReplayReader(parse_trace(SESSION))
    assert reader.name == "replay"
    assert reader.wait_for_card(0)
    assert reader.wait_for_removal(0)
    assert reader.connect().atr == b"\x3b\x00"


def test_needs_an_atr() -> None:
    for trace in (Trace(), parse_trace("# nothing\n")):
        with pytest.raises(NoAnswer):
            ReplayReader(trace)


# In order


def test_in_order() -> None:
    card = connect()
    assert send(card, "00A4020002EF05") == "9000"
    assert send(card, "0084000002") == "AAAA9000"
    assert send(card, "0084000002") == "BBBB9000"
    with pytest.raises(PinWrong):
        CardChannel(card).verify(Pin("999999"))
    assert card.reset() == b"\x3b\x01" == card.atr
    assert send(card, "00B2010503") == "0102039000"
    with pytest.raises(CardRemoved):
        send(card, "00B2013502")
    assert card.remaining == 0
    with pytest.raises(NoAnswer, match="its end"):
        send(card, "0084000002")


def test_another_command_is_no_answer() -> None:
    card = connect()
    with pytest.raises(NoAnswer, match=r"00A40200 \(7 bytes\), not 00A40000 \(7 bytes\)"):
        send(card, "00A4000002EF05")
    with pytest.raises(NoAnswer, match="not reset"):
        card.reset()
    # What does not match is not used up.
    assert send(card, "00A4020002EF05") == "9000"


def test_a_reset_must_come_where_it_was() -> None:
    card = connect("ATR 3B00\nreset\nreset\nATR 3B01\n")
    with pytest.raises(NoAnswer, match="reset, not 00840000"):
        send(card, "0084000002")
    assert card.reset() == b"\x3b\x00"
    assert card.reset() == b"\x3b\x01"


def test_every_connection_starts_anew() -> None:
    reader = ReplayReader(parse_trace(SESSION))
    for _ in range(2):
        assert send(reader.connect(), "00A4020002EF05") == "9000"


@pytest.mark.parametrize("ordered", [True, False])
def test_closed(ordered: bool) -> None:
    card = connect(ordered=ordered)
    card.close()
    card.close()
    with pytest.raises(ReaderError):
        send(card, "00A4020002EF05")
    with pytest.raises(ReaderError):
        card.reset()


def test_no_pin_in_errors() -> None:
    with pytest.raises(NoAnswer) as caught:
        connect().transmit(bytes.fromhex("0020000003135790"))
    assert "135790" not in str(caught.value)


# Looked up


def test_looked_up_wherever_it_occurs_next() -> None:
    card = connect(ordered=False)
    assert send(card, "00B2010503") == "0102039000"
    assert send(card, "0084000002") == "AAAA9000"
    assert send(card, "0084000002") == "BBBB9000"
    assert send(card, "0084000002") == "AAAA9000"  # from the start again
    assert send(card, "0020000003654321") == "63C2"
    with pytest.raises(CardRemoved):
        send(card, "00B2013502")


def test_what_does_not_occur_is_not_known() -> None:
    card = connect(ordered=False)
    assert send(card, "00B2012D40") == "6D00"
    assert send(card, "") == "6D00"
    assert send(card, "0084000002") == "AAAA9000"  # a miss changes nothing


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("00B2010500", "0102039000"),  # as many as there are
        ("00B20105FF", "0102039000"),
        ("00B20105", "0102039000"),
        ("00B2010502", "6C03"),
        ("00B20105000100", "0102039000"),  # extended
        ("00A4020002EF0500", "9000"),  # Le behind the data
    ],
)
def test_another_le_will_do(command: str, answer: str) -> None:
    assert send(connect(ordered=False), command) == answer


def test_the_exact_command_comes_first() -> None:
    text = "ATR 3B\n> 00B20105 01\n< AA 9000\n> 00B20105 02\n< BBBB 9000\n"
    card = connect(text, ordered=False)
    assert send(card, "00B2010502") == "BBBB9000"
    assert send(card, "00B2010502") == "BBBB9000"
    assert send(card, "00B2010500") == "AA9000"


def test_lookup_after_a_reset() -> None:
    card = connect(ordered=False)
    assert card.reset() == b"\x3b\x01"
    assert card.reset() == b"\x3b\x01"
    card = connect("ATR 3B05\n> 00840000 01\n< AA 9000\n", ordered=False)
    assert card.reset() == b"\x3b\x05"
    assert send(card, "0084000001") == "AA9000"


@given(st.lists(st.binary(max_size=9), max_size=5), st.booleans())
def test_any_bytes_get_an_answer_or_a_card_error(commands: list[bytes], ordered: bool) -> None:
    card = connect(ordered=ordered)
    for command in commands:
        try:
            assert len(card.transmit(command)) >= 2
        except CardError:
            continue


# The recorded cards


@pytest.mark.parametrize("name", ["t1", "t3"])
def test_recorded_cards_replay_to_the_byte(name: str) -> None:
    trace = parse_trace((TRACES / f"{name}.trace").read_text("utf-8"))
    card = ReplayReader(trace).connect()
    for event in trace.events:
        if isinstance(event, Exchange):
            # A byte that was left out matches any.
            assert card.transmit(event.command.value) == event.answer
    assert card.remaining == 0


def test_a_card_that_was_read_whole(caplog: pytest.LogCaptureFixture) -> None:
    """Read the files of T3 in our own way: nothing selected twice, P1 00 where 02 is unknown."""
    caplog.set_level(logging.DEBUG)
    trace = parse_trace((TRACES / "t3.trace").read_text("utf-8"))
    channel = CardChannel(stack(ReplayReader(trace, ordered=False).connect()))
    fci = Tlv.parse(channel.select_name(SSSE))
    assert fci.find(0x84) == Tlv(0x84, SSSE)
    with pytest.raises(StatusError, match="6D00"):
        channel.read_file_records(5, 0x40)
    channel.select_fid(0xEF05)
    records = parse_records(channel.read_file_records(0, 0x40))
    assert [record.tag for record in records] == [1, 2, 3, 4, 5, 6, 7]
    assert records[-1].value == b"A21472424"
    channel.select_fid(0xEF06)
    records = parse_records(channel.read_file_records(0, 0x5B))
    assert records[0].value == b"111111198101011110"
    assert records[1].value.rstrip(b"\0").decode("gbk") == "张三"
    assert "111111" not in caplog.text


def test_a_card_that_was_read_by_tag() -> None:
    trace = parse_trace((TRACES / "t1.trace").read_text("utf-8"))
    channel = CardChannel(stack(ReplayReader(trace, ordered=False).connect()))
    channel.select_name(SSSE)
    channel.select_fid(0xEF05)
    assert parse_record(channel.read_record_by_tag(3)).value == b"3.00"
    assert parse_record(channel.read_record_by_tag(7)).value == b"HA1046924"
    factor, original = bytes.fromhex("32D9E876ADB31BBF"), bytes.fromhex("DBF7A936D0D18C9E")
    assert channel.get_challenge() == original
    assert channel.get_challenge() == factor
    cryptogram = channel.internal_authenticate(factor + original)
    assert cryptogram == bytes.fromhex("F4A0CF965BDCEA30")


def test_what_a_session_recorded_replays_as_that_session() -> None:
    class Chip:
        def power_on(self) -> bytes:
            return b"\x3b\x00"

        def power_off(self) -> None: ...

        def transmit(self, command: bytes) -> bytes:
            return {0x84: b"\xaa" * 8 + b"\x90\x00", 0x20: b"\x63\xc2"}[command[1]]

    def session(connection: Connection, pin: str) -> bytes:
        channel = CardChannel(connection)
        challenge = channel.get_challenge()
        with pytest.raises(PinWrong):
            channel.verify(Pin(pin))
        channel.reset()
        return challenge + channel.get_challenge()

    trace = Trace()
    first = session(stack(InProcessReader("panel", Chip()).connect(), trace=trace), "135790")
    assert "135790" not in str(trace)
    replayed = ReplayReader(parse_trace(str(trace))).connect()
    assert session(stack(replayed), "975310") == first
    assert replayed.remaining == 0
