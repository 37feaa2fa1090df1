"""PIN pads on a pseudo-terminal: PINs come as they were typed, and leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from random import Random

import pytest

from apdu.pin import Pin
from simulator.pin_pad import SimulatedEncryptingPad, SimulatedPad, SimulatedPlainPad
from terminal.devices.pin_pad import (
    EncryptingPad,
    PlainPad,
    decrypt,
    encrypt,
    frame,
    open_pin_pad,
    pin_of_block,
    unframe,
)
from terminal.errors import ConfigurationError, PinPadError
from terminal.settings import load_settings

KEY = bytes(range(16))


class Heard:
    """Keeps what the pad tells, in order."""

    def __init__(self) -> None:
        self.what: Queue[object] = Queue()

    def keys(self, count: int) -> None:
        self.what.put(count)

    def pin(self, pin: Pin) -> None:
        self.what.put(pin)

    def cancelled(self) -> None:
        self.what.put("cancelled")

    def failed(self, error: Exception) -> None:
        self.what.put(error)

    def next(self) -> object:
        return self.what.get(timeout=10)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(params=["plain", "encrypting"])
def pads(
    request: pytest.FixtureRequest, heard: Heard, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SimulatedPad, PlainPad | EncryptingPad]]:
    simulated: SimulatedPad
    random = Random(1).randbytes
    if request.param == "plain":
        simulated = SimulatedPlainPad()
    else:
        simulated = SimulatedEncryptingPad(KEY, random)
    key_file = tmp_path_factory.mktemp("keys") / "pad.key"
    key_file.write_text(KEY.hex())
    settings = load_settings(
        None,
        {
            "SSCT_PIN_PAD_KIND": request.param,
            "SSCT_PIN_PAD_DEVICE": simulated.device,
            "SSCT_PIN_PAD_KEY_FILE": str(key_file),
            "SSCT_PIN_PAD_ONE_HOUSING": "true",
        },
    )
    pad = open_pin_pad(settings.pin_pad, heard, random)
    assert pad is not None
    yield simulated, pad
    pad.stop()
    simulated.close()


Pads = tuple[SimulatedPad, PlainPad | EncryptingPad]


def pin_heard(heard: Heard) -> Pin:
    while not isinstance(told := heard.next(), Pin):
        assert isinstance(told, int)
    return told


def test_a_pin_comes_as_it_was_typed(pads: Pads, heard: Heard) -> None:
    simulated, pad = pads
    pad.ask(4, 12)
    for key in ("2", "4", "9", "erase", "6", "8", "1", "0"):
        simulated.press(key)
    simulated.press("enter")
    with pin_heard(heard) as pin:
        assert pin.matches(Pin("246810"))


def test_a_second_pin_is_asked_on_the_same_line(pads: Pads, heard: Heard) -> None:
    simulated, pad = pads
    for digits in ("123456", "864209"):
        pad.ask(4, 12)
        simulated.type(digits)
        with pin_heard(heard) as pin:
            assert pin.matches(Pin(digits))
        pad.stop()


def test_cancel_on_the_pad_is_heard(pads: Pads, heard: Heard) -> None:
    simulated, pad = pads
    pad.ask(4, 12)
    simulated.press("cancel")
    assert heard.next() == "cancelled"


def test_stopping_ends_the_thread_and_nothing_is_heard_any_more(pads: Pads, heard: Heard) -> None:
    simulated, pad = pads
    simulated.silent = True
    pad.ask(4, 12)
    thread = pad._thread
    pad.stop()
    assert thread is not None
    assert not thread.is_alive()
    assert heard.what.empty()


def test_a_pad_that_is_not_there_is_an_error(heard: Heard) -> None:
    settings = load_settings(
        None,
        {
            "SSCT_PIN_PAD_KIND": "plain",
            "SSCT_PIN_PAD_DEVICE": "/dev/no-such-line",
            "SSCT_PIN_PAD_ONE_HOUSING": "true",
        },
    )
    pad = open_pin_pad(settings.pin_pad, heard, Random(1).randbytes)
    assert pad is not None
    with pytest.raises(PinPadError):
        pad.ask(4, 12)


def test_a_plain_pad_needs_one_housing() -> None:
    with pytest.raises(ConfigurationError, match="one_housing"):
        load_settings(None, {"SSCT_PIN_PAD_KIND": "plain"})


def test_the_framing_is_the_documented_one() -> None:
    # 02, then 44 00 0003 04 0C 3C and their XOR, nibble by nibble in ASCII, then 03.
    assert frame(0x44, 0, bytes((4, 12, 60))) == b"\x024400" + b"0003" + b"040C3C" + b"73" + b"\x03"
    assert unframe(b"44000003040C3C73") == (0x44, 0, bytes((4, 12, 60)))


@pytest.mark.parametrize("damaged", [b"", b"44", b"zz", b"44000003040C3C74", b"44000004040C3C74"])
def test_a_damaged_frame_is_refused(damaged: bytes) -> None:
    with pytest.raises(PinPadError):
        unframe(damaged)


@pytest.mark.parametrize(
    "block", ["0612345FFFFFFFFF", "13123FFFFFFFFFFF", "1F12345678901234", "16ABCDEF00000000", "16"]
)
def test_only_a_format_1_block_with_a_pin_is_taken(block: str) -> None:
    with pytest.raises(PinPadError):
        pin_of_block(bytes.fromhex(block))


def test_3des_is_the_published_one() -> None:
    # With both halves alike 3DES is DES; the block is the classic worked example of DES.
    half = bytes.fromhex("133457799BBCDFF1")
    cipher = encrypt(half + half, bytes.fromhex("0123456789ABCDEF"))
    assert cipher.hex().upper() == "85E813540F0AB405"
    assert decrypt(half + half, cipher) == bytes.fromhex("0123456789ABCDEF")
    with pytest.raises(PinPadError):
        decrypt(half + half, b"123")
