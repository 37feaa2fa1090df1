"""Signing and verifying the documents that come by way of others.

The Ed25519 signature covers a prefix with the kind of the document, then its exact bytes. So a
signature of one kind never serves for another, and nothing is parsed before it is verified.
Signatures are checked against keys the terminal already trusts; the document only names one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from backend_client.codec import Message, dump, load
from backend_client.errors import BadMessage, BadSignature, ListTooLarge
from backend_client.messages import PublicKey, SignedDocument

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

M = TypeVar("M", bound=Message)

MAX_PAYLOAD = 6 * 1024 * 1024
"""No signed payload has more bytes than this; its base64 fits a body."""


def sign_document(message: Message, key_id: str, key: Ed25519PrivateKey) -> SignedDocument:
    """The publisher's side: the message's canonical bytes, signed. Raises `ListTooLarge`."""
    payload = dump(message)
    if len(payload) > MAX_PAYLOAD:
        raise ListTooLarge(f"{len(payload)} bytes; at most {MAX_PAYLOAD} can be published")
    signature = key.sign(_signed_bytes(message.schema, payload))
    return SignedDocument(
        base64.b64encode(payload).decode(),
        len(payload),
        key_id,
        base64.b64encode(signature).decode(),
    )


def open_document(
    document: SignedDocument, kind: type[M], keys: Iterable[PublicKey], now: datetime
) -> M:
    """The message in a document, after its size and its signature have been checked.

    Raises `ListTooLarge` (more bytes than declared or allowed), `BadSignature` (unknown key, key
    outside its time, wrong signature) or `BadMessage`.
    """
    if document.size > MAX_PAYLOAD or len(document.payload) > _base64_size(document.size):
        raise ListTooLarge("more bytes than declared or allowed")
    payload = _decoded(document.payload, "/payload")
    if len(payload) != document.size:
        raise BadMessage("/size", "size of the payload", document.schema)
    signature = _decoded(document.signature, "/signature")
    _verify(_key(document.key_id, keys, now), signature, _signed_bytes(kind.schema, payload))
    return load(kind, payload, limit=MAX_PAYLOAD)


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


def _verify(key: PublicKey, signature: bytes, data: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, data)
    except (InvalidSignature, ValueError):
        raise BadSignature("the signature does not belong to these bytes") from None


def _signed_bytes(schema: str, payload: bytes) -> bytes:
    """Domain separation: the kind of document in front of the payload, ended by a zero byte."""
    return b"ssct signed document: " + schema.encode() + b"\0" + payload


def _decoded(text: str, pointer: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadMessage(pointer, "base64", SignedDocument.schema) from None


def _base64_size(size: int) -> int:
    return (size + 2) // 3 * 4
