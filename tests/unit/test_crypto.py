"""Rules of the card's cryptography that no published vector shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto import (
    Algorithm,
    Load,
    Purchase,
    auth_data,
    command_mac,
    decrypt_data,
    diversify,
    encrypt_blocks,
    encrypt_data,
    mac,
    pad80,
    region_factors,
    secured_command,
    session_key,
    tac,
)
from apdu.status import AlgorithmNotSupported

DES, SSF33, SM4 = Algorithm
HISTORICAL = bytes.fromhex("0081544C92868499010000007B")
PUBLIC = st.sampled_from([DES, SM4])
SESSION = {DES: bytes(range(8)), SM4: bytes(range(16))}


def test_region_33_takes_four_digits_at_city_level() -> None:
    assert region_factors("330300", HISTORICAL).level2 == b"330300sx"
    assert region_factors("330382", HISTORICAL).level2 == b"330300sx"
    assert region_factors("310382", HISTORICAL).level2 == b"310382sx"


@pytest.mark.parametrize("region", ["", "31010", "3101000", "31010A", "３１０１００"])
def test_region_codes_of_another_form_are_refused(region: str) -> None:
    with pytest.raises(ValueError, match="six digits"):
        region_factors(region, HISTORICAL)


def test_historical_bytes_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="13"):
        region_factors("990100", HISTORICAL[1:])


def test_children_are_as_long_as_their_parents() -> None:
    factor = b"99010000"
    assert len(diversify(DES, bytes(8), factor)) == 8
    assert len(diversify(DES, bytes(16), factor)) == 16
    assert diversify(DES, bytes(16), factor)[:8] == diversify(DES, bytes(8), factor)
    assert len(diversify(SM4, bytes(16), factor)) == 16


def test_an_8_byte_key_is_single_des() -> None:
    """FIPS 46-3, the example every DES implementation is tried with."""
    key, plain = bytes.fromhex("133457799BBCDFF1"), bytes.fromhex("0123456789ABCDEF")
    assert encrypt_blocks(DES, key, plain).hex().upper() == "85E813540F0AB405"


@pytest.mark.parametrize("algorithm", [DES, SM4])
def test_short_randoms_are_padded_on_the_right(algorithm: Algorithm) -> None:
    key = bytes(range(16))
    padded = b"\x01\x02\x03\x04".ljust(algorithm.block_size, b"\x00")
    assert session_key(algorithm, key, b"\x01\x02\x03\x04") == encrypt_blocks(
        algorithm, key, padded
    )


def test_ssf33_is_refused_everywhere() -> None:
    key = bytes(16)
    with pytest.raises(AlgorithmNotSupported):
        diversify(SSF33, key, bytes(8))
    with pytest.raises(AlgorithmNotSupported):
        auth_data(SSF33, key, bytes(8))
    with pytest.raises(AlgorithmNotSupported):
        mac(SSF33, key, b"")
    with pytest.raises(AlgorithmNotSupported):
        encrypt_data(SSF33, key, b"")


def test_mac_starts_from_its_iv() -> None:
    for algorithm, key in SESSION.items():
        challenge = bytes.fromhex("01020304")
        full = challenge.ljust(algorithm.block_size, b"\x00")
        assert mac(algorithm, key, b"data", challenge) == mac(algorithm, key, b"data", full)
        assert mac(algorithm, key, b"data", challenge) != mac(algorithm, key, b"data")


def test_command_mac_counts_itself_in_lc() -> None:
    header = bytes.fromhex("84240001")
    assert command_mac(DES, SESSION[DES], header, b"\xaa" * 8) == mac(
        DES, SESSION[DES], header + b"\x0c" + b"\xaa" * 8
    )


def test_sm4_pin_reload_has_the_length_of_the_recorded_one() -> None:
    """T1: 842400 01 14, 16 bytes of cipher and 4 of MAC."""
    command = secured_command(
        SM4, SESSION[SM4], bytes.fromhex("84240001"), b"\x12\x34\x56", encipher=True
    )
    assert bytes(command)[:5].hex() == "8424000114"
    assert len(bytes(command)) == 5 + 0x14


def test_des_tac_folds_a_long_key_only() -> None:
    left, right = bytes(range(8)), bytes(range(100, 108))
    folded = bytes(a ^ b for a, b in zip(left, right, strict=True))
    assert tac(DES, left + right, b"data") == mac(DES, folded, b"data")
    assert tac(DES, folded, b"data") == mac(DES, folded, b"data")
    assert tac(SM4, left + right, b"data") == mac(SM4, left + right, b"data")


def test_load_tac_covers_the_new_balance() -> None:
    load = Load(1000, 250, bytes(6), bytes(7))
    fields = bytes.fromhex("000004E2 0003 000000FA 31") + bytes(13)
    assert load.tac(SM4, bytes(16), b"\x00\x03") == mac(SM4, bytes(16), fields)


@given(PUBLIC, st.binary(max_size=200))
def test_enciphered_data_come_back(algorithm: Algorithm, data: bytes) -> None:
    cipher = encrypt_data(algorithm, SESSION[algorithm], data)
    assert len(cipher) % algorithm.block_size == 0
    assert decrypt_data(algorithm, SESSION[algorithm], cipher) == data


def test_data_that_fill_their_blocks_are_not_padded() -> None:
    assert len(encrypt_data(DES, SESSION[DES], bytes(7))) == 8
    assert len(encrypt_data(DES, SESSION[DES], bytes(8))) == 16


@given(PUBLIC, st.binary(max_size=64))
def test_hostile_cipher_is_refused_or_decodes(algorithm: Algorithm, cipher: bytes) -> None:
    try:
        data = decrypt_data(algorithm, SESSION[algorithm], cipher)
    except ValueError:
        return
    assert encrypt_data(algorithm, SESSION[algorithm], data) == cipher


@given(st.binary(max_size=40), st.sampled_from([8, 16]))
def test_padding_is_always_added(data: bytes, block: int) -> None:
    padded = pad80(data, block)
    assert len(padded) % block == 0
    assert 0 < len(padded) - len(data) <= block
    assert padded.rstrip(b"\x00") == data + b"\x80"


@given(st.tuples(*[st.integers(0, 0xFFFFFFFF)] * 3))
def test_every_amount_is_under_every_mac(amounts: tuple[int, int, int]) -> None:
    account, self_pay, fund = amounts
    purchase = Purchase(account, self_pay, fund, bytes(6), bytes(7))
    other = Purchase(account, self_pay, fund ^ 1, bytes(6), bytes(7))
    assert len(purchase.amounts) == 12
    for algorithm, key in SESSION.items():
        assert purchase.mac2(algorithm, key) != other.mac2(algorithm, key)
