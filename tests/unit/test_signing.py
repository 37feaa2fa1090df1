"""Signatures: only exact bytes, of the right kind, under a trusted key, come through."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from backend_client.errors import BadSignature
from backend_client.messages import PublicKey
from backend_client.signing import sign, verify

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone(dt.timedelta(hours=8)))
HOUR = dt.timedelta(hours=1)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TRUSTED = PublicKey("key-1", KEY.public_key().public_bytes_raw())
DATA = b"exact bytes"
SIGNATURE = sign("kind", DATA, KEY)


def check(
    signature: bytes = SIGNATURE, data: bytes = DATA, *keys: PublicKey, kind: str = "kind"
) -> None:
    verify(kind, data, signature, "key-1", keys or (TRUSTED,), NOW)


def test_the_signed_bytes_are_prefix_kind_zero_and_the_data() -> None:
    KEY.public_key().verify(SIGNATURE, b"ssct signed document: kind\0" + DATA)
    check()


@given(st.data())
def test_any_changed_bit_is_refused(data: st.DataObject) -> None:
    which = data.draw(st.sampled_from([DATA, SIGNATURE]))
    raw = bytearray(which)
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignature):
        check(*((SIGNATURE, bytes(raw)) if which is DATA else (bytes(raw), DATA)))


def test_a_signature_of_another_kind_is_refused() -> None:
    with pytest.raises(BadSignature):
        check(kind="other")


def test_an_unknown_key_and_a_borrowed_key_name_are_refused() -> None:
    for keys in ((), (replace(TRUSTED, key_id="key-2"),)):
        with pytest.raises(BadSignature):
            verify("kind", DATA, SIGNATURE, "key-1", keys, NOW)
    with pytest.raises(BadSignature):
        check(sign("kind", DATA, OTHER))


def test_the_key_named_is_the_one_used() -> None:
    second = PublicKey("key-2", OTHER.public_key().public_bytes_raw())
    verify("kind", DATA, sign("kind", DATA, OTHER), "key-2", (TRUSTED, second), NOW)
    with pytest.raises(BadSignature):
        check(sign("kind", DATA, OTHER), DATA, TRUSTED, second)


def test_a_key_counts_from_its_start_up_to_its_end() -> None:
    check(SIGNATURE, DATA, replace(TRUSTED, not_before=NOW, not_after=NOW + HOUR))
    for keys in (replace(TRUSTED, not_before=NOW + HOUR), replace(TRUSTED, not_after=NOW)):
        with pytest.raises(BadSignature):
            check(SIGNATURE, DATA, keys)


def test_a_key_of_no_use_is_an_error_of_ours() -> None:
    with pytest.raises(BadSignature):
        check(SIGNATURE, DATA, PublicKey("key-1", b"short"))
