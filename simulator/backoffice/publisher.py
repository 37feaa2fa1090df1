"""Publishing the blacklist: a signed snapshot and signed, numbered deltas.

A change and the version that carries it are one transaction, so a function freezes at once
(Article 18). A temporary loss carries its end and needs nothing more to lift; its entry leaves the
list with the next version. A release is a removal. A list that nothing happened to is prolonged by
an empty delta as soon as somebody asks after `refresh`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.blacklist import set_hash
from backend_client.codec import decode, encode
from backend_client.messages import (
    BlacklistDelta,
    BlacklistEntry,
    BlacklistSnapshot,
    BlacklistUpdate,
    Coverage,
    PublicKey,
    SignedDocument,
)
from backend_client.signing import sign_document
from simulator.backoffice.listings import entry_of
from simulator.backoffice.register import Register
from simulator.backoffice.schema import Card, ListingRow, ListVersion
from simulator.backoffice.vault import Vault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_ID = "list-1"
_MAX_DELTAS = 100
_MAX_DELTA_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """Who issues the list, for which regions, how long a version is good and when it is renewed."""

    issuer: str = "ssct-reference"
    regions: tuple[str, ...] = ("990100",)
    lifetime: timedelta = timedelta(days=7)
    refresh: timedelta = timedelta(hours=1)


class Publisher:
    """Signs and numbers the list. Every method works in the caller's transaction."""

    def __init__(
        self, policy: ListPolicy, key: Ed25519PrivateKey, register: Register, vault: Vault
    ) -> None:
        self.policy = policy
        self._key = key
        self._register = register
        self._vault = vault

    @property
    def public_key(self) -> PublicKey:
        """The key that terminals check the list with."""
        return PublicKey(KEY_ID, self._key.public_key().public_bytes_raw())

    def publish(self, session: Session, now: datetime, *, prolong: bool = False) -> ListVersion:
        """Issue a new version if anything changed, or if the list is to be prolonged anyway."""
        newest = _newest(session)
        rows = _unpublished_or_standing(session, now)
        added = [row for row in rows if row.added_in is None and not row.is_removed]
        removed = [row for row in rows if row.added_in is not None and row.is_removed]
        if newest is not None and not added and not removed and not prolong:
            return newest
        version = newest.version + 1 if newest else 1
        for row in rows:
            row.added_in = row.added_in or version
            row.removed_in = version if row.is_removed else None
        standing = self._entries(session, [row for row in rows if not row.is_removed])
        delta = BlacklistDelta(
            issuer=self.policy.issuer,
            version=version,
            previous_version=version - 1,
            previous_hash=newest.set_hash if newest else set_hash(()),
            result_hash=set_hash(standing),
            issued_at=now,
            expires_at=now + self.policy.lifetime,
            coverage=Coverage(self.policy.regions, now),
            entry_count=len(standing),
            added_count=len(added),
            removed_count=len(removed),
            added=self._entries(session, added),
            removed=tuple(entry_of(row, None).entry_id for row in removed),
        )
        signed = sign_document(delta, KEY_ID, self._key)
        issued = ListVersion(
            version=version,
            set_hash=delta.result_hash,
            entry_count=delta.entry_count,
            issued_at=now,
            expires_at=delta.expires_at,
            delta=self._vault.seal(encode(signed), "deltas", str(version)),
        )
        session.add(issued)
        return issued

    def update(self, session: Session, since: int, now: datetime) -> BlacklistUpdate:
        """What brings a list of version `since` up to date; 0 is no list at all."""
        newest = _newest(session)
        if newest is None or now >= newest.issued_at + self.policy.refresh:
            newest = self.publish(session, now, prolong=True)
        if since == newest.version:
            return BlacklistUpdate()
        if 0 < since < newest.version and newest.version - since <= _MAX_DELTAS:
            later = select(ListVersion).where(ListVersion.version > since)
            rows = session.scalars(later.order_by(ListVersion.version)).all()
            deltas = tuple(self._opened(row.delta, "deltas", row) for row in rows)
            if sum(delta.size for delta in deltas) <= _MAX_DELTA_BYTES:
                return BlacklistUpdate(deltas=deltas)
        return BlacklistUpdate(snapshot=self._snapshot(session, newest))

    def _snapshot(self, session: Session, newest: ListVersion) -> SignedDocument:
        """The whole of the newest version; made when first asked for, then kept."""
        if newest.snapshot is not None:
            return self._opened(newest.snapshot, "snapshots", newest)
        standing = select(ListingRow).where(
            ListingRow.added_in.is_not(None), ListingRow.removed_in.is_(None)
        )
        entries = self._entries(session, session.scalars(standing).all())
        snapshot = BlacklistSnapshot(
            issuer=self.policy.issuer,
            version=newest.version,
            result_hash=newest.set_hash,
            issued_at=newest.issued_at,
            expires_at=newest.expires_at,
            coverage=Coverage(self.policy.regions, newest.issued_at),
            entry_count=newest.entry_count,
            added=entries,
        )
        signed = sign_document(snapshot, KEY_ID, self._key)
        newest.snapshot = self._vault.seal(encode(signed), "snapshots", str(newest.version))
        return signed

    def _opened(self, sealed: bytes, table: str, row: ListVersion) -> SignedDocument:
        return decode(SignedDocument, self._vault.open(sealed, table, str(row.version)))

    def _entries(self, session: Session, rows: Sequence[ListingRow]) -> tuple[BlacklistEntry, ...]:
        ids = {row.id: self._card_id(session, row) for row in rows}
        return tuple(entry_of(row, ids[row.id]) for row in rows)

    def _card_id(self, session: Session, row: ListingRow) -> str | None:
        if row.card is None:
            return None
        return self._register.ref(session.get_one(Card, row.card)).card_id


def _newest(session: Session) -> ListVersion | None:
    return session.scalar(select(ListVersion).order_by(ListVersion.version.desc()).limit(1))


def _unpublished_or_standing(session: Session, now: datetime) -> Sequence[ListingRow]:
    """The rows that make the next version, in order; what has lapsed is taken off first."""
    session.flush()
    rows = session.scalars(
        select(ListingRow).where(ListingRow.removed_in.is_(None)).order_by(ListingRow.id)
    ).all()
    for row in rows:
        if row.valid_until is not None and row.valid_until <= now:
            row.is_removed = True
    return rows
