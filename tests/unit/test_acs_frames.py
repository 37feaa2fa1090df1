"""The ACS serial framing against the published examples, and the line's rules against a script.

The examples are those of the ACR122S and ACR122L manuals, whose checksums they leave out.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.readers.acs_frames import (
    Acknowledgement,
    Broken,
    Message,
    MessageType,
    Silence,
    checksum,
    frame,
    receive,
    repeat_request,
    status_frame,
)
from apdu.readers.serial import Address, SerialAddress, SerialLine, SerialReader
from apdu.readers.t0 import speaks_t0
from apdu.status import NoAnswer, NoCard, ReaderBusy, ReaderError, ReaderNotFound, UnsupportedCard

POWER_ON_BODY = bytes.fromhex("6200000000 00 01 010000")
ATR = bytes.fromhex("3B2A008065 24B000020082 9000")
ANSWER_BODY = bytes.fromhex("800D000000 00 01 000000") + ATR
HERE = Address("/dev/none")


def test_the_manuals_power_on() -> None:
    message = Message(MessageType.POWER_ON, 0, 1, b"\x01\x00\x00")
    assert frame(message) == b"\x02" + POWER_ON_BODY + b"\x62\x03"
    assert frame(message, 1) == b"\x12" + POWER_ON_BODY + b"\x62\x13"
    assert frame(message, 2) == b"\x22" + POWER_ON_BODY + b"\x62\x23"
    assert checksum(POWER_ON_BODY) == 0x62
    assert repeat_request().hex() == "02" + 11 * "00" + "03"


def reading(data: bytes) -> Callable[[int], bytes]:
    left = bytearray(data)

    def read(size: int) -> bytes:
        if len(left) < size:
            raise Silence
        taken = bytes(left[:size])
        del left[:size]
        return taken

    return read


def test_the_manuals_answer() -> None:
    line = reading(
        bytes.fromhex("02000003") + b"\x02" + ANSWER_BODY + bytes((checksum(ANSWER_BODY), 0x03))
    )
    assert receive(line) is Acknowledgement.TAKEN
    answer = receive(line)
    assert answer == Message(MessageType.DATA, 0, 1, b"\x00\x00\x00", ATR)
    with pytest.raises(Silence):
        receive(line)


@pytest.mark.parametrize("code", list(Acknowledgement))
def test_every_status_frame(code: Acknowledgement) -> None:
    assert receive(reading(b"noise\x03" + status_frame(code, 2)), 2) is code


@pytest.mark.parametrize(
    "end", [bytes((checksum(ANSWER_BODY) ^ 1, 0x03)), bytes((checksum(ANSWER_BODY), 0x04))]
)
def test_a_broken_answer_is_known(end: bytes) -> None:
    with pytest.raises(Broken):
        receive(reading(b"\x02" + ANSWER_BODY + end))


def test_an_endless_length_is_refused_at_once() -> None:
    with pytest.raises(Broken):
        receive(reading(b"\x02\x80" + b"\xff" * 9))


@given(st.binary(max_size=300), st.integers(0, 2))
def test_garbage_is_passed_over_or_refused(garbage: bytes, interface: int) -> None:
    try:
        received = receive(reading(garbage), interface)
    except (Broken, Silence):
        return
    assert isinstance(received, Message | Acknowledgement)


@given(
    st.builds(
        Message,
        st.sampled_from([MessageType.DATA, MessageType.SLOT_STATUS]),
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(min_size=3, max_size=3),
        st.binary(max_size=261),
    ),
    st.integers(0, 2),
)
def test_what_is_framed_is_received(message: Message, interface: int) -> None:
    assert receive(reading(frame(message, interface)), interface) == message


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/dev/ttyUSB0", Address("/dev/ttyUSB0")),
        ("COM3?baud=115200", Address("COM3", 115200)),
        ("/dev/ttyS1?slot=1", Address("/dev/ttyS1", slot=1)),
        ("/dev/ttyS1?slot=sam3&baud=9600", Address("/dev/ttyS1", interface=2)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "?slot=1", "x?slot=16", "x?slot=sam4", "x?baud=1", "x?baud=", "x?other=1", "x?slot="],
)
def test_what_is_no_address_says_how_one_looks(text: str) -> None:
    with pytest.raises(SerialAddress) as refused:
        Address.parse(text)
    assert refused.value.code == "READER_SERIAL_ADDRESS"


class ScriptedPort:
    """A port on which time passes only while nothing comes."""

    def __init__(self, answers: Callable[[bytes], bytes]) -> None:
        self.timeout: float | None = None
        self.now = 0.0
        self.sent: list[bytes] = []
        self.closed = False
        self._answers = answers
        self._coming = bytearray()

    def monotonic(self) -> float:
        return self.now

    def read(self, size: int = 1) -> bytes:
        taken = bytes(self._coming[:size])
        del self._coming[:size]
        if not taken:
            self.now += self.timeout or 0.0
        return taken

    def write(self, data: bytes, /) -> int:
        self.sent.append(data)
        self._coming += self._answers(data)
        return len(data)

    def close(self) -> None:
        self.closed = True


def scripted(answers: Callable[[bytes], bytes]) -> tuple[SerialReader, ScriptedPort]:
    port = ScriptedPort(answers)
    line = SerialLine(HERE, opener=lambda _: port, monotonic=port.monotonic)
    return SerialReader(HERE, line, monotonic=port.monotonic, pause=lambda _: None), port


def replying(question: bytes, status: int = 0, error: int = 0, data: bytes = ATR) -> bytes:
    kind = MessageType.DATA if question[1] in (0x62, 0x6F) else MessageType.SLOT_STATUS
    message = Message(kind, question[6], question[7], bytes((status, error, 0)), data)
    return status_frame(0) + frame(message)


def test_a_reader_that_never_answers_is_given_up_and_nothing_is_sent_twice() -> None:
    reader, port = scripted(lambda _: b"")
    with pytest.raises(NoAnswer):
        reader.connect()
    power_ons = [sent for sent in port.sent if sent[1] == MessageType.POWER_ON]
    assert len(power_ons) == 1
    assert repeat_request() in port.sent
    assert port.now < 60
    with pytest.raises(NoAnswer):
        reader.connect()  # the slot is free again


def test_a_reader_that_babbles_is_given_up() -> None:
    reader, port = scripted(lambda _: b"\x55" * 3000)
    with pytest.raises(NoAnswer):
        reader.connect()
    assert port.now < 60


def test_a_frame_that_the_reader_did_not_take_is_sent_again() -> None:
    refusals = [status_frame(0xFF), status_frame(0xFC)]
    reader, port = scripted(lambda sent: refusals.pop(0) if refusals else replying(sent))
    assert reader.connect().atr == ATR
    assert len(port.sent) == 3
    assert len(set(port.sent)) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(0xFF, NoAnswer), (0xFB, ReaderError), (0xFE, ReaderError)],
)
def test_a_reader_that_goes_on_refusing(status: int, error: type[Exception]) -> None:
    reader, port = scripted(lambda _: status_frame(status))
    with pytest.raises(error):
        reader.connect()
    assert len(port.sent) == (3 if status == 0xFF else 1)


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (0x42, 0xFE, NoCard),
        (0x41, 0xFE, NoAnswer),
        (0x41, 0xF6, UnsupportedCard),
        (0x41, 0xE0, ReaderBusy),
        (0x41, 0xFB, NoAnswer),
    ],
)
def test_what_the_reader_says_of_the_card(
    status: int, error: int, expected: type[Exception]
) -> None:
    reader, _ = scripted(lambda sent: replying(sent, status, error, b""))
    with pytest.raises(expected):
        reader.connect()


def test_a_card_that_asks_for_time_for_ever_is_given_up() -> None:
    waiting = frame(Message(MessageType.DATA, 0, 1, b"\x80\x01\x00"))
    reader, _ = scripted(lambda _: status_frame(0) + waiting * 100)
    with pytest.raises(NoAnswer):
        reader.connect()


def test_a_wait_ends_in_time_and_on_cancel() -> None:
    reader, port = scripted(lambda sent: replying(sent, 0x02, 0, b""))
    line = reader._line
    ends = SerialReader(
        HERE, line, monotonic=port.monotonic, pause=lambda s: setattr(port, "now", port.now + s)
    )
    assert ends.wait_for_card(timeout=1.0) is False
    assert port.now >= 1.0
    cancelled = SerialReader(
        HERE, line, monotonic=port.monotonic, pause=lambda _: cancelled.cancel()
    )
    assert cancelled.wait_for_card() is False


def test_a_device_that_is_not_there() -> None:
    reader = SerialReader(Address("/dev/ssct-no-such-device"))
    with pytest.raises(ReaderNotFound):
        reader.wait_for_card(timeout=1)
    with pytest.raises(ReaderNotFound):
        reader.connect()


@pytest.mark.parametrize(
    ("atr", "t0"),
    [
        ("3B6D000000814A444686605199000001AC", True),
        ("3B8D80010081544C9686845101C0666779E9", False),
        ("3B8101", False),
        ("3B8100", True),
        ("3B", True),
    ],
)
def test_which_cards_speak_t0(atr: str, t0: bool) -> None:
    assert speaks_t0(bytes.fromhex(atr)) is t0
