"""Personal data at rest: what is sealed opens again, for its own place only."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.errors import SealBroken
from backend_client.sealing import Sealer, blind_index

KEY = bytes(range(32))


def counting() -> Callable[[int], bytes]:
    """Distinct bytes, the same ones in every run."""
    counter = itertools.count(1)
    return lambda size: next(counter).to_bytes(size, "big")


def sealer(key: bytes = KEY) -> Sealer:
    return Sealer(key, counting())


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_what_is_sealed_opens_again(data: bytes, context: bytes) -> None:
    box = sealer()
    assert box.open(box.seal(data, context), context) == data


def test_the_ciphertext_is_that_of_the_gcm_specification() -> None:
    """McGrew and Viega, The Galois/Counter Mode of Operation, test case 14."""
    sealed = Sealer(bytes(32), bytes).seal(bytes(16), b"")
    assert sealed[:13] == b"\x01" + bytes(12)
    assert sealed[13:29].hex() == "cea7403d4d606b6e074ec5d3baf39d18"
    assert len(sealed) == 1 + 12 + 16 + 16


@given(st.data())
def test_any_changed_bit_breaks_the_seal(data: st.DataObject) -> None:
    sealed = bytearray(sealer().seal("张三".encode(), b"holder"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealBroken):
        sealer().open(bytes(sealed), b"holder")


@given(st.binary(max_size=60))
def test_garbage_breaks_the_seal(garbage: bytes) -> None:
    with pytest.raises(SealBroken):
        sealer().open(garbage, b"")


def test_another_context_or_key_breaks_the_seal() -> None:
    sealed = sealer().seal(b"secret", b"table.column.1")
    with pytest.raises(SealBroken):
        sealer().open(sealed, b"table.column.2")
    with pytest.raises(SealBroken):
        sealer(bytes(32)).open(sealed, b"table.column.1")


def test_every_seal_has_its_own_nonce() -> None:
    box = sealer()
    assert box.seal(b"same", b"") != box.seal(b"same", b"")


def test_a_wrong_key_size_or_a_broken_random_source_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(bytes(16), counting())
    with pytest.raises(ValueError, match="12 bytes"):
        Sealer(KEY, lambda _size: b"\x00").seal(b"", b"")


def test_the_error_shows_nothing_of_the_data() -> None:
    with pytest.raises(SealBroken) as caught:
        sealer().open(b"\x01" + b"secret" * 8, b"")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_blind_index_is_keyed_and_deterministic() -> None:
    index = blind_index(KEY, b"card")
    assert index == blind_index(KEY, b"card")
    assert len(index) == 32
    assert index != blind_index(KEY, b"card2")
    assert index != blind_index(bytes(32), b"card")
    assert index != hmac.digest(KEY, b"card", hashlib.sha256)
