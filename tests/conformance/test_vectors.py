"""Check vectors from outside: facts appendix B (every row), GB/T 32907, a real PIN challenge (T9).

The keys of appendix B are invented. Rows that the appendix leaves open for SM4 are not here.
"""

from __future__ import annotations

import hashlib

import pytest

from apdu.crypto import (
    Algorithm,
    Load,
    Purchase,
    auth_data,
    card_key,
    diversify,
    encrypt_blocks,
    load_session_key,
    mac,
    purchase_session_key,
    region_factors,
    secured_command,
    session_key,
    tac,
)

DES, SM4 = Algorithm.DES, Algorithm.SM4

REGION = "990100"
HISTORICAL = bytes.fromhex("0081544C92868499010000007B")
ROOT = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
FACTOR = bytes.fromhex("1122334455667788")
ORIGINAL = bytes.fromhex("A1A2A3A4A5A6A7A8")
STK_ROOT = {
    DES: bytes.fromhex("0123456789ABCDEF"),
    SM4: bytes.fromhex("0123456789ABCDEF0123456789ABCDEF"),
}
PIN = bytes.fromhex("123456")
TERMINAL = bytes.fromhex("990100000001")
TIME = bytes.fromhex("20260102030405")
RANDOM = bytes.fromhex("C0FFEE01")
PSAM_SEQUENCE = bytes.fromhex("00000123")


def test_diversification_factors() -> None:
    factors = region_factors(REGION, HISTORICAL)
    assert factors.level1.hex().upper() == "3939303030307368"
    assert factors.level2.hex().upper() == "3939303130307378"
    assert factors.level3.hex().upper() == "868499010000007B"


@pytest.mark.parametrize(
    ("algorithm", "level1", "level2", "card"),
    [
        (
            DES,
            "8DA86E66A2CC3912DD7D71E562F7A0B6",
            "69FF8BB0F1A15E048B117B1DC2D8801D",
            "D7C10A089BAE5238A77FC956DA6900B2",
        ),
        (
            SM4,
            "130E1DACFEF414735970C01DE1F81B2E",
            "D9CCA310803EC752D250E8D09E4AA8C0",
            "8438AB9DB278C313B1152D26DF75CC31",
        ),
    ],
)
def test_three_levels_of_diversification(
    algorithm: Algorithm, level1: str, level2: str, card: str
) -> None:
    factors = region_factors(REGION, HISTORICAL)
    province = diversify(algorithm, ROOT, factors.level1)
    city = diversify(algorithm, province, factors.level2)
    assert province.hex().upper() == level1
    assert city.hex().upper() == level2
    assert diversify(algorithm, city, factors.level3).hex().upper() == card
    assert card_key(algorithm, ROOT, REGION, HISTORICAL).hex().upper() == card


@pytest.mark.parametrize(
    ("algorithm", "session", "data"),
    [
        (DES, "1A6138C40AE4B5F9", "6CA63E545BD8C16D"),
        (SM4, "53D3E7CE19B311A588A4B3F57CE809C5", "9EB9B4342C50EB6C"),
    ],
)
def test_session_key_and_authentication_data(algorithm: Algorithm, session: str, data: str) -> None:
    key = session_key(algorithm, card_key(algorithm, ROOT, REGION, HISTORICAL), FACTOR)
    assert key.hex().upper() == session
    assert auth_data(algorithm, key, ORIGINAL).hex().upper() == data


def test_message_key_of_a_des_card_is_single_des() -> None:
    key = card_key(DES, STK_ROOT[DES], REGION, HISTORICAL)
    assert key.hex().upper() == "B4B1A97D907639B1"


@pytest.mark.parametrize(
    ("header", "pin", "command"),
    [
        pytest.param("84240001", PIN, "842400010CF55C2E69706C590797E51E3E", id="PIN reload"),
        pytest.param("84240000", b"", "8424000004642FB8F7", id="PIN unblock"),
        pytest.param("841E0001", b"", "841E000104C1F35057", id="application block"),
    ],
)
def test_secured_commands_of_a_des_card(header: str, pin: bytes, command: str) -> None:
    session = session_key(DES, card_key(DES, STK_ROOT[DES], REGION, HISTORICAL), FACTOR)
    made = secured_command(DES, session, bytes.fromhex(header), pin, encipher=bool(pin))
    assert bytes(made).hex().upper() == command


def test_purchase_of_a_des_card() -> None:
    dpk = card_key(DES, ROOT, REGION, HISTORICAL)
    session = purchase_session_key(DES, dpk, RANDOM, bytes.fromhex("0007"), PSAM_SEQUENCE)
    purchase = Purchase(0, 0x3039, 0x2710, TERMINAL, TIME)
    assert session.hex().upper() == "297DA5ADD1564447"
    assert purchase.mac1(DES, session).hex().upper() == "E6501057"
    assert purchase.mac2(DES, session).hex().upper() == "8035FEB9"
    assert purchase.tac(DES, ROOT, PSAM_SEQUENCE).hex().upper() == "2DC66525"


def test_load_of_a_des_card() -> None:
    dlk = card_key(DES, ROOT, REGION, HISTORICAL)
    session = load_session_key(DES, dlk, RANDOM, bytes.fromhex("0003"))
    load = Load(0x3E8, 0x2710, TERMINAL, TIME)
    assert session.hex().upper() == "DC59C2C713525DBF"
    assert load.mac1(DES, session).hex().upper() == "ED10A2E9"
    assert load.mac2(DES, session).hex().upper() == "F143306A"


def test_sm4_block() -> None:
    """GB/T 32907-2016, annex A.1."""
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    cipher = bytes.fromhex("681EDF34D206965E86B3E94F536E4246")
    assert encrypt_blocks(SM4, key, key) == cipher


def test_sm4_with_the_key_of_a_real_certificate_application() -> None:
    """T9: a published PIN challenge and its answer, the key being SM3 of the PIN 12 34 56."""
    key = hashlib.new("sm3", PIN).digest()[:16]
    assert key.hex().upper() == "3DE741F445DD357BEA4E6C3FE6437036"
    answer = encrypt_blocks(SM4, key, bytes.fromhex("178CEDCF32C5D7990216632170C7CD37"))
    assert answer.hex().upper() == "358B51056B9B9EB2C96B20E7DB7A6B8F"


def test_3des_session_keys_macs_and_tac_as_published_for_purses() -> None:
    """Published purse vectors (facts on purses, A1): the same primitives, other fields."""
    key = bytes.fromhex("11223344556677888877665544332211")
    purchase = session_key(DES, key, bytes.fromhex("1122334400000001"))
    assert purchase.hex().upper() == "003238ABC57659DD"
    fields = bytes.fromhex("00001000 06 001122334455 20120229135100")
    assert mac(DES, purchase, fields).hex().upper() == "F15CAB75"
    load = session_key(DES, key, bytes.fromhex("1122334400008000"))
    assert load.hex().upper() == "9B1D924E05595603"
    fields = bytes.fromhex("00000000 00001000 01 001122334455")
    assert mac(DES, load, fields).hex().upper() == "2988AE5A"
    fields = bytes.fromhex("00001000 06 001122334455 00000001 20120229135100")
    assert tac(DES, key, fields).hex().upper() == "F5B221C9"
