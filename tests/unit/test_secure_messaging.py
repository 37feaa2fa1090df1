"""UPDATE with a MAC: what goes over the line, and what the simulated card makes of it."""

from collections.abc import Callable
from random import Random

import pytest

from apdu.channel import CardChannel
from apdu.crypto import Algorithm, card_key, mac, session_key
from apdu.layers import stack
from apdu.readers.inprocess import InProcessReader
from apdu.sam import DEVELOPMENT_KEYS, CardIdentity, KeyName, SoftwareSam
from apdu.secure import DATA_MAX, MacMissing, MacRefused, SecureMessaging
from apdu.ssc.card import SocialSecurityCard
from apdu.status import (
    AlgorithmNotSupported,
    CardError,
    KeyNotAvailable,
    MalformedApdu,
    StatusError,
    StatusWord,
)
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import load_profile
from simulator.null_card import NullCard

SAM = SoftwareSam.development(Random(1).randbytes)
NAME = b"\x09\x1e" + "王五".encode("gbk").ljust(30, b"\x00")
EVERY_ALGORITHM = pytest.mark.parametrize("name", ["adult-2.0", "adult-3.0"])
EVERY_LINE = pytest.mark.parametrize("protocol", ["T0", "T1", "TCL"])


def card_of(name: str, protocol: Protocol = "T0") -> SocialSecurityCard:
    chip = SimulatedCard(load_profile(name), random=Random(2).randbytes, protocol=protocol)
    connection = stack(InProcessReader("slot", chip).connect())
    return SocialSecurityCard.select(CardChannel(connection))


def messages(card: SocialSecurityCard, key: KeyName = KeyName.STK) -> SecureMessaging:
    return SecureMessaging(card.channel, card.identity, SAM, key)


@EVERY_LINE
@EVERY_ALGORITHM
def test_the_card_takes_a_record_with_a_right_mac(name: str, protocol: Protocol) -> None:
    card = card_of(name, protocol)
    card.authorise(SAM, KeyName.UKSSSE)
    messages(card).update_record_by_tag(0x09, NAME, sfi=0x06)
    messages(card).update_record_by_number(4, b"\x0a\x019", sfi=0x06)
    basic = card.read_basic(SAM)
    assert (basic.name, basic.sex) == ("王五", "9")


@EVERY_ALGORITHM
def test_a_row_of_a_cyclic_file(name: str) -> None:
    card = card_of(name)
    card.authorise(SAM, KeyName.UK2DF04)
    messages(card, KeyName.STKDF04).append_record(b"\x00\x011", sfi=0x15)
    card.authorise(SAM, KeyName.RK1DF04)
    assert card.channel.read_record_by_number(1, sfi=0x15, le=3) == b"\x00\x011"


@EVERY_ALGORITHM
def test_a_part_of_a_transparent_file(name: str) -> None:
    card = card_of(name)
    card.authorise(SAM, KeyName.UKSSSE)
    messages(card).update_binary(0x10, b"photo", sfi=0x08)
    card.authorise(SAM, KeyName.RKSSSE)
    assert card.channel.read_binary(0x10, 5, sfi=0x08) == b"photo"
    messages(card).update_binary(0x110, b"far")  # the file is current now: 15 bits of offset
    assert card.channel.read_binary(0x110, 3) == b"far"


@EVERY_ALGORITHM
def test_a_mac_does_not_replace_the_write_key(name: str) -> None:
    with pytest.raises(StatusError) as refused:
        messages(card_of(name)).update_record_by_tag(0x0A, b"\x0a\x019", sfi=0x06)
    assert refused.value.sw == StatusWord.SECURITY_STATUS_NOT_SATISFIED


@EVERY_ALGORITHM
def test_a_wrong_key_is_refused_and_nothing_is_written(name: str) -> None:
    card = card_of(name)
    card.authorise(SAM, KeyName.UKSSSE)
    before = card.read_basic(SAM)
    with pytest.raises(MacRefused):
        messages(card, KeyName.STKDF01).update_record_by_tag(0x09, NAME, sfi=0x06)
    assert card.read_holder() == before


class ChangedOnTheWay:
    """A card whose secured commands arrive changed by `spoil`."""

    def __init__(self, chip: SimulatedCard, spoil: Callable[[bytes], bytes]) -> None:
        self.chip = chip
        self.spoil = spoil

    def power_on(self) -> bytes:
        return self.chip.power_on()

    def power_off(self) -> None:
        self.chip.power_off()

    def transmit(self, command: bytes) -> bytes:
        return self.chip.transmit(self.spoil(command) if command[0] == 0x04 else command)


def without_mac(command: bytes) -> bytes:
    return command[:4] + b"\x03" + command[5:8]


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda c: c[:6] + bytes((c[6] ^ 1,)) + c[7:], MacRefused),  # the data
        (lambda c: c[:2] + b"\x0b" + c[3:], MacRefused),  # the tag
        (lambda c: c[:-1] + bytes((c[-1] ^ 1,)), MacRefused),  # the MAC
        (without_mac, MacMissing),
    ],
)
@EVERY_ALGORITHM
def test_what_changed_on_the_way_is_refused(
    name: str, spoil: Callable[[bytes], bytes], error: type[CardError]
) -> None:
    chip = SimulatedCard(load_profile(name), random=Random(2).randbytes)
    reader = InProcessReader("slot", ChangedOnTheWay(chip, spoil))
    card = SocialSecurityCard.select(CardChannel(stack(reader.connect())))
    card.authorise(SAM, KeyName.UKSSSE)
    with pytest.raises(error):
        messages(card).update_record_by_tag(0x0A, b"\x0a\x019", sfi=0x06)
    assert card.read_basic(SAM).sex != "9"


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])
def test_the_command_on_the_line(algorithm: Algorithm) -> None:
    """Facts 4.4: the MAC is over CLA INS P1 P2, Lc with the MAC, and the data; CLA is 04."""
    historical = bytes.fromhex("0081544C92868499010000007B")
    identity = CardIdentity(algorithm, bytes.fromhex("990100D156000005" + "00" * 8), historical)
    challenge = bytes.fromhex("1122334455667788")
    null = NullCard(answer=lambda c: (challenge if c[1] == 0x84 else b"") + b"\x90\x00")
    channel = CardChannel(InProcessReader("slot", null).connect())
    secure = SecureMessaging(channel, identity, SAM, KeyName.STK)
    secure.update_record_by_tag(0x0A, b"\x0a\x011", sfi=0x06)
    root = DEVELOPMENT_KEYS[KeyName.STK][: KeyName.STK.length(algorithm)]
    key = session_key(algorithm, card_key(algorithm, root, "990100", historical), challenge)
    body = bytes.fromhex("04DC0A3007") + b"\x0a\x011"
    assert null.commands == [bytes.fromhex("0084000008"), body + mac(algorithm, key, body)]


def test_every_command_takes_a_new_challenge() -> None:
    null = NullCard(answer=lambda c: (bytes(8) if c[1] == 0x84 else b"") + b"\x90\x00")
    channel = CardChannel(InProcessReader("slot", null).connect())
    identity = CardIdentity(Algorithm.DES, bytes.fromhex("990100" + "00" * 13), bytes(13))
    secure = SecureMessaging(channel, identity, SAM, KeyName.STK)
    for _ in range(2):
        secure.update_binary(0, b"x", sfi=0x08)
    assert [command[1] for command in null.commands] == [0x84, 0xD6, 0x84, 0xD6]


def test_what_does_not_fit_is_refused_before_the_card_is_asked() -> None:
    card = card_of("adult-3.0")
    secure = messages(card)
    with pytest.raises(MalformedApdu):
        secure.update_binary(0, bytes(DATA_MAX + 1), sfi=0x08)
    for offset, sfi in ((0x100, 0x08), (0x8000, 0), (-1, 0)):
        with pytest.raises(MalformedApdu):
            secure.update_binary(offset, b"x", sfi=sfi)
    card.authorise(SAM, KeyName.UKSSSE)
    secure.update_binary(0, bytes(DATA_MAX), sfi=0x08)


def test_a_module_that_cannot() -> None:
    card = card_of("adult-3.0")
    without_key = SoftwareSam({}, Random(1).randbytes)
    with pytest.raises(KeyNotAvailable):
        SecureMessaging(card.channel, card.identity, without_key, KeyName.STK).update_record_by_tag(
            0x0A, b"\x0a\x019", sfi=0x06
        )
    without_sm4 = SoftwareSam({}, Random(1).randbytes, algorithms=frozenset({Algorithm.DES}))
    with pytest.raises(AlgorithmNotSupported):
        SecureMessaging(card.channel, card.identity, without_sm4, KeyName.STK).update_record_by_tag(
            0x0A, b"\x0a\x019", sfi=0x06
        )


def test_a_module_serves_one_card_after_the_other() -> None:
    """The module keeps the keys of the card it saw last; they must not be used for another."""
    adult, other = card_of("adult-3.0"), card_of("contactless-3.0")
    for card in (adult, other, adult, other):
        card.authorise(SAM, KeyName.UKSSSE)
        messages(card).update_record_by_tag(0x0A, b"\x0a\x019", sfi=0x06)
