"""Keys in versions 1 to 3: the card holds them, the module knows them (facts 4.2, 4.4)."""

from dataclasses import replace
from random import Random

import pytest

from apdu.channel import CardChannel
from apdu.layers import stack
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.card import KeyRefused, SocialSecurityCard
from apdu.ssc.keys import KeyName
from apdu.status import KeyNotAvailable, NotAuthentic
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile

SAM = SoftwareSam.development(Random(1).randbytes)
EVERY_ALGORITHM = pytest.mark.parametrize("name", ["adult-2.0", "adult-3.0"])
EVERY_VERSION = pytest.mark.parametrize("version", [1, 2, 3])
SELECT_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")


def card_of(name: str, *, versions: int = 3) -> SocialSecurityCard:
    profile = load_profile(name)
    profile = replace(profile, card=replace(profile.card, key_versions=versions))
    chip = SimulatedCard(profile, random=Random(2).randbytes)
    connection = stack(InProcessReader("slot", chip).connect())
    return SocialSecurityCard.select(CardChannel(connection))


def answer(chip: SimulatedCard, command: str) -> str:
    return chip.transmit(bytes.fromhex(command)).hex().upper()


@EVERY_VERSION
@EVERY_ALGORITHM
def test_the_card_proves_itself_with_every_version(name: str, version: int) -> None:
    card = card_of(name)
    card.authenticate(SAM, key_version=version)
    assert card.authentic


@EVERY_VERSION
@EVERY_ALGORITHM
def test_the_terminal_proves_itself_with_every_version(name: str, version: int) -> None:
    card = card_of(name)
    card.authorise(SAM, KeyName.UKSSSE, key_version=version)
    card.channel.update_record_by_tag(0x0A, b"\x0a\x019", sfi=0x06)


def test_versions_are_different_keys() -> None:
    card = card_of("adult-3.0")
    card.authenticate(SAM)
    challenge = card.channel.get_challenge(8)
    proof = SAM.terminal_authentication(card.identity, KeyName.UKSSSE, challenge, bytes(8), 2)
    with pytest.raises(KeyRefused):
        card.present_key(KeyName.UKSSSE, proof, key_version=3)


def test_a_wrong_proof_costs_a_try_of_its_own_version_only() -> None:
    card = card_of("adult-3.0")
    card.authenticate(SAM)
    for left in (2, 1, 0):
        card.channel.get_challenge(8)
        with pytest.raises(KeyRefused) as refused:
            card.present_key(KeyName.UKSSSE, bytes(16), key_version=2)
        assert refused.value.tries_left == left
    with pytest.raises(KeyRefused):
        card.authorise(SAM, KeyName.UKSSSE, key_version=2)
    card.authorise(SAM, KeyName.UKSSSE, key_version=1)


def test_a_version_that_the_card_lacks() -> None:
    card = card_of("adult-3.0", versions=2)
    with pytest.raises(KeyNotAvailable):
        card.authorise(SAM, KeyName.UKSSSE, key_version=3)
    with pytest.raises(NotAuthentic):
        card.authenticate(SAM, key_version=3)


@pytest.mark.parametrize("version", ["00", "03", "04", "FF"])
def test_the_status_word_for_it(version: str) -> None:
    profile = load_profile("adult-3.0")
    profile = replace(profile, card=replace(profile.card, key_versions=2))
    chip = SimulatedCard(profile, random=Random(2).randbytes, protocol="T1")
    chip.power_on()
    chip.transmit(SELECT_SSSE)
    assert answer(chip, "0088000011" + "00" * 16 + version) == "6A88"
    answer(chip, "0084000008")
    assert answer(chip, "0082000411" + "00" * 16 + version) == "6A88"
    # PUK exists once on every card (facts 4.2).
    assert answer(chip, "0082000611" + "00" * 16 + "02") == "6A88"
