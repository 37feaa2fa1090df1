"""The simulated PSAM by its bytes: status words, states, counters that survive a torn write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto import Algorithm
from apdu.psam_channel import ENVIRONMENTS
from apdu.status import CardRemoved, StatusWord
from simulator.psam import PsamProfile, SimulatedPsam

PROFILE = PsamProfile()
APPLICATION = "00A4040006D15600000590"
SM4_ENVIRONMENT = "00A404000F" + ENVIRONMENTS[Algorithm.SM4].hex()
L3, L2, L1 = "868499010000007B", "3939303130307378", "3939303030307368"
FACTOR = "1122334455667788"
DELIVER_IRK = "BFDE670820" + L3 + L2 + L1 + FACTOR
DELIVER_UK = "BFDE481218" + L3 + L2 + FACTOR
PURCHASE = (
    "8070010034 C0FFEE01 0007 00000000 00003039 00002710 32 20260102030405 01 01" + L3 + L2 + L1
).replace(" ", "")
PUBLISHED_LEVEL = PURCHASE.replace("8070010034", "8070010024").removesuffix(L2 + L1)


def make(profile: PsamProfile = PROFILE) -> SimulatedPsam:
    psam = SimulatedPsam(profile, random=Random(3).randbytes)
    psam.power_on()
    return psam


def send(psam: SimulatedPsam, *commands: str) -> str:
    """The answer to the last of these commands, its data fetched."""
    answer = b""
    for command in commands:
        answer = psam.transmit(bytes.fromhex(command))
        if answer[-2] == 0x61:
            answer = psam.transmit(b"\x00\xc0\x00\x00" + answer[-1:])
    return answer.hex().upper()


@pytest.fixture
def psam() -> SimulatedPsam:
    card = make()
    send(card, APPLICATION)
    return card


def test_answer_to_reset_has_the_form_of_a_psam() -> None:
    assert make().power_on().hex().upper().startswith("3B6D000000")


def test_without_power_it_is_silent(psam: SimulatedPsam) -> None:
    psam.power_off()
    with pytest.raises(CardRemoved):
        send(psam, "0084000008")


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        pytest.param(["00A4040006D15600000590"], "6F088406D156000005909000", id="by name"),
        pytest.param(["00A40000023F00", "00A4000002DF01"], "6F088406D156000005909000", id="by id"),
        pytest.param([SM4_ENVIRONMENT, "00A4000002DF01"], "6F088406D156000005909000", id="SM4"),
        pytest.param(["00A40000023F00", "00A40000020016"], "9000", id="a file"),
        pytest.param(["00A4000000"], "6C13", id="the master file, length unknown"),
        pytest.param(
            ["00A4000013"], "6F11840F7378312E73682EC9E7BBE1B1A3D5CF9000", id="the master file"
        ),
        pytest.param(["00A4040006D15600000599"], "6A82", id="unknown name"),
        pytest.param(["00A4000002DF77"], "6A82", id="unknown identifier"),
        pytest.param(["00A4000001DF"], "6700", id="half an identifier"),
        pytest.param(["00A4050006D15600000590"], "6A86", id="P1"),
        pytest.param(["00A4000402DF01"], "6A86", id="P2"),
        pytest.param(["00A4000000", "00B0960006"], "9901000000019000", id="terminal number"),
        pytest.param(["00A4000000", "00B0960206"], "6C04", id="6Cxx"),
        pytest.param(["00A4000000", "00B0960600"], "6B00", id="offset"),
        pytest.param(["00A4000000", "00B09F0006"], "6A82", id="no such file"),
        pytest.param(["00A4000000", "00B0000006"], "6986", id="no current file"),
        pytest.param(["00A4000000", "00B096000101"], "6700", id="data"),
        pytest.param([APPLICATION, "00B0990004"], "000000019000", id="counter"),
        pytest.param([APPLICATION, "00B09A000A"], "01012020010120401231" + "9000", id="validity"),
        pytest.param(["0084000007"], "6700", id="challenge length"),
        pytest.param(["0084010008"], "6A86", id="challenge P1"),
        pytest.param(["00C0000008"], "6F00", id="nothing to fetch"),
        pytest.param(["00C000000101"], "6700", id="GET RESPONSE with data"),
        pytest.param(["00A4"], "6700", id="no command"),
        pytest.param(["0020000003123456"], "6D00", id="unknown instruction"),
        pytest.param(["00FA000008" + FACTOR], "6E00", id="wrong class"),
        pytest.param(["7084000008"], "6E00", id="unknown class"),
    ],
)
def test_files_and_forms(commands: list[str], answer: str) -> None:
    assert send(make(), *commands) == answer


def test_get_response_by_parts_and_with_a_wrong_length() -> None:
    card = make()
    assert card.transmit(bytes.fromhex(APPLICATION)).hex() == "610a"
    assert card.transmit(bytes.fromhex("00C000000B")).hex() == "6c0a"
    assert card.transmit(bytes.fromhex("00C0000004")).hex() == "6f0884066106"
    assert card.transmit(bytes.fromhex("00C0000006")).hex() == "d156000005909000"
    assert card.transmit(bytes.fromhex("00C0000006")).hex() == "6f00"


# Session keys and CIPHER DATA


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        pytest.param(DELIVER_IRK, "9000", id="right"),
        pytest.param("BFDE470818" + L3 + L2 + FACTOR, "6A80", id="too few levels"),
        pytest.param("BFDE677E20" + L3 + L2 + L1 + FACTOR, "6A88", id="no such key"),
        pytest.param("BFDE680820" + L3 + L2 + L1 + FACTOR, "6A88", id="another use"),
        pytest.param("BFDE670818" + L3 + L2 + FACTOR, "6700", id="too few factors"),
        pytest.param("BFDE670828" + L3 + L2 + L1 + FACTOR * 2, "6700", id="an SM4 factor"),
    ],
)
def test_delivery_session_key(psam: SimulatedPsam, command: str, answer: str) -> None:
    assert send(psam, command) == answer


@pytest.mark.parametrize("command", [DELIVER_IRK, PURCHASE, "80FA000008" + FACTOR, "BFEC00000199"])
def test_keys_need_an_application(command: str) -> None:
    assert send(make(replace(PROFILE, algorithms=frozenset({Algorithm.SM4}))), command) == "6985"


def test_cipher_data_needs_a_session_key(psam: SimulatedPsam) -> None:
    encrypt = "80FA000008" + FACTOR
    assert send(psam, encrypt) == "6985"
    assert send(psam, DELIVER_IRK, encrypt).endswith("9000")
    assert send(psam, encrypt).endswith("9000")  # it stays
    assert send(psam, APPLICATION, encrypt) == "6985"  # until something is selected
    assert send(psam, DELIVER_IRK, "BFDE470818" + L3 + L2 + FACTOR, encrypt) == "6985"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        pytest.param("80FA00000711223344556677", "6700", id="not a block"),
        pytest.param("80FA0000", "6700", id="nothing"),
        pytest.param("80FA000048" + FACTOR * 9, "6700", id="nine blocks"),
        pytest.param("80FA040008" + FACTOR, "6A86", id="P1"),
        pytest.param("80FA000108" + FACTOR, "6A86", id="P2"),
        pytest.param("80FA030008" + FACTOR, "6901", id="the middle of no MAC"),
        pytest.param("80FA010008" + FACTOR, "6901", id="the end of no MAC"),
        pytest.param("80FA070008" + FACTOR, "9000", id="the beginning of a MAC"),
    ],
)
def test_cipher_data(psam: SimulatedPsam, command: str, answer: str) -> None:
    assert send(psam, DELIVER_UK, command) == answer


def test_enciphering_ends_a_mac(psam: SimulatedPsam) -> None:
    begun = [DELIVER_UK, "80FA070010" + "00" * 8 + FACTOR]
    assert len(send(psam, *begun, "80FA010008" + FACTOR)) == 12
    assert send(psam, *begun, "80FA000008" + FACTOR, "80FA010008" + FACTOR) == "6901"


def test_a_key_for_enciphering_does_not_sign(psam: SimulatedPsam) -> None:
    assert send(psam, DELIVER_IRK, "80FA050010" + "00" * 8 + FACTOR) == "6985"


def test_a_key_for_signing_does_not_encipher() -> None:
    card = make(replace(PROFILE, message_use=6))
    deliver = "BFDE260910" + L3 + FACTOR
    assert send(card, APPLICATION, deliver, "80FA000008" + FACTOR) == "6985"
    assert len(send(card, "80FA050010" + "00" * 8 + FACTOR)) == 12


def test_the_province_is_wanted_again_after_a_selection() -> None:
    card = make(replace(PROFILE, wants_province=True))
    assert send(card, APPLICATION, DELIVER_IRK) == "6985"
    assert send(card, PURCHASE) == "6985"
    assert send(card, "BFEC00000199", DELIVER_IRK) == "9000"
    assert send(card, APPLICATION, DELIVER_IRK) == "6985"
    assert send(card, "BFEC0000029901") == "6700"
    assert send(card, "BFEC01000199") == "6A86"


# Purchases


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        pytest.param(PURCHASE, "6A80", id="three levels"),
        pytest.param(PURCHASE.replace("80700100", "80700000"), "6A86", id="P1"),
        pytest.param("8070010008" + FACTOR, "6700", id="too short"),
        pytest.param(PUBLISHED_LEVEL.replace("0101" + L3, "0401" + L3), "6A88", id="key version"),
        pytest.param(PUBLISHED_LEVEL.replace("0101" + L3, "0103" + L3), "6A80", id="algorithm"),
        pytest.param("8072000003112233", "6700", id="MAC2 of three bytes"),
        pytest.param("8072010004" + "11" * 4, "6A86", id="CREDIT P1"),
        pytest.param("8072000004" + "11" * 4, "6985", id="CREDIT without INIT"),
    ],
)
def test_purchases_that_are_refused(psam: SimulatedPsam, command: str, answer: str) -> None:
    assert send(psam, command) == answer
    assert send(psam, "00B0990004") == "000000019000"


def test_the_counter_counts_purchases_that_were_permitted(psam: SimulatedPsam) -> None:
    assert send(psam, PUBLISHED_LEVEL)[:8] == "00000001"
    assert send(psam, PUBLISHED_LEVEL)[:8] == "00000002"
    psam.power_on()
    assert send(psam, APPLICATION, PUBLISHED_LEVEL)[:8] == "00000003"
    assert send(psam, "8072000004" + "11" * 4) == "9302"
    assert send(psam, "8072000004" + "11" * 4) == "6985"


def test_each_environment_counts_for_itself() -> None:
    card = make()
    send(card, APPLICATION, PUBLISHED_LEVEL)
    assert send(card, "00B0990004") == "000000029000"
    assert send(card, SM4_ENVIRONMENT, "00A4000002DF01", "00B0990004") == "000000019000"


def test_a_counter_at_its_end(psam: SimulatedPsam) -> None:
    card = make(replace(PROFILE, counter=0xFFFFFFFF))
    assert send(card, APPLICATION, PUBLISHED_LEVEL) == "9402"


def write_counts(operation: Callable[[SimulatedPsam], object]) -> int:
    card = make()
    send(card, APPLICATION)
    before = card.memory.byte_writes
    operation(card)
    return card.memory.byte_writes - before


def test_torn_at_any_byte_no_counter_value_is_given_out_twice() -> None:
    """Facts 7.5: at the next power-up the counter is the old one or the new one."""
    for at in range(write_counts(lambda card: send(card, PUBLISHED_LEVEL)) + 1):
        card = make()
        send(card, APPLICATION)
        card.memory.tear_after(at)
        given = []
        try:
            given.append(send(card, PUBLISHED_LEVEL)[:8])
        except CardRemoved:
            card.power_on()
        else:
            card.memory.tear_after(1 << 30)
        counter = send(card, APPLICATION, "00B0990004")
        assert counter in ("000000019000", "000000029000")
        given.append(send(card, PUBLISHED_LEVEL)[:8])
        assert len(set(given)) == len(given)


def test_torn_while_it_restores_itself() -> None:
    card = make()
    send(card, APPLICATION)
    writes = write_counts(lambda card: send(card, PUBLISHED_LEVEL))
    card.memory.tear_after(writes - 1)
    with pytest.raises(CardRemoved):
        send(card, PUBLISHED_LEVEL)
    card.memory.tear_after(0)
    with pytest.raises(CardRemoved):
        card.power_on()
    with pytest.raises(CardRemoved):
        send(card, APPLICATION)
    card.power_on()
    assert send(card, APPLICATION, "00B0990004") == "000000019000"


# Anything at all

LEGAL = {int(sw) for sw in StatusWord}
COMMANDS = st.tuples(
    st.sampled_from([0x00, 0x80, 0x84, 0xBF, 0xB0]),
    st.sampled_from([0xA4, 0xB0, 0x84, 0xC0, 0xDE, 0xEC, 0xFA, 0x70, 0x72, 0x20]),
    st.sampled_from([0x00, 0x01, 0x04, 0x05, 0x07, 0x26, 0x48, 0x67, 0x96]) | st.integers(0, 255),
    st.sampled_from([0x00, 0x08, 0x09, 0x12]) | st.integers(0, 255),
    st.binary(max_size=64),
)


@given(st.lists(COMMANDS, max_size=12))
def test_random_commands_get_legal_status_words(
    commands: list[tuple[int, int, int, int, bytes]],
) -> None:
    card = make()
    send(card, APPLICATION, DELIVER_UK)
    for cla, ins, p1, p2, data in commands:
        answer = card.transmit(bytes((cla, ins, p1, p2, len(data))) + data)
        sw = int.from_bytes(answer[-2:], "big")
        assert sw in LEGAL or sw >> 8 in (0x61, 0x6C)


@given(st.binary(max_size=12))
def test_bytes_that_are_no_command(raw: bytes) -> None:
    assert len(make().transmit(raw)) >= 2
