"""ATR, SELECT and the FCI of the simulated card (facts 1.1, 1.3, 2)."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from apdu.crypto import Algorithm
from apdu.status import CardRemoved
from apdu.tlv import Tlv
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import BUILT_IN, load_profile

SSSE = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
SELECT_SSSE = b"\x00\xa4\x04\x00\x0f" + SSSE


def make(
    name: str = "adult-3.0",
    protocol: Protocol = "T1",
    **card: Any,  # noqa: ANN401  # any field of the card
) -> SimulatedCard:
    profile = load_profile(name)
    profile = replace(profile, card=replace(profile.card, **card))
    made = SimulatedCard(profile, random=Random(1).randbytes, protocol=protocol)
    made.power_on()
    return made


def send(card: SimulatedCard, command: str) -> str:
    return card.transmit(bytes.fromhex(command)).hex().upper()


@pytest.mark.parametrize("name", BUILT_IN)
def test_contact_atr_is_four_bytes_and_the_historical_ones(name: str) -> None:
    profile = load_profile(name)
    card = SimulatedCard(profile, random=Random(1).randbytes, protocol="T0")
    assert card.power_on() == bytes.fromhex("3B6D0000") + profile.card.historical


def test_contactless_atr_has_the_check_character_of_the_published_example() -> None:
    card = make(protocol="TCL", historical=bytes.fromhex("0081544C9686845101C0666779"))
    assert card.power_on().hex().upper() == "3B8D80010081544C9686845101C0666779E9"


def test_the_profile_decides_the_interface_unless_told_otherwise() -> None:
    for name, protocol in (("adult-3.0", "T0"), ("contactless-3.0", "TCL")):
        assert SimulatedCard(load_profile(name), random=Random(1).randbytes).protocol == protocol


@pytest.mark.parametrize(
    ("name", "card", "fci"),
    [
        ("adult-2.0", {}, "6F1C840F{}A50988011E9F0C03860101"),
        ("adult-2.0", {"algorithm": Algorithm.SSF33}, "6F1C840F{}A50988011E9F0C03860102"),
        ("adult-3.0", {}, "6F1C840F{}A50988011E9F0C03860103"),
        ("adult-1.0", {}, "6F16840F{}A50388011E"),
    ],
)
def test_fci_of_ssse_by_generation(name: str, card: dict[str, Any], fci: str) -> None:
    answer = make(name, **card).transmit(SELECT_SSSE)
    assert answer.hex().upper() == fci.format(SSSE.hex().upper()) + "9000"
    Tlv.parse(answer[:-2])


@pytest.mark.parametrize("p1", ["00", "02"])
def test_a_file_is_selected_by_both_forms_and_answers_nothing(p1: str) -> None:
    card = make()
    card.transmit(SELECT_SSSE)
    assert send(card, f"00A4{p1}0002EF05") == "9000"
    assert send(card, "00B2070400").startswith("0709413939")


def test_directories_by_identifier_and_by_aid() -> None:
    card = make()
    card.transmit(SELECT_SSSE)
    assert send(card, "00A4000002DF04") == "6F088406D156000005039000"
    assert send(card, "00A4040006D15600000502") == "6F088406D156000005029000"
    assert send(card, "00A4000002DF01") == "6F088406D156000005009000"  # a sibling
    card.transmit(SELECT_SSSE)
    assert send(card, "00A4010002DF03") == "6F088406D156000005029000"  # a child
    assert send(card, "00A4010002DF04") == "6A82"  # not a child of DF03


def test_directories_with_a_label_in_place_of_an_aid() -> None:
    card = make()
    label = "生命与健康信息区".encode("gbk")
    answer = card.transmit(b"\x00\xa4\x04\x00\x10" + label)
    assert answer == b"\x6f\x12\x84\x10" + label + b"\x90\x00"


def test_files_belong_to_their_directory() -> None:
    card = make()
    card.transmit(SELECT_SSSE)
    send(card, "00A4000002DF04")
    assert send(card, "00A4020002EF08") == "9000"
    assert send(card, "00A4020002EF09") == "6A82"


@pytest.mark.parametrize("command", ["00A40000023F00", "00A40000"])
def test_the_master_file_is_ssse_where_there_is_no_bank(command: str) -> None:
    card = make("adult-2.0")
    assert send(card, command) == card.transmit(SELECT_SSSE).hex().upper()


def test_the_master_file_is_the_banks_where_there_is_one() -> None:
    card = make("adult-3.0")
    assert send(card, "00A40000023F00") == "6F10840E315041592E5359532E44444630319000"
    assert send(card, "00A4000002DDF1") == card.transmit(SELECT_SSSE).hex().upper()


def test_the_bank_application_tells_its_card_number_and_knows_none_of_our_commands() -> None:
    card = make("adult-3.0")
    assert send(card, "00A4040008A000000333010101").endswith("9000")
    assert send(card, "00B2011400") == "700C5A0A6299990100000000017F9000"
    assert send(card, "0020000003246810") == "6D00"
    assert send(card, "00880000100011223344556677001122334455667700") == "6D00"
    assert card.transmit(SELECT_SSSE)[-2:] == b"\x90\x00"
    assert send(card, "0020000003246810") == "9000"


def test_after_reset_a_card_without_bank_accepts_ef05_directly() -> None:
    assert send(make("adult-2.0"), "00A4020002EF05") == "9000"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00A4040006D15600000599", "6A82"),
        ("00A4040001AA", "6A82"),
        ("00A4040000", "6A82"),
        ("00A4000002EFFF", "6A82"),
        ("00A4020002DF01", "6A82"),
        ("00A4020002EFFF", "6A82"),
        ("00A4010002EF05", "6A82"),
        ("00A4030002EF05", "6A86"),
        ("00A4000102EF05", "6A86"),
        ("00A4000001EF", "6700"),
        ("00A4000003EF0500", "6700"),
    ],
)
def test_refused_selections(command: str, sw: str) -> None:
    card = make("adult-2.0")
    card.transmit(SELECT_SSSE)
    assert send(card, command) == sw


def test_a_failed_selection_leaves_the_current_file() -> None:
    card = make()
    card.transmit(SELECT_SSSE)
    send(card, "00A4020002EF05")
    assert send(card, "00A4020002EFFF") == "6A82"
    assert send(card, "00B2030400").startswith("0304")


def test_selecting_a_directory_leaves_no_file_current() -> None:
    card = make()
    card.transmit(SELECT_SSSE)
    send(card, "00A4020002EF05")
    card.transmit(SELECT_SSSE)
    assert send(card, "00B2030400") == "6986"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("80A4000000", "6E00"),
        ("FFA4000000", "6E00"),
        ("00FF000000", "6D00"),
        ("FFFF000000", "6E00"),
        ("80B2010000", "6E00"),
        ("0400000000", "6D00"),
    ],
)
def test_unknown_classes_and_instructions(command: str, sw: str) -> None:
    assert send(make(), command) == sw


@pytest.mark.parametrize("command", ["", "00", "00A404", "00A4040005AA", "00A404000FAA" * 3])
@pytest.mark.parametrize("protocol", ["T0", "T1", "TCL"])
def test_bytes_that_are_no_command_get_6700(command: str, protocol: Protocol) -> None:
    assert send(make(protocol=protocol), command) == "6700"


def test_a_card_without_power_does_not_answer() -> None:
    card = SimulatedCard(load_profile("adult-3.0"), random=Random(1).randbytes)
    with pytest.raises(CardRemoved):
        card.transmit(SELECT_SSSE)
    card.power_on()
    card.power_off()
    with pytest.raises(CardRemoved):
        card.transmit(SELECT_SSSE)
