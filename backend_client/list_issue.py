"""The issuer's side of the blacklist: a version, or what leads to it from another, signed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from backend_client.blacklist import Blacklist
from backend_client.list_document import body_hash, delta_body, sign_list
from backend_client.list_messages import ListHeader

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def sign_snapshot(held: Blacklist, key_id: str, key: Ed25519PrivateKey) -> bytes:
    """The whole of a version. Raises `ListTooLarge`."""
    body = held.entries.encode()
    header = _header(held, body, removed=0, added=len(held.entries))
    return sign_list(header, body, key_id, key)


def sign_delta(before: Blacklist, after: Blacklist, key_id: str, key: Ed25519PrivateKey) -> bytes:
    """What leads from a version to a later one. Raises `ListTooLarge`."""
    removed = before.entries.minus(after.entries)
    added = after.entries.minus(before.entries)
    body = delta_body(removed, added)
    header = _header(after, body, removed=len(removed), added=len(added))
    header = replace(header, previous_version=before.version, previous_hash=before.set_hash)
    return sign_list(header, body, key_id, key)


def _header(held: Blacklist, body: bytes, *, removed: int, added: int) -> ListHeader:
    return ListHeader(
        issuer=held.issuer,
        version=held.version,
        previous_version=None,
        previous_hash=None,
        result_hash=held.set_hash,
        issued_at=held.issued_at,
        expires_at=held.expires_at,
        coverage=held.coverage,
        entry_count=len(held.entries),
        removed_count=removed,
        added_count=added,
        body_size=len(body),
        body_hash=body_hash(body),
    )
