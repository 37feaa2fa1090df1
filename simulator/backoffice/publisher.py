"""Publishing the blacklist: a signed snapshot and signed, numbered deltas.

A change and the version that carries it are one transaction, so a function freezes at once
(Article 18). A temporary loss carries its end and needs nothing more to lift; its entry leaves the
list with the next version. A release is a removal. A list that nothing happened to is prolonged by
an empty delta as soon as somebody asks after `refresh`.

What is signed is checked first as a terminal checks it: a version that nobody can take would cut
every terminal off from all that follow. So a change that leads to one is refused, not published.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from backend_client.blacklist import Blacklist, apply_update, set_hash
from backend_client.codec import decode, encode
from backend_client.errors import BackendError
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
from simulator.backoffice.errors import Refused
from simulator.backoffice.listings import entry_of
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import Register
from simulator.backoffice.schema import Card, ListingRow, ListVersion
from simulator.backoffice.vault import Vault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = logging.getLogger(__name__)

KEY_ID = "list-1"
_MAX_DELTAS = 100
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
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
        self._held: Blacklist | None = None

    @property
    def public_key(self) -> PublicKey:
        """The key that terminals check the list with."""
        return PublicKey(KEY_ID, self._key.public_key().public_bytes_raw())

    def publish(self, session: Session, now: datetime, *, prolong: bool = False) -> ListVersion:
        """Issue a new version if anything changed, or if the list is to be prolonged anyway.

        Raises `Refused` INTERNAL, to be undone with what led to it, for one no terminal could take.
        """
        newest = _newest(session)
        rows = _changed(session, now)
        added = [row for row in rows if row.added_in is None and not row.is_removed]
        removed = [row for row in rows if row.added_in is not None and row.is_removed]
        if newest is not None and not added and not removed and not prolong:
            return newest
        before = self._standing(session, newest)
        delta = self._delta(before, self._entries(session, added), removed, now)
        signed = self._signed(delta)
        self._held = self._verified(before, BlacklistUpdate(deltas=(signed,)), now)
        for row in rows:
            row.added_in = row.added_in or delta.version
            row.removed_in = delta.version if row.is_removed else None
        issued = ListVersion(
            version=delta.version,
            set_hash=delta.result_hash,
            entry_count=delta.entry_count,
            issued_at=now,
            expires_at=delta.expires_at,
            delta=self._vault.seal(encode(signed), "deltas", str(delta.version)),
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
        entries = self._standing(session, newest).entries
        snapshot = BlacklistSnapshot(
            issuer=self.policy.issuer,
            version=newest.version,
            result_hash=newest.set_hash,
            issued_at=newest.issued_at,
            expires_at=newest.expires_at,
            coverage=Coverage(self.policy.regions, newest.issued_at),
            entry_count=newest.entry_count,
            added=tuple(entries.values()),
        )
        signed = self._signed(snapshot)
        self._verified(None, BlacklistUpdate(snapshot=signed), newest.issued_at)
        newest.snapshot = self._vault.seal(encode(signed), "snapshots", str(newest.version))
        return signed

    def _delta(
        self,
        before: Blacklist,
        added: tuple[BlacklistEntry, ...],
        removed: Sequence[ListingRow],
        now: datetime,
    ) -> BlacklistDelta:
        """What leads from the list before to the next version."""
        gone = tuple(entry_of(row, None).entry_id for row in removed)
        after = {**before.entries, **{entry.entry_id: entry for entry in added}}
        for entry_id in gone:
            after.pop(entry_id, None)
        return BlacklistDelta(
            issuer=self.policy.issuer,
            version=before.version + 1,
            previous_version=before.version,
            previous_hash=before.set_hash,
            result_hash=set_hash(after.values()),
            issued_at=now,
            expires_at=now + self.policy.lifetime,
            coverage=Coverage(self.policy.regions, now),
            entry_count=len(after),
            added_count=len(added),
            removed_count=len(removed),
            added=added,
            removed=gone,
        )

    def _standing(self, session: Session, newest: ListVersion | None) -> Blacklist:
        """The newest version as terminals hold it, an empty one before the first.

        What this process published last is kept, so that a change costs no walk through the
        database. Its hash tells whether it is still the newest: another process may have published
        since, or the transaction may have been undone.
        """
        if newest is None:
            return self._as_version(None, set_hash(()), {})
        held = self._held
        if held is None or held.set_hash != newest.set_hash:
            published = select(ListingRow).where(
                ListingRow.added_in.is_not(None), ListingRow.removed_in.is_(None)
            )
            rows = session.scalars(published.order_by(ListingRow.id)).all()
            entries = {entry.entry_id: entry for entry in self._entries(session, rows)}
            held = self._as_version(newest, set_hash(entries.values()), entries)
            if held.set_hash != newest.set_hash:
                raise _unpublishable("it does not continue what was published")
            self._held = held
        return self._as_version(newest, held.set_hash, held.entries)

    def _as_version(
        self, row: ListVersion | None, hash_: bytes, entries: Mapping[str, BlacklistEntry]
    ) -> Blacklist:
        issued_at = row.issued_at if row else _NEVER
        return Blacklist(
            issuer=self.policy.issuer,
            version=row.version if row else 0,
            set_hash=hash_,
            issued_at=issued_at,
            expires_at=row.expires_at if row else _NEVER,
            coverage=Coverage(self.policy.regions, issued_at),
            entries=entries,
        )

    def _signed(self, document: BlacklistDelta | BlacklistSnapshot) -> SignedDocument:
        try:
            return sign_document(document, KEY_ID, self._key)
        except BackendError as error:
            raise _unpublishable(error.code) from None

    def _verified(
        self, before: Blacklist | None, update: BlacklistUpdate, now: datetime
    ) -> Blacklist:
        """The list that a terminal gets from an update. Raises `Refused` if it gets none."""
        keys, issuer = (self.public_key,), self.policy.issuer
        try:
            return apply_update(before, update, keys=keys, issuer=issuer, now=now)
        except BackendError as error:
            raise _unpublishable(error.code) from None

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


def _changed(session: Session, now: datetime) -> Sequence[ListingRow]:
    """The rows that make the next version, in order; what has lapsed is taken off first."""
    session.flush()
    has_lapsed = ListingRow.valid_until <= now
    rows = session.scalars(
        select(ListingRow)
        .where(
            ListingRow.removed_in.is_(None),
            or_(ListingRow.added_in.is_(None), ListingRow.is_removed, has_lapsed),
        )
        .order_by(ListingRow.id)
    ).all()
    for row in rows:
        if row.valid_until is not None and row.valid_until <= now:
            row.is_removed = True
    return rows


def _unpublishable(why: str) -> Refused:
    log.error("no terminal would take the list: %s", why)
    return Refused(Refusal.INTERNAL, detail=f"no terminal would take the list: {why}")
