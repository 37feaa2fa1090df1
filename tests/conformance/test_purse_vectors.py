"""The purse's cryptography against published exchanges and worked examples (facts A1)."""

from __future__ import annotations

import pytest

from apdu.crypto import Algorithm, diversify
from apdu.purse import (
    PurseKind,
    PursePurchase,
    load_seed,
    purchase_seed,
    purse_algorithm,
    purse_mac,
    purse_session_key,
)
from apdu.status import AlgorithmNotSupported

KEY = bytes.fromhex("11223344556677888877665544332211")
TERMINAL = bytes.fromhex("001122334455")
PURCHASE = PursePurchase(0x1000, PurseKind.PURCHASE, TERMINAL, bytes.fromhex("20120229135100"))
SEED = purchase_seed(bytes.fromhex("11223344"), b"\x00\x00", bytes.fromhex("00000001"))
SM4, DES = Algorithm.SM4, Algorithm.DES


def test_published_purchase_session_key() -> None:
    assert purse_session_key(DES, KEY, SEED).hex().upper() == "003238ABC57659DD"


def test_published_purchase_mac1() -> None:
    session = purse_session_key(DES, KEY, SEED)
    assert PURCHASE.mac1(DES, session).hex().upper() == "F15CAB75"


def test_published_load_session_key_and_macs() -> None:
    # The published load is of an electronic deposit (kind 01), so the fields stand here as bytes.
    session = purse_session_key(DES, KEY, load_seed(bytes.fromhex("11223344"), b"\x00\x00"))
    assert session.hex().upper() == "9B1D924E05595603"
    request = bytes.fromhex("000000000000100001001122334455")
    assert purse_mac(DES, session, request).hex().upper() == "2988AE5A"
    grant = bytes.fromhex("000010000100112233445520111221214822")
    assert purse_mac(DES, session, grant).hex().upper() == "3A845BF0"


def test_worked_example_of_mac2_tac_and_diversification() -> None:
    session = purse_session_key(DES, KEY, SEED)
    assert PURCHASE.mac2(DES, session).hex().upper() == "56988A13"
    assert PURCHASE.tac(DES, KEY, bytes.fromhex("00000001")).hex().upper() == "F5B221C9"
    factor = bytes.fromhex("0000000012345678")
    assert diversify(DES, KEY, factor).hex().upper() == "5CF67455E06E58CA9F4183DA7064A2D2"


def test_worked_example_with_sm4() -> None:
    session = purse_session_key(SM4, KEY, SEED)
    assert session.hex().upper() == "837A2D7BAD7148114F160172E17BD1E9"
    assert PURCHASE.mac1(SM4, session).hex().upper() == "9BAFBCAC"
    assert PURCHASE.mac2(SM4, session).hex().upper() == "B05BF7F7"
    assert PURCHASE.tac(SM4, KEY, bytes.fromhex("00000001")).hex().upper() == "7D5C75D7"
    factor = bytes.fromhex("0000000012345678")
    assert diversify(SM4, KEY, factor).hex().upper() == "D8EED4570A5798FF296C40FC246EFFBD"


@pytest.mark.parametrize(("identifier", "algorithm"), [(0x00, DES), (0x04, SM4)])
def test_algorithm_identifiers(identifier: int, algorithm: Algorithm) -> None:
    assert purse_algorithm(identifier) is algorithm


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(AlgorithmNotSupported):
        purse_algorithm(0x02)
