"""Which file opens by what, READ and UPDATE BINARY, and updates with a MAC (facts 3.2-3.9, 4)."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from apdu.crypto import card_key, command_mac, session_key
from apdu.sam import DEVELOPMENT_KEYS, CardIdentity, SoftwareSam
from apdu.ssc.files import file_map
from apdu.ssc.filespec import EfSpec, Rule, Structure
from apdu.ssc.keys import KeyName
from simulator.card.card import SimulatedCard
from simulator.card.profile import CardProfile, load_profile

SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
VERSIONS = ("adult-1.0", "adult-2.0", "adult-3.0")
EVERY_FILE = [
    (name, spec) for name in VERSIONS for spec in file_map(load_profile(name).card.version).values()
]
EVERY_FILE_IDS = [f"{name}-{spec.address}" for name, spec in EVERY_FILE]


def make(profile: CardProfile) -> SimulatedCard:
    card = SimulatedCard(profile, random=Random(1).randbytes, protocol="T1")
    card.power_on()
    send(card, SELECT_SSSE)
    return card


def send(card: SimulatedCard, command: str) -> str:
    return card.transmit(bytes.fromhex(command)).hex().upper()


def authorise(card: SimulatedCard, profile: CardProfile, key: KeyName) -> None:
    """EXTERNAL AUTHENTICATE in the current application."""
    chip = profile.card
    identity = CardIdentity(chip.algorithm, chip.card_id, chip.historical)
    challenge = card.transmit(bytes.fromhex("0084000008"))[:8]
    sam = SoftwareSam.development(Random(2).randbytes)
    data = sam.terminal_authentication(identity, key, challenge, bytes(8))
    assert send(card, f"008200{key.card_id:02X}10" + data.hex()) == "9000"


def verify(card: SimulatedCard, profile: CardProfile) -> None:
    assert profile.pin is not None
    assert send(card, "0020000003" + profile.pin.value) == "9000"


def enter(card: SimulatedCard, spec: EfSpec) -> None:
    if spec.df != "SSSE":
        assert send(card, f"00A4000002{spec.df}").endswith("9000")


@pytest.mark.parametrize(("name", "spec"), EVERY_FILE, ids=EVERY_FILE_IDS)
def test_every_file_of_the_map_is_on_the_card_and_as_large(name: str, spec: EfSpec) -> None:
    profile = replace(load_profile(name), files={})
    card = make(profile)
    enter(card, spec)
    assert send(card, f"00A4020002{spec.fid:04X}") == "9000"
    verify(card, profile)
    key = spec.read.key
    if key is not None and key.card_id is not None:
        authorise(card, profile, key)
    read = "00B00000000000" if spec.structure is Structure.TRANSPARENT else "00B20105000000"
    answer = send(card, read)
    if spec.read.rule is Rule.KEY and key is not None and key.card_id is None:
        assert answer == "6982"  # the number of its key is not published
    elif spec.structure is Structure.CYCLIC:
        assert answer == "6A83"
    else:
        assert len(answer) == 2 * (spec.total + 2)


@pytest.mark.parametrize(("name", "spec"), EVERY_FILE, ids=EVERY_FILE_IDS)
def test_every_file_is_read_by_its_own_rule_only(name: str, spec: EfSpec) -> None:
    profile = load_profile(name)
    key = spec.read.key
    for with_pin in (False, True):
        for with_key in (False, True):
            card = make(profile)
            if with_pin:
                verify(card, profile)
            enter(card, spec)
            granted = with_key and key is not None and key.card_id is not None
            if granted:
                assert key is not None
                authorise(card, profile, key)
            allowed = {
                Rule.FREE: True,
                Rule.PIN: with_pin,
                Rule.KEY: granted,
                Rule.PIN_OR_KEY: with_pin or granted,
                Rule.PIN_AND_KEY: with_pin and granted,
                Rule.NEVER: False,
            }
            assert (send(card, _read(spec)) != "6982") is allowed[spec.read.rule]


@pytest.mark.parametrize(("name", "spec"), EVERY_FILE, ids=EVERY_FILE_IDS)
def test_every_file_is_written_with_its_own_key_only(name: str, spec: EfSpec) -> None:
    profile = load_profile(name)
    card = make(profile)
    verify(card, profile)
    enter(card, spec)
    if spec.read.key is not None and spec.read.key.card_id is not None:
        authorise(card, profile, spec.read.key)
    assert send(card, _write(spec)) == "6982"
    if spec.write.key is not None and spec.write.key.card_id is not None:
        authorise(card, profile, spec.write.key)
        assert send(card, _write(spec)) == "9000"


def _read(spec: EfSpec) -> str:
    if spec.structure is Structure.TRANSPARENT:
        return f"00B0{0x80 | spec.sfi:02X}0001"
    return f"00B201{spec.sfi << 3 | 4:02X}01"


def _write(spec: EfSpec) -> str:
    if spec.structure is Structure.TRANSPARENT:
        return f"00D6{0x80 | spec.sfi:02X}000142"
    if spec.structure is Structure.CYCLIC:
        length = spec.record_length
        return f"00DC00{spec.sfi << 3 | 3:02X}{length:02X}" + "42" * length
    record = spec.records[0]
    head = f"00DC01{spec.sfi << 3 | 4:02X}{record.size:02X}{record.tag:02X}{record.length:02X}"
    return head + "42" * record.length


def photograph(content: bytes) -> CardProfile:
    files: dict[str, Any] = {"SSSEEF08": {"hex": content.hex().upper()}}
    return replace(load_profile("adult-3.0"), files=files)


def test_binary_reading_by_offset_and_by_short_file_id() -> None:
    content = bytes(range(256)) * 16
    profile = photograph(content)
    card = make(profile)
    assert send(card, "00B0880010") == "6982"
    authorise(card, profile, KeyName.RKSSSE)
    assert send(card, "00B0880510") == content[5:21].hex().upper() + "9000"
    assert send(card, "00B00F0200") == content[0xF02:].hex().upper() + "9000"
    assert send(card, "00B00FFC04") == "FCFDFEFF9000"
    assert send(card, "00B00FFC05") == "6C04"
    assert send(card, "00B0100001") == "6B00"
    assert send(card, "00B0000000") == content[:256].hex().upper() + "9000"
    assert send(card, "00B00000000000") == content.hex().upper() + "9000"


def test_binary_writing() -> None:
    profile = photograph(b"")
    card = make(profile)
    authorise(card, profile, KeyName.RKSSSE)
    authorise(card, profile, KeyName.UKSSSE)
    assert send(card, "00D6880104AABBCCDD") == "9000"
    assert send(card, "00D60FFF02AABB") == "6700"
    assert send(card, "00D6100001AA") == "6B00"
    assert send(card, "00D60000") == "6700"
    assert send(card, "00B0880006") == "FFAABBCCDDFF9000"
    assert send(card, "00B00FFF00") == "FF9000"


def test_a_whole_photograph_in_one_extended_command() -> None:
    profile = photograph(b"")
    card = make(profile)
    authorise(card, profile, KeyName.RKSSSE)
    authorise(card, profile, KeyName.UKSSSE)
    content = Random(3).randbytes(4096)
    assert card.transmit(b"\x00\xd6\x88\x00\x00\x10\x00" + content) == b"\x90\x00"
    assert card.transmit(bytes.fromhex("00B08800000000"))[:-2] == content


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00B0000010", "6986"),
        ("00B0850010", "6981"),
        ("00B09F0010", "6A82"),
        ("00B0A80010", "6A86"),
        ("00B08800", "6700"),
        ("00D6850001AA", "6981"),
        ("00D6000001AA", "6986"),
    ],
)
def test_refused_binary_commands(command: str, sw: str) -> None:
    assert send(make(load_profile("adult-3.0")), command) == sw


@pytest.mark.parametrize(("name", "df"), [("adult-2.0", "SSSE"), ("adult-3.0", "DF03")])
def test_protected_updates_need_a_mac_over_a_new_challenge(name: str, df: str) -> None:
    profile = load_profile(name)
    card = make(profile)
    verify(card, profile)
    if df == "SSSE":
        stk, body, header = KeyName.STK, bytes.fromhex("050420240102"), bytes.fromhex("04DC0528")
        authorise(card, profile, KeyName.UKSSSE)
    else:
        send(card, f"00A4000002{df}")
        stk, body, header = KeyName.STKDF03, bytes.fromhex("6103990100"), bytes.fromhex("04DC6128")
        authorise(card, profile, KeyName.UK1DF03)
    assert card.transmit(header + b"\x03" + body[:3]) == b"\x69\x87"
    assert card.transmit(header + bytes((len(body) + 4,)) + body + bytes(4)) == b"\x69\x84"
    wrong = _sealed(card, profile, stk, header, body)
    assert card.transmit(wrong[:-1] + bytes((wrong[-1] ^ 1,))) == b"\x69\x88"
    right = _sealed(card, profile, stk, header, body)
    assert card.transmit(right) == b"\x90\x00"
    assert card.transmit(right) == b"\x69\x84"
    assert card.transmit(b"\x00\xb2" + header[2:] + b"\x00") == body + b"\x90\x00"


def test_protected_binary_writing() -> None:
    profile = photograph(b"")
    card = make(profile)
    authorise(card, profile, KeyName.RKSSSE)
    authorise(card, profile, KeyName.UKSSSE)
    sealed = _sealed(card, profile, KeyName.STK, bytes.fromhex("04D68800"), b"\xaa\xbb")
    assert card.transmit(sealed) == b"\x90\x00"
    assert send(card, "00B0880003") == "AABBFF9000"
    assert send(card, "04D68800000100" + "00" * 256) == "6700"  # a MAC covers one-byte Lc only


def test_an_application_without_message_key_takes_no_protected_command() -> None:
    card = make(load_profile("adult-2.0"))
    send(card, "00A4040010" + "救助与优抚信息区".encode("gbk").hex())
    assert send(card, "04DC052808" + "00" * 8) == "6A88"


def test_a_mac_does_not_replace_the_key_of_the_file() -> None:
    profile = load_profile("adult-2.0")
    card = make(profile)
    body, header = bytes.fromhex("050420240102"), bytes.fromhex("04DC0528")
    assert card.transmit(_sealed(card, profile, KeyName.STK, header, body)) == b"\x69\x82"


def _sealed(
    card: SimulatedCard, profile: CardProfile, name: KeyName, header: bytes, body: bytes
) -> bytes:
    """The command with the MAC that the session key of a new challenge makes."""
    chip = profile.card
    root = DEVELOPMENT_KEYS[name][: name.length(chip.algorithm)]
    key = card_key(chip.algorithm, root, chip.region, chip.historical)
    challenge = card.transmit(bytes.fromhex("0084000008"))[:8]
    session = session_key(chip.algorithm, key, challenge)
    mac = command_mac(chip.algorithm, session, header, body)
    return header + bytes((len(body) + 4,)) + body + mac
