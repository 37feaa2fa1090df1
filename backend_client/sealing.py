"""Personal data at rest: sealed with a key that is not in the database.

AES-256-GCM. Sealed bytes are version (1, always 01), nonce (12, random) and ciphertext with its
16-byte tag. The context (table, column, row) is authenticated with them, so that a sealed value
moved elsewhere does not open. With random nonces one key seals at most 2^32 values.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from backend_client.errors import SealBroken

KEY_SIZE = 32
_VERSION = b"\x01"
_NONCE_SIZE = 12
_TAG_SIZE = 16
_INDEX_DOMAIN = b"ssct blind index 1\0"


class Sealer:
    """Seals and opens bytes under one 32-byte key. `random(n)` gives n unpredictable bytes."""

    __slots__ = ("_aead", "_random")

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        """Raise ValueError for a key that is not 32 bytes."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if len(key) != KEY_SIZE:
            raise ValueError(f"a sealing key has {KEY_SIZE} bytes")
        self._aead = AESGCM(key)
        self._random = random

    def seal(self, data: bytes, context: bytes) -> bytes:
        """Encrypt and authenticate `data` for this context."""
        nonce = self._random(_NONCE_SIZE)
        if len(nonce) != _NONCE_SIZE:
            raise ValueError(f"a nonce has {_NONCE_SIZE} bytes")
        return _VERSION + nonce + self._aead.encrypt(nonce, data, _VERSION + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The data sealed for this context. Raises `SealBroken`."""
        from cryptography.exceptions import InvalidTag

        if len(sealed) < 1 + _NONCE_SIZE + _TAG_SIZE or sealed[:1] != _VERSION:
            raise SealBroken("not a sealed value")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_SIZE], sealed[1 + _NONCE_SIZE :]
        try:
            return self._aead.decrypt(nonce, ciphertext, _VERSION + context)
        except InvalidTag:
            raise SealBroken("altered, of another context, or sealed under another key") from None


def blind_index(key: bytes, data: bytes) -> bytes:
    """32 bytes to look `data` up by (a card id, say) without storing it in clear.

    HMAC-SHA256 under a separate derivation of the key, so the sealing key may be given.
    """
    index_key = hmac.digest(key, _INDEX_DOMAIN, hashlib.sha256)
    return hmac.digest(index_key, data, hashlib.sha256)
