"""The PIN: how it is packed, that it shows nothing, and that it can be wiped."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.pin import Pin
from apdu.status import PinFormat


@pytest.mark.parametrize(
    ("digits", "packed"),
    [
        ("123456", "123456"),  # facts 5: the everyday default
        ("12345", "12345F"),
        ("0000", "0000"),
        ("1234567890123456", "1234567890123456"),
        (b"888888", "888888"),
        (bytearray(b"9990100"), "9990100F"),
    ],
)
def test_packed(digits: str | bytes | bytearray, packed: str) -> None:
    assert Pin(digits).packed() == bytes.fromhex(packed)
    assert Pin.from_digits(digits).packed() == bytes.fromhex(packed)


@given(st.text("0123456789", min_size=4, max_size=16))
def test_packing_keeps_every_digit(digits: str) -> None:
    packed = Pin(digits).packed()
    assert 2 <= len(packed) <= 8
    assert packed.hex().removesuffix("f") == digits


@pytest.mark.parametrize(
    "digits",
    ["", "123", "12345678901234567", "12a456", " 1234", "１２３４", "¹²³⁴", "12\n456", "-1234"],
)
def test_not_a_pin(digits: str) -> None:
    with pytest.raises(PinFormat) as caught:
        Pin(digits)
    # Nothing of it is in the error, nor in an error behind it.
    report = "".join(traceback.format_exception_only(caught.value))
    assert len(digits) < 4 or digits not in report
    assert caught.value.__context__ is None


def test_shows_nothing() -> None:
    pin = Pin("135790")
    for text in (repr(pin), str(pin), f"{pin}", f"{[pin]}"):
        assert "135790" not in text
    assert pin.length == 6


def test_matches() -> None:
    assert Pin("123456").matches(Pin(b"123456"))
    assert not Pin("123456").matches(Pin("123457"))
    assert not Pin("123456").matches(Pin("1234567"))


def test_wiped_pin_is_gone() -> None:
    pin = Pin("123456")
    buffer = pin._digits
    pin.wipe()
    pin.wipe()
    assert not buffer
    assert pin.length == 0
    assert not pin.matches(pin)
    with pytest.raises(PinFormat):
        pin.packed()


def test_wiping_overwrites_in_place() -> None:
    digits: list[bytes] = []

    class Watched(bytearray):
        def clear(self) -> None:
            digits.append(bytes(self))
            super().clear()

    pin = Pin("123456")
    pin._digits = Watched(pin._digits)
    pin.wipe()
    assert digits == [bytes(6)]


def test_with_block_wipes_even_after_an_error() -> None:
    pin = Pin("123456")

    def use() -> None:
        with pin:
            assert pin.packed()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        use()
    assert pin.length == 0


def test_source_buffer_stays_the_callers() -> None:
    typed = bytearray(b"123456")
    pin = Pin(typed)
    typed[:] = bytes(6)
    assert pin.packed() == bytes.fromhex("123456")


def test_never_copied() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Pin("123456"))
    with pytest.raises(TypeError):
        copy.copy(Pin("123456"))
