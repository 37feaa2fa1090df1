"""The software security module (facts 4.2 to 4.4)."""

from __future__ import annotations

import pytest

from apdu.crypto import Algorithm, auth_data, card_key, session_key
from apdu.sam import (
    DEVELOPMENT_KEY_VERSIONS,
    DEVELOPMENT_KEYS,
    NO_TERMINAL_NUMBER,
    CardIdentity,
    KeyName,
    SecureAccessModule,
    SoftwareSam,
)
from apdu.status import AlgorithmNotSupported, KeyNotAvailable, MalformedData

CARD_ID = bytes.fromhex("990100D15600000500000001FFFFFFFF")
HISTORICAL = bytes.fromhex("0081544C92868499010000007B")
ROOT = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
FACTOR = bytes.fromhex("1122334455667788")
ORIGINAL = bytes.fromhex("A1A2A3A4A5A6A7A8")


def _card(algorithm: Algorithm) -> CardIdentity:
    return CardIdentity(algorithm, CARD_ID, HISTORICAL)


def _random(length: int) -> bytes:
    return b"\x5a" * length


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [(Algorithm.DES, "6CA63E545BD8C16D"), (Algorithm.SM4, "9EB9B4342C50EB6C")],
)
def test_both_authentications_give_the_published_cryptogram(
    algorithm: Algorithm, expected: str
) -> None:
    """Facts appendix B."""
    sam: SecureAccessModule = SoftwareSam({KeyName.IRK: ROOT, KeyName.RKSSSE: ROOT}, _random)
    card = _card(algorithm)
    assert sam.card_authentication(card, FACTOR, ORIGINAL).hex().upper() == expected
    proof = sam.terminal_authentication(card, KeyName.RKSSSE, FACTOR, ORIGINAL)
    assert proof.hex().upper() == expected + ORIGINAL.hex().upper()


def test_ssf33_is_recognised_and_refused() -> None:
    sam = SoftwareSam.development(_random)
    assert not sam.supports(Algorithm.SSF33)
    with pytest.raises(AlgorithmNotSupported):
        sam.card_authentication(_card(Algorithm.SSF33), FACTOR, ORIGINAL)


def test_a_module_for_one_algorithm() -> None:
    sam = SoftwareSam(DEVELOPMENT_KEYS, _random, algorithms=frozenset({Algorithm.DES}))
    assert sam.supports(Algorithm.DES)
    assert not sam.supports(Algorithm.SM4)
    with pytest.raises(AlgorithmNotSupported):
        sam.terminal_authentication(_card(Algorithm.SM4), KeyName.RKSSSE, FACTOR, ORIGINAL)


def test_a_module_without_the_key() -> None:
    sam = SoftwareSam({KeyName.IRK: ROOT}, _random)
    with pytest.raises(KeyNotAvailable):
        sam.terminal_authentication(_card(Algorithm.SM4), KeyName.RKSSSE, FACTOR, ORIGINAL)


def test_three_versions_of_a_key_and_the_first_when_none_is_named() -> None:
    sam = SoftwareSam.development(_random)
    card = _card(Algorithm.DES)
    answers = [sam.card_authentication(card, FACTOR, ORIGINAL, version) for version in (1, 2, 3)]
    assert answers[0] == sam.card_authentication(card, FACTOR, ORIGINAL)
    assert len(set(answers)) == 3
    for version in (0, 4):
        with pytest.raises(KeyNotAvailable):
            sam.card_authentication(card, FACTOR, ORIGINAL, version)


def test_a_module_holds_the_versions_it_was_given() -> None:
    sam = SoftwareSam({KeyName.IRK: ROOT}, _random, later_versions={2: {KeyName.IRK: ROOT[::-1]}})
    card = _card(Algorithm.SM4)
    key = card_key(Algorithm.SM4, ROOT[::-1], "990100", HISTORICAL)
    expected = auth_data(Algorithm.SM4, session_key(Algorithm.SM4, key, FACTOR), ORIGINAL)
    assert sam.card_authentication(card, FACTOR, ORIGINAL, 2) == expected
    with pytest.raises(KeyNotAvailable):
        sam.card_authentication(card, FACTOR, ORIGINAL, 3)


def test_keys_that_have_one_version_only() -> None:
    # facts 4.2: PUK and the message keys exist once, UKSSSE three times.
    sam = SoftwareSam.development(_random)
    card = _card(Algorithm.SM4)
    sam.terminal_authentication(card, KeyName.UKSSSE, FACTOR, ORIGINAL, 3)
    for key in (KeyName.PUK, KeyName.STK):
        with pytest.raises(KeyNotAvailable):
            sam.terminal_authentication(card, key, FACTOR, ORIGINAL, 2)


def test_message_keys_are_cut_for_des_cards() -> None:
    sam = SoftwareSam.development(_random)
    root = DEVELOPMENT_KEYS[KeyName.STK][:8]
    key = card_key(Algorithm.DES, root, "990100", HISTORICAL)
    expected = auth_data(Algorithm.DES, session_key(Algorithm.DES, key, FACTOR), ORIGINAL)
    card = _card(Algorithm.DES)
    proof = sam.terminal_authentication(card, KeyName.STK, FACTOR, ORIGINAL)
    assert proof[:8] == expected


def test_development_keys_are_complete_and_distinct() -> None:
    assert set(DEVELOPMENT_KEYS) == set(KeyName)
    assert DEVELOPMENT_KEY_VERSIONS[1] is DEVELOPMENT_KEYS
    every = [key for keys in DEVELOPMENT_KEY_VERSIONS.values() for key in keys.values()]
    assert len(every) == sum(name.spec.versions for name in KeyName)
    # DES ignores the lowest bit of every byte: keys must differ in the others.
    for length in (8, 16):
        assert len({bytes(byte & 0xFE for byte in key[:length]) for key in every}) == len(every)


def test_terminal_numbers_and_randomness() -> None:
    assert SoftwareSam({}, _random).terminal_number == NO_TERMINAL_NUMBER == "000000000000"
    sam = SoftwareSam.development(_random, terminal_number="990100000042")
    assert sam.terminal_number == "990100000042"
    assert sam.challenge(8) == b"\x5a" * 8


def test_identity() -> None:
    card = _card(Algorithm.SM4)
    assert card.region == "990100"
    assert "990100" not in repr(card)
    with pytest.raises(MalformedData):
        CardIdentity(Algorithm.SM4, CARD_ID[1:], HISTORICAL)
    with pytest.raises(MalformedData):
        CardIdentity(Algorithm.SM4, CARD_ID, HISTORICAL[1:])
    with pytest.raises(MalformedData):
        CardIdentity(Algorithm.SM4, b"\xff" * 16, HISTORICAL)


def test_no_key_shows_in_a_repr() -> None:
    sam = SoftwareSam({KeyName.IRK: ROOT}, _random)
    assert ROOT.hex() not in repr(sam).lower()
