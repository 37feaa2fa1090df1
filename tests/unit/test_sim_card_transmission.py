"""How answers travel: 61xx, GET RESPONSE, 6Cxx over T=0, whole APDUs else (facts 2, 3.9)."""

from random import Random

import pytest

from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import load_profile

SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
AUTHENTICATE = "0088000010" + "11" * 16


def make(protocol: Protocol, name: str = "adult-2.0") -> SimulatedCard:
    card = SimulatedCard(load_profile(name), random=Random(1).randbytes, protocol=protocol)
    card.power_on()
    return card


def send(card: SimulatedCard, command: str) -> str:
    return card.transmit(bytes.fromhex(command)).hex().upper()


@pytest.mark.parametrize(("name", "length"), [("adult-2.0", "1E"), ("adult-1.0", "18")])
def test_t0_announces_the_answer_to_a_command_with_data(name: str, length: str) -> None:
    card = make("T0", name)
    assert send(card, SELECT_SSSE) == "61" + length
    assert send(card, "00C00000" + length).startswith("6F")
    assert send(card, "00C00000" + length) == "6F00"


@pytest.mark.parametrize("command", [AUTHENTICATE, AUTHENTICATE + "00", AUTHENTICATE + "08"])
def test_t0_drops_an_le_behind_data(command: str) -> None:
    card = make("T0")
    send(card, SELECT_SSSE)
    assert send(card, command) == "6108"
    assert len(send(card, "00C0000008")) == 20


def test_t0_get_response_in_pieces_and_with_a_wrong_length() -> None:
    card = make("T0")
    send(card, SELECT_SSSE)
    assert send(card, "00C0000000") == "6C1E"
    assert send(card, "00C00000FF") == "6C1E"
    assert send(card, "00C0000001AA") == "6700"
    first = send(card, "00C0000010")
    assert first.endswith("610E")
    rest = send(card, "00C000000E")
    assert rest.endswith("9000")
    assert (first[:-4] + rest[:-4]).startswith("6F1C840F")


def test_t0_any_other_command_discards_what_waits() -> None:
    card = make("T0")
    send(card, SELECT_SSSE)
    send(card, "0084000008")
    assert send(card, "00C000001E") == "6F00"


@pytest.mark.parametrize("command", ["00B2012D00", "00B2012DFF", "00B2012D41", "00B2012D"])
def test_t0_names_the_true_length(command: str) -> None:
    card = make("T0")
    send(card, SELECT_SSSE)
    assert send(card, command) == "6C40"
    assert len(send(card, "00B2012D40")) == 2 * 0x42


def test_t0_has_no_extended_length() -> None:
    assert send(make("T0"), "00A40400000F7378312E73682EC9E7BBE1B1A3D5CF") == "6700"


@pytest.mark.parametrize("protocol", ["T1", "TCL"])
def test_whole_apdus_answer_at_once(protocol: Protocol) -> None:
    card = make(protocol)
    for command in (SELECT_SSSE, SELECT_SSSE + "00"):
        assert send(card, command).startswith("6F1C840F")
    assert len(send(card, "00B2012D00")) == 2 * 0x42
    assert len(send(card, AUTHENTICATE + "00")) == 20
    assert send(card, "00C0000008") == "6D00"


@pytest.mark.parametrize("protocol", ["T1", "TCL"])
def test_whole_apdus_name_the_true_length_of_a_record(protocol: Protocol) -> None:
    card = make(protocol)
    send(card, SELECT_SSSE)
    assert send(card, "00B2012D41") == "6C40"
    assert send(card, "00B2012D") == "6700"


def test_extended_length_reads_a_file_beyond_256_bytes_in_one_answer() -> None:
    card = make("TCL")
    send(card, SELECT_SSSE)
    send(card, "0020000003135790")
    send(card, "00A4000002DF02")
    assert len(send(card, "00B2012D000000")) == 2 * (436 + 2)
    assert len(send(card, "00B2012D000120")) == 2 * (288 + 2)
    assert len(send(card, "00B2012D00")) == 2 * (256 + 2)


@pytest.mark.parametrize("protocol", ["T0", "T1", "TCL"])
@pytest.mark.parametrize("length", [1, 3, 0x3F])
def test_a_shorter_le_reads_a_leading_part(protocol: Protocol, length: int) -> None:
    card = make(protocol)
    send(card, SELECT_SSSE)
    whole = send(card, "00B2012D40")
    assert send(card, f"00B2012D{length:02X}") == whole[: 2 * length] + "9000"
