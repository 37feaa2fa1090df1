"""Command and response APDUs: the four cases, short and extended, and hostile bytes."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.command import Command, Response
from apdu.status import MalformedApdu

octet = st.integers(0, 0xFF)
commands = st.builds(
    Command,
    octet,
    octet,
    octet,
    octet,
    st.binary(max_size=300),
    st.none() | st.integers(1, 300) | st.sampled_from([256, 257, 65_535, 65_536]),
    st.booleans(),
)


@pytest.mark.parametrize(
    ("command", "raw", "case"),
    [
        (Command(0, 0x20, 0, 0), "00200000", 1),
        (Command(0, 0x84, 0, 0, le=8), "0084000008", 2),
        (Command(0, 0x84, 0, 0, le=256), "0084000000", 2),
        (Command(0, 0xA4, 2, 0, b"\xef\x05"), "00A4020002EF05", 3),
        (Command(0, 0xA4, 2, 0, b"\xef\x05", 256), "00A4020002EF0500", 4),
        (Command(0, 0xB0, 0, 0, le=257), "00B00000000101", 2),
        (Command(0, 0xB0, 0, 0, le=65_536), "00B00000000000", 2),
        (Command(0, 0xD6, 0, 0, b"\xaa", extended=True), "00D60000000001AA", 3),
        (Command(0, 0xD6, 0, 0, b"\xaa", 256, extended=True), "00D60000000001AA0100", 4),
    ],
)
def test_cases_of_iso_7816(command: Command, raw: str, case: int) -> None:
    assert bytes(command).hex().upper() == raw
    assert command.case == case
    assert Command.parse(bytes.fromhex(raw)).case == case


@pytest.mark.parametrize("size", [255, 256, 65_535])
def test_length_of_data_decides_the_form(size: int) -> None:
    command = Command(0, 0xD6, 0, 0, bytes(size))
    assert command.is_extended == (size > 255)
    assert len(bytes(command)) == 4 + (3 if size > 255 else 1) + size


@given(commands)
def test_what_is_written_is_read_again(command: Command) -> None:
    read = Command.parse(bytes(command))
    # A header alone has no form; with a body, the form survives.
    form = command.is_extended and command.case != 1
    assert read == dataclasses.replace(command, extended=form)


@given(st.binary(max_size=12) | st.binary(min_size=4, max_size=600))
def test_any_bytes_are_refused_or_read_without_loss(raw: bytes) -> None:
    try:
        command = Command.parse(raw)
    except MalformedApdu:
        return
    assert bytes(command) == raw


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "00A404",
        "00A4040002EF",  # Lc says more than there is
        "00A4040001EF0000",  # and less
        "00A404000000",  # half an extended Lc
        "00A40400000000EF",  # an extended Lc of zero
        "00A40400000002EF",
        "00A40400000001EF00",  # half an extended Le
    ],
)
def test_lengths_that_do_not_add_up(raw: str) -> None:
    with pytest.raises(MalformedApdu):
        Command.parse(bytes.fromhex(raw))


@pytest.mark.parametrize(
    "fields",
    [
        {"cla": 256},
        {"ins": -1},
        {"p1": 1000},
        {"p2": 256},
        {"data": bytes(65_536)},
        {"le": 0},
        {"le": 65_537},
    ],
)
def test_fields_out_of_range(fields: dict[str, int | bytes]) -> None:
    header: dict[str, int | bytes] = {"cla": 0, "ins": 0, "p1": 0, "p2": 0}
    with pytest.raises(MalformedApdu):
        Command(**(header | fields))  # type: ignore[arg-type]  # wrong on purpose


def test_repr_never_shows_data() -> None:
    verify = Command(0, 0x20, 0, 0, bytes.fromhex("123456"))
    assert repr(verify) == "Command(00200000, 3 bytes of data, le=None)"
    assert repr(Response("张三".encode("gbk"), 0x9000)) == "Response(4 bytes of data, sw=9000)"


@given(st.binary(max_size=300))
def test_response_round_trip(raw: bytes) -> None:
    if len(raw) < 2:
        with pytest.raises(MalformedApdu):
            Response.parse(raw)
    else:
        response = Response.parse(raw)
        assert bytes(response) == raw
        assert response.ok == (raw[-2:] == b"\x90\x00")
