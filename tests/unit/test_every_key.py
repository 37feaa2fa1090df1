"""Every key of the card, on both sides (facts 4.2, 3.5).

For each key that authenticates a terminal: the card takes the right proof in every version, counts
and locks on wrong ones, and knows no fourth version; the terminal presents it by its published
number and tells a refusal by its tries. For each message key: commands of its own application are
signed with it, and with no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from apdu.channel import CardChannel
from apdu.crypto import auth_data, card_key, session_key
from apdu.layers import stack
from apdu.readers.inprocess import InProcessReader
from apdu.sam import DEVELOPMENT_KEY_VERSIONS, DEVELOPMENT_KEYS, SoftwareSam
from apdu.secure import MacRefused, SecureMessaging
from apdu.ssc.card import KeyRefused, SocialSecurityCard
from apdu.ssc.files import file_map
from apdu.ssc.filespec import Structure
from apdu.ssc.keys import KeyName
from apdu.status import KeyNotAvailable
from simulator.card.card import SimulatedCard
from simulator.card.profile import CardProfile, load_profile

AUTHENTICATORS = [
    key
    for key in KeyName
    if key.card_id is not None and key is not KeyName.IRK and not key.spec.short
]
UNPUBLISHED = [key for key in KeyName if key.card_id is None and not key.spec.short]
MESSAGE_KEYS = [key for key in KeyName if key.spec.short]
CARDS = ("adult-2.0", "adult-3.0")
ORIGINAL = bytes.fromhex("A1A2A3A4A5A6A7A8")


def names(keys: Sequence[KeyName]) -> list[str]:
    return [key.name for key in keys]


def presented(profile: CardProfile) -> SocialSecurityCard:
    chip = SimulatedCard(profile, random=Random(1).randbytes)
    return SocialSecurityCard.select(CardChannel(stack(InProcessReader("slot", chip).connect())))


def sam(keys: dict[KeyName, bytes] | None = None) -> SoftwareSam:
    roots = DEVELOPMENT_KEYS if keys is None else keys
    versions = DEVELOPMENT_KEY_VERSIONS
    return SoftwareSam(roots, Random(2).randbytes, later_versions=versions)


def answer(card: SocialSecurityCard, key: KeyName, version: int | None, *, spoil: int = 0) -> int:
    """The card's status word to EXTERNAL AUTHENTICATE, its proof made here from the root key."""
    identity, channel = card.identity, card.channel
    root = DEVELOPMENT_KEY_VERSIONS[version or 1][key]
    value = card_key(identity.algorithm, root, identity.region, identity.historical)
    session = session_key(identity.algorithm, value, channel.get_challenge(8))
    proof = bytearray(auth_data(identity.algorithm, session, ORIGINAL) + ORIGINAL)
    proof[0] ^= spoil
    data = bytes(proof) + (b"" if version is None else bytes((version,)))
    raw = channel.connection.transmit(bytes((0, 0x82, 0, key.card_id or 0, len(data))) + data)
    return int.from_bytes(raw, "big")


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("key", AUTHENTICATORS, ids=names(AUTHENTICATORS))
def test_the_card_takes_every_version_and_locks_each_for_itself(key: KeyName, name: str) -> None:
    card = presented(load_profile(name))
    card.enter(key.spec.df)
    for version in range(1, key.spec.versions + 1):
        assert answer(card, key, version) == 0x9000
    assert answer(card, key, None) == 0x9000
    wrong = [answer(card, key, 1, spoil=1) for _ in range(4)]
    assert wrong == [0x63C2, 0x63C1, 0x63C0, 0x6983]
    assert answer(card, key, 1) == 0x6983
    if key.spec.versions > 1:
        assert answer(card, key, 2) == 0x9000
    raw = card.channel.connection.transmit(
        bytes((0, 0x82, 0, key.card_id or 0, 17)) + bytes(16) + bytes((key.spec.versions + 1,))
    )
    assert raw == b"\x6a\x88"


@pytest.mark.parametrize("key", AUTHENTICATORS, ids=names(AUTHENTICATORS))
def test_the_terminal_presents_it_by_its_number(key: KeyName) -> None:
    card = presented(load_profile("adult-3.0"))
    card.authorise(sam(), key)
    wrong = sam({**DEVELOPMENT_KEYS, key: bytes(16)})
    card = presented(load_profile("adult-3.0"))
    for left in (2, 1, 0):
        with pytest.raises(KeyRefused) as refused:
            card.authorise(wrong, key)
        assert refused.value.tries_left == left
    with pytest.raises(KeyNotAvailable):
        presented(load_profile("adult-3.0")).authorise(
            sam({KeyName.IRK: DEVELOPMENT_KEYS[KeyName.IRK]}), key
        )


@pytest.mark.parametrize("key", UNPUBLISHED, ids=names(UNPUBLISHED))
def test_a_key_whose_number_is_not_published_is_not_presented(key: KeyName) -> None:
    card = presented(load_profile("adult-3.0"))
    with pytest.raises(KeyNotAvailable, match=key.name):
        card.authorise(sam(), key)
    with pytest.raises(KeyNotAvailable, match=key.name):
        card.present_key(key, bytes(16))


def written(key: KeyName) -> tuple[int, bytes]:
    """A record that can be written in the message key's application, with its write key's file."""
    file = next(
        file
        for file in file_map("3.00").values()
        if file.df == key.spec.df and file.structure is Structure.VARIABLE
    )
    record = file.records[-1]
    return file.fid, bytes((record.tag, record.length)) + b"1" * record.length


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("key", MESSAGE_KEYS, ids=names(MESSAGE_KEYS))
def test_a_message_key_signs_for_its_own_application_alone(key: KeyName, name: str) -> None:
    card = presented(load_profile(name))
    fid, record = written(key)
    file = file_map("3.00")[key.spec.df, fid]
    write_key = file.write.key
    assert write_key is not None
    card.enter(key.spec.df)
    if write_key.card_id is None:
        # DF05 and DF07: no terminal can be entitled, so the card refuses before it writes.
        with pytest.raises(KeyNotAvailable):
            card.authorise(sam(), write_key)
        return
    card.authorise(sam(), write_key)
    for other in MESSAGE_KEYS:
        messages = SecureMessaging(card.channel, card.identity, sam(), other)
        if other is key:
            messages.update_record_by_tag(record[0], record, sfi=file.sfi)
        else:
            with pytest.raises(MacRefused):
                messages.update_record_by_tag(record[0], record, sfi=file.sfi)


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_internal_key_has_three_versions(name: str, version: int) -> None:
    card = presented(load_profile(name))
    card.authenticate(sam(), key_version=version)
    assert card.authentic
    raw = card.channel.connection.transmit(bytes.fromhex("0088000011") + bytes(16) + b"\x04\x00")
    assert raw == b"\x6a\x88"
