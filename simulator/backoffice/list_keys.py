"""The keys that sign the blacklist, and the statements that change them.

One statement key, which here lies in the same database, sealed; in the field it is kept apart and
used by hand. It signs nothing but statements about the list keys. The newest list key signs; the
one before stays good for a while, so that what it signed can still be taken.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.orm import Session

from backend_client.codec import decode, encode
from backend_client.errors import BadMessage, SealBroken
from backend_client.list_document import sign_keys
from backend_client.list_messages import KeyStatement
from backend_client.messages import PublicKey
from simulator.backoffice.errors import KeyUnusable
from simulator.backoffice.schema import Meta
from simulator.backoffice.vault import Vault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_META = "list_keys"
_STATEMENT_KEY_ID = "statement-1"
_SECRET_SIZE = 32


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys as they stand.

    `trusted` are those that terminals believe, the signing one last; `ever` are all that ever
    signed, without limits. `statement` is the number of the last statement and `document` its
    bytes, 0 and None before the first. `deltas_from` is the first version whose delta can be
    believed: earlier ones are signed with a key that was taken away at once.
    """

    signing: Ed25519PrivateKey
    signing_id: str
    trusted: tuple[PublicKey, ...]
    ever: tuple[PublicKey, ...]
    statement_key: PublicKey
    statement: int
    document: bytes | None
    deltas_from: int


class ListKeys:
    """Keeps the keys, sealed, in the database. Every method works in the caller's transaction."""

    def __init__(self, issuer: str, vault: Vault, random: Callable[[int], bytes]) -> None:
        self._issuer = issuer
        self._vault = vault
        self._random = random

    def ring(self, session: Session) -> KeyRing:
        """The keys, made when there are none. Raises `KeyUnusable` under a wrong sealing key."""
        return _ring(self._load(session))

    def rotate(self, session: Session, now: datetime, keep_for: timedelta, newest: int) -> KeyRing:
        """A new signing key, told by a statement; the keys so far are good for `keep_for` more.

        `keep_for` zero takes them away at once: after a key has got into wrong hands. `newest` is
        the last version that they signed.
        """
        kept = self._load(session)
        until = now + keep_for
        trusted = [decode(PublicKey, value) for value in kept["trusted"]]
        still_good = [
            PublicKey(key.key_id, key.key, key.not_before, min(key.not_after or until, until))
            for key in trusted
            if keep_for and (key.not_after is None or key.not_after > now)
        ]
        number = kept["statement"] + 1
        key_id, secret = f"list-{number + 1}", self._random(_SECRET_SIZE).hex()
        new = PublicKey(key_id, _public(secret))
        statement = KeyStatement(self._issuer, number, now, (*still_good, new))
        document = sign_keys(statement, _STATEMENT_KEY_ID, _private(kept["statement_secret"]))
        kept |= {
            "signing_id": key_id,
            "signing_secret": secret,
            "trusted": [encode(key) for key in statement.keys],
            "ever": [*kept["ever"], encode(new)],
            "statement": number,
            "document": base64.b64encode(document).decode(),
            "deltas_from": kept["deltas_from"] if keep_for else newest + 1,
        }
        self._save(session, kept)
        return _ring(kept)

    def _load(self, session: Session) -> dict[str, Any]:
        row = session.get(Meta, _META)
        if row is None:
            return self._made(session)
        try:
            return cast(dict[str, Any], self._vault.open(row.value, "meta", _META))
        except (SealBroken, BadMessage):
            raise KeyUnusable("the sealing key is not the one of this database") from None

    def _made(self, session: Session) -> dict[str, Any]:
        secret = self._random(_SECRET_SIZE).hex()
        first = encode(PublicKey("list-1", _public(secret)))
        kept: dict[str, Any] = {
            "signing_id": "list-1",
            "signing_secret": secret,
            "trusted": [first],
            "ever": [first],
            "statement_secret": self._random(_SECRET_SIZE).hex(),
            "statement": 0,
            "document": None,
            "deltas_from": 1,
        }
        self._save(session, kept)
        return kept

    def _save(self, session: Session, kept: dict[str, Any]) -> None:
        session.merge(Meta(name=_META, value=self._vault.seal(kept, "meta", _META)))


def _ring(kept: dict[str, Any]) -> KeyRing:
    document = kept["document"]
    return KeyRing(
        signing=_private(kept["signing_secret"]),
        signing_id=kept["signing_id"],
        trusted=tuple(decode(PublicKey, value) for value in kept["trusted"]),
        ever=tuple(decode(PublicKey, value) for value in kept["ever"]),
        statement_key=PublicKey(_STATEMENT_KEY_ID, _public(kept["statement_secret"])),
        statement=kept["statement"],
        document=None if document is None else base64.b64decode(document),
        deltas_from=kept["deltas_from"],
    )


def _private(secret: str) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))


def _public(secret: str) -> bytes:
    return _private(secret).public_key().public_bytes_raw()
