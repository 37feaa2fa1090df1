"""Signed documents: only exact bytes, of the right kind, under a trusted key, come through."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from backend_client import errors, signing
from backend_client.messages import CardRef, PublicKey, ServerTime, SignedDocument
from backend_client.signing import open_document, sign_document

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone(dt.timedelta(hours=8)))
HOUR = dt.timedelta(hours=1)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TRUSTED = PublicKey("key-1", KEY.public_key().public_bytes_raw())
MESSAGE = ServerTime(NOW)
DOCUMENT = sign_document(MESSAGE, "key-1", KEY)


def opened(document: SignedDocument, *keys: PublicKey) -> ServerTime:
    return open_document(document, ServerTime, keys or (TRUSTED,), NOW)


def test_a_signed_document_opens() -> None:
    assert opened(DOCUMENT) == MESSAGE


def test_the_signed_bytes_are_prefix_kind_zero_and_canonical_json() -> None:
    payload = b'{"now":"2026-11-23T12:00:00+08:00"}'
    assert base64.b64decode(DOCUMENT.payload) == payload
    assert DOCUMENT.size == len(payload)
    signature = base64.b64decode(DOCUMENT.signature)
    KEY.public_key().verify(signature, b"ssct signed document: server-time:1\0" + payload)


@given(st.data())
def test_any_changed_bit_is_refused(data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(["payload", "signature"]))
    raw = bytearray(base64.b64decode(getattr(DOCUMENT, field)))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    altered = {field: base64.b64encode(raw).decode()}
    with pytest.raises(errors.BadSignature):
        opened(replace(DOCUMENT, **altered))  # type: ignore[arg-type]  # one of the str fields


def test_a_document_of_another_kind_is_refused() -> None:
    with pytest.raises(errors.BadSignature):
        open_document(DOCUMENT, CardRef, (TRUSTED,), NOW)


def test_an_unknown_key_and_a_borrowed_key_name_are_refused() -> None:
    with pytest.raises(errors.BadSignature):
        opened(replace(DOCUMENT, key_id="key-2"))
    with pytest.raises(errors.BadSignature):
        opened(sign_document(MESSAGE, "key-1", OTHER))
    with pytest.raises(errors.BadSignature):
        open_document(DOCUMENT, ServerTime, (), NOW)


def test_the_key_named_is_the_one_used() -> None:
    second = PublicKey("key-2", OTHER.public_key().public_bytes_raw())
    assert opened(sign_document(MESSAGE, "key-2", OTHER), TRUSTED, second) == MESSAGE
    with pytest.raises(errors.BadSignature):
        opened(sign_document(MESSAGE, "key-1", OTHER), TRUSTED, second)


def test_a_key_counts_from_its_start_up_to_its_end() -> None:
    assert opened(DOCUMENT, replace(TRUSTED, not_before=NOW, not_after=NOW + HOUR)) == MESSAGE
    with pytest.raises(errors.BadSignature):
        opened(DOCUMENT, replace(TRUSTED, not_before=NOW + HOUR))
    with pytest.raises(errors.BadSignature):
        opened(DOCUMENT, replace(TRUSTED, not_after=NOW))


def test_a_key_of_no_use_is_an_error_of_ours() -> None:
    with pytest.raises(errors.BadSignature):
        opened(DOCUMENT, PublicKey("key-1", b"short"))


def test_more_bytes_than_declared_are_refused_before_they_are_decoded() -> None:
    with pytest.raises(errors.ListTooLarge):
        opened(replace(DOCUMENT, payload="!" * 100))
    with pytest.raises(errors.ListTooLarge):
        opened(replace(DOCUMENT, size=signing.MAX_PAYLOAD + 1))


def test_another_size_than_declared_is_refused() -> None:
    with pytest.raises(errors.BadMessage) as caught:
        opened(replace(DOCUMENT, size=DOCUMENT.size + 1))
    assert caught.value.pointer == "/size"


@pytest.mark.parametrize("field", ["payload", "signature"])
def test_what_is_not_base64_is_refused(field: str) -> None:
    text = getattr(DOCUMENT, field)
    with pytest.raises(errors.BadMessage) as caught:
        opened(replace(DOCUMENT, **{field: "*" + text[1:]}))
    assert caught.value.pointer == f"/{field}"


def test_nothing_is_parsed_before_it_is_verified() -> None:
    junk = base64.b64encode(b"{").decode()
    with pytest.raises(errors.BadSignature):
        opened(replace(DOCUMENT, payload=junk, size=1))


def test_signed_nonsense_is_refused_too() -> None:
    payload = b'{"now":"never"}'
    signature = KEY.sign(b"ssct signed document: server-time:1\0" + payload)
    document = SignedDocument(
        base64.b64encode(payload).decode(),
        len(payload),
        "key-1",
        base64.b64encode(signature).decode(),
    )
    with pytest.raises(errors.BadMessage) as caught:
        opened(document)
    assert caught.value.pointer == "/now"


def test_a_publisher_cannot_sign_more_than_a_terminal_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signing, "MAX_PAYLOAD", 10)
    with pytest.raises(errors.ListTooLarge):
        sign_document(MESSAGE, "key-1", KEY)
