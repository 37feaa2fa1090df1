"""Signing and verifying the documents that come by way of others.

The Ed25519 signature covers a prefix with the kind of the document, then its exact bytes. So a
signature of one kind never serves for another, and nothing is parsed before it is verified.
Signatures are checked against keys the terminal already trusts; the document only names one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from backend_client.errors import BadSignature
from backend_client.messages import PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE_SIZE = 64


def sign(kind: str, data: bytes, key: Ed25519PrivateKey) -> bytes:
    """The signature of `data` as a document of that kind, 64 bytes."""
    return key.sign(signed_bytes(kind, data))


def verify(
    kind: str,
    data: bytes,
    signature: bytes,
    key_id: str,
    keys: Iterable[PublicKey],
    now: datetime,
) -> None:
    """Raise `BadSignature`: unknown key, key outside its time, wrong signature."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = _key(key_id, keys, now)
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, signed_bytes(kind, data))
    except (InvalidSignature, ValueError):
        raise BadSignature("the signature does not belong to these bytes") from None


def _key(key_id: str, keys: Iterable[PublicKey], now: datetime) -> PublicKey:
    for key in keys:
        if key.key_id == key_id:
            break
    else:
        raise BadSignature("signed by a key that is not trusted here")
    if key.not_before is not None and now < key.not_before:
        raise BadSignature("signed by a key that is not valid yet")
    if key.not_after is not None and now >= key.not_after:
        raise BadSignature("signed by a key that is not valid any more")
    return key


def signed_bytes(kind: str, data: bytes) -> bytes:
    """Domain separation: the kind of document in front of its bytes, ended by a zero byte."""
    return b"ssct signed document: " + kind.encode() + b"\0" + data
