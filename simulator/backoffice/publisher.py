"""Publishing the blacklist: signed, numbered deltas, and now and then a signed snapshot.

A change and the version that carries it are one transaction, so a function freezes at once
(Article 18); when it is committed the bell wakes whoever waits for news. A temporary loss carries
its end and needs nothing more to lift; its entry leaves the list with the next version. A release
is a removal. A list that nothing happened to is prolonged by an empty delta as soon as somebody
asks after `refresh`.

What is signed is checked first as a terminal checks it: a version that nobody can take would cut
every terminal off from all that follow. So a change that leads to one is refused, not published.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from backend_client.blacklist import Blacklist, Trust, apply_documents
from backend_client.entry_set import EntrySet
from backend_client.errors import BackendError
from backend_client.list_issue import sign_delta, sign_snapshot
from backend_client.list_messages import BlacklistEntry, Coverage
from backend_client.messages import PublicKey
from backend_client.transit_messages import listed_id
from simulator.backoffice.bell import Bell
from simulator.backoffice.errors import Refused
from simulator.backoffice.list_keys import ListKeys
from simulator.backoffice.listings import entry_of, purse_number
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import Register
from simulator.backoffice.schema import Card, ListingRow, ListVersion
from simulator.backoffice.vault import Vault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = logging.getLogger(__name__)

_MAX_DELTAS = 100
_MAX_DELTA_BYTES = 2 * 1024 * 1024
_SNAPSHOT_EVERY = 256
"""At the latest after so many versions a snapshot is kept, for others and for a restart."""

_SNAPSHOTS_KEPT = 2
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_NEWEST = select(ListVersion).order_by(ListVersion.version.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """Who issues the list, for which regions, how long a version is good and when it is renewed."""

    issuer: str = "ssct-reference"
    regions: tuple[str, ...] = ("990100",)
    lifetime: timedelta = timedelta(days=7)
    refresh: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Update:
    """What brings a terminal up to date: documents in order, or a snapshot (version and size)."""

    documents: tuple[bytes, ...] = field(default=(), repr=False)
    snapshot: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The list as a broker retains it, each part after the key statement in force.

    `snapshot` is that of version `since`; `recent` are the deltas after it, at the least the one
    that led to the newest version.
    """

    since: int
    snapshot: bytes = field(repr=False)
    recent: bytes = field(repr=False)


class Publisher:
    """Signs and numbers the list. Every method works in the caller's transaction."""

    def __init__(
        self,
        policy: ListPolicy,
        keys: ListKeys,
        register: Register,
        vault: Vault,
        bell: Bell | None = None,
    ) -> None:
        self.policy = policy
        self.keys = keys
        self._register = register
        self._vault = vault
        self._bell = bell or Bell()
        self._held: Blacklist | None = None

    def publish(self, session: Session, now: datetime, *, prolong: bool = False) -> ListVersion:
        """Issue a new version if anything changed, or if the list is to be prolonged anyway.

        Raises `Refused` INTERNAL, to be undone with what led to it, for one no terminal could take.
        """
        newest = _newest(session)
        rows = _changed(session, now)
        if newest is not None and not rows and not prolong:
            return newest
        before = self._standing(session, newest)
        after = self._next(before, self._changed(session, before.entries, rows, now), now)
        document = self._signed(session, lambda *key: sign_delta(before, after, *key))
        self._held = self._verified(session, before, document, now)
        issued = ListVersion(
            version=self._held.version,
            set_hash=self._held.set_hash,
            entry_count=len(self._held.entries),
            issued_at=now,
            expires_at=self._held.expires_at,
            size=len(document),
            delta=self._sealed(document, "deltas", self._held.version),
        )
        for row in rows:
            row.removed_in = issued.version if row.is_removed else None
            row.added_in = row.added_in or issued.version
        session.add(issued)
        session.flush()
        if issued.version % _SNAPSHOT_EVERY == 0:
            self._keep_snapshot(session, issued)
        self._bell.ring_after(session)
        return issued

    def update(
        self, session: Session, since: int, statement: int, now: datetime, *, whole: bool = False
    ) -> Update:
        """What brings a list of version `since` (0: none) and its keys up to date.

        With `whole` a snapshot not older than `since`, since deltas do not help.
        """
        newest = _newest(session)
        if newest is None or now >= newest.issued_at + self.policy.refresh:
            newest = self.publish(session, now, prolong=True)
        keys = self._statement(session, statement)
        if since == newest.version and not whole:
            return Update(keys)
        if 0 < since < newest.version and not whole:
            deltas = self._deltas(session, since, newest, now)
            if deltas is not None:
                return Update((*keys, *deltas))
        row = self._offered(session, newest, since, now)
        return Update(keys, (row.version, row.snapshot_size or 0))

    def newest(self, session: Session) -> int:
        """The number of the newest version, 0 before the first."""
        newest = _newest(session)
        return newest.version if newest else 0

    def deltas(self, session: Session, since: int, now: datetime) -> tuple[bytes, ...]:
        """The deltas after `since`; none when a snapshot would be the shorter way."""
        newest = _newest(session)
        if newest is None or newest.version <= since:
            return ()
        return self._deltas(session, since, newest, now) or ()

    def snapshot(self, session: Session, version: int) -> bytes:
        """A snapshot on offer. Raises `Refused` LIST_WITHDRAWN when it is not on offer."""
        row = session.get(ListVersion, version)
        if row is None or row.snapshot is None:
            raise Refused(Refusal.LIST_WITHDRAWN)
        return self._opened(row.snapshot, "snapshots", version)

    def bundle(self, session: Session, now: datetime) -> bytes:
        """Everything a terminal without a network needs, as one file: keys and snapshot."""
        newest = self.publish(session, now, prolong=True)
        self._keep_snapshot(session, newest)
        return b"".join((*self._statement(session, 0), self.snapshot(session, newest.version)))

    def standing(self, session: Session, now: datetime) -> Standing:
        """The list for a broker to retain; a snapshot is made when there is none that serves."""
        newest = _newest(session) or self.publish(session, now, prolong=True)
        row = self._offered(session, newest, 0, now)
        deltas = self._deltas(session, min(row.version, newest.version - 1), newest, now)
        if deltas is None:
            self._keep_snapshot(session, newest)
            row, deltas = newest, (self._opened(newest.delta, "deltas", newest.version),)
        keys = self._statement(session, 0)
        snapshot = self.snapshot(session, row.version)
        return Standing(row.version, b"".join((*keys, snapshot)), b"".join((*keys, *deltas)))

    def rotate_keys(self, session: Session, now: datetime, *, at_once: bool = False) -> int:
        """Sign with a new key from now on; the number of the statement that says so.

        What was signed before stays good for a version's lifetime, or with `at_once` for no time.
        """
        keep_for = timedelta() if at_once else self.policy.lifetime
        newest = _newest(session)
        ring = self.keys.rotate(session, now, keep_for, newest.version if newest else 0)
        self._keep_snapshot(session, self.publish(session, now, prolong=True))
        return ring.statement

    def _statement(self, session: Session, held: int) -> tuple[bytes, ...]:
        ring = self.keys.ring(session)
        return (ring.document,) if ring.document and ring.statement > held else ()

    def _deltas(
        self, session: Session, since: int, newest: ListVersion, now: datetime
    ) -> tuple[bytes, ...] | None:
        """The deltas after `since`, None when a snapshot is the shorter way.

        It is also the only way past deltas that have expired, as the key that signed them may
        have, or whose key was taken away.
        """
        too_many = newest.version - since > _MAX_DELTAS
        if too_many or since + 1 < self.keys.ring(session).deltas_from:
            return None
        later = select(ListVersion).where(ListVersion.version > since)
        rows = session.scalars(later.order_by(ListVersion.version)).all()
        if rows[0].expires_at <= now or sum(row.size for row in rows) > _MAX_DELTA_BYTES:
            return None
        return tuple(self._opened(row.delta, "deltas", row.version) for row in rows)

    def _offered(
        self, session: Session, newest: ListVersion, since: int, now: datetime
    ) -> ListVersion:
        """A version with a snapshot: the last that was kept, if it serves, or the newest.

        One that was kept can still be fetched to its end by whoever has begun, and few deltas lead
        on from it.
        """
        kept = _last_kept(session)
        serves = (
            kept is not None
            and kept.version >= min(since, newest.version)
            and newest.version - kept.version <= _MAX_DELTAS
            and kept.expires_at > now
        )
        if serves and kept is not None:
            return kept
        self._keep_snapshot(session, newest)
        return newest

    def _keep_snapshot(self, session: Session, row: ListVersion) -> None:
        """Make and keep the snapshot of the newest version; older ones go, but for one."""
        if row.snapshot is not None:
            return
        held = self._standing(session, row)
        document = self._signed(session, lambda *key: sign_snapshot(held, *key))
        self._verified(session, None, document, row.issued_at)
        row.snapshot_size = len(document)
        row.snapshot = self._sealed(document, "snapshots", row.version)
        session.flush()
        kept = select(ListVersion.version).where(ListVersion.snapshot.is_not(None))
        versions = session.scalars(kept.order_by(ListVersion.version.desc())).all()
        for version in versions[_SNAPSHOTS_KEPT:]:
            gone = update(ListVersion).where(ListVersion.version == version)
            session.execute(gone.values(snapshot=None, snapshot_size=None))

    def _changed(
        self, session: Session, before: EntrySet, rows: Sequence[ListingRow], now: datetime
    ) -> EntrySet:
        """What the changed rows make of the entries before.

        Two rows may say the same: the entry stays as long as one of them stands.
        """
        gone = [row for row in rows if row.added_in is not None and row.is_removed]
        new = [row for row in rows if row.added_in is None and not row.is_removed]
        going = self._entries(session, gone, now)
        if len(going.minus(before)):
            raise _unpublishable("it does not continue what was published")
        staying = self._entries(session, _standing_beside(session, gone), now)
        return before.minus(going.minus(staying)).union(self._entries(session, new, now))

    def _next(self, before: Blacklist, entries: EntrySet, now: datetime) -> Blacklist:
        return replace(
            before,
            version=before.version + 1,
            set_hash=entries.hash,
            issued_at=now,
            expires_at=now + self.policy.lifetime,
            coverage=Coverage(self.policy.regions, now),
            entries=entries,
        )

    def _standing(self, session: Session, newest: ListVersion | None) -> Blacklist:
        """The newest version as terminals hold it, an empty one before the first.

        What this process published last is kept, so that a change costs no walk through the
        database. Its hash tells whether it is still the newest: another process may have published
        since, or the transaction may have been undone.
        """
        if newest is None:
            return self._empty()
        held = self._held
        if held is None or (held.version, held.set_hash) != (newest.version, newest.set_hash):
            held = self._rebuilt(session, newest)
            self._held = held
        return held

    def _rebuilt(self, session: Session, newest: ListVersion) -> Blacklist:
        """The newest version out of the last snapshot and the deltas since."""
        kept = _last_kept(session)
        documents = []
        later = select(ListVersion).order_by(ListVersion.version)
        if kept is not None and kept.snapshot is not None:
            documents.append(self._opened(kept.snapshot, "snapshots", kept.version))
            later = later.where(ListVersion.version > kept.version)
        for row in session.scalars(later):
            documents.append(self._opened(row.delta, "deltas", row.version))
        start = None if kept else self._empty()
        ever = self.keys.ring(session).ever
        held = self._applied(start, documents, ever, newest.issued_at)
        if held.set_hash != newest.set_hash:
            raise _unpublishable("it does not continue what was published")
        return held

    def _empty(self) -> Blacklist:
        nothing = EntrySet({})
        coverage = Coverage(self.policy.regions, _NEVER)
        return Blacklist(self.policy.issuer, 0, nothing.hash, _NEVER, _NEVER, coverage, nothing)

    def _signed(self, session: Session, sign: Callable[[str, Ed25519PrivateKey], bytes]) -> bytes:
        ring = self.keys.ring(session)
        try:
            return sign(ring.signing_id, ring.signing)
        except BackendError as error:
            raise _unpublishable(error.code) from None

    def _verified(
        self, session: Session, before: Blacklist | None, document: bytes, now: datetime
    ) -> Blacklist:
        """The list that a terminal gets from a document. Raises `Refused` if it gets none."""
        return self._applied(before, (document,), self.keys.ring(session).trusted, now)

    def _applied(
        self,
        before: Blacklist | None,
        documents: Iterable[bytes],
        keys: Sequence[PublicKey],
        now: datetime,
    ) -> Blacklist:
        trust = Trust(self.policy.issuer, tuple(keys))
        try:
            held = apply_documents(before, documents, trust, now).list
        except BackendError as error:
            raise _unpublishable(error.code) from None
        if held is None:
            raise _unpublishable("nothing comes of it")
        return held

    def _sealed(self, document: bytes, table: str, version: int) -> bytes:
        return self._vault.seal_bytes(document, table, str(version))

    def _opened(self, sealed: bytes, table: str, version: int) -> bytes:
        return self._vault.open_bytes(sealed, table, str(version))

    def _entries(self, session: Session, rows: Sequence[ListingRow], now: datetime) -> EntrySet:
        return EntrySet.of(self._entry(session, row, now) for row in rows)

    def _entry(self, session: Session, row: ListingRow, now: datetime) -> BlacklistEntry:
        """The entry of a row; what had begun when it was published needs no beginning."""
        purse = purse_number(self._vault, row)
        card_id = None if purse is None else listed_id(purse)
        if row.card is not None:
            card_id = self._register.ref(session.get_one(Card, row.card)).card_id
        published = now
        if row.added_in is not None:
            published = session.get_one(ListVersion, row.added_in).issued_at
        return entry_of(row, card_id, published)


def _newest(session: Session) -> ListVersion | None:
    return session.scalar(_NEWEST)


def _last_kept(session: Session) -> ListVersion | None:
    """The newest version whose snapshot was kept."""
    kept = select(ListVersion).where(ListVersion.snapshot.is_not(None))
    return session.scalar(kept.order_by(ListVersion.version.desc()).limit(1))


def _standing_beside(session: Session, gone: Sequence[ListingRow]) -> Sequence[ListingRow]:
    """Published rows that stay, of the cards and ranges that other rows leave."""
    if not gone:
        return ()
    cards = [row.card for row in gone if row.card is not None]
    spans = {row.number_from for row in gone if row.number_from is not None}
    staying = select(ListingRow).where(
        ListingRow.is_removed.is_(False),
        ListingRow.added_in.is_not(None),
        or_(ListingRow.card.in_(cards), ListingRow.number_from.in_(spans)),
    )
    return session.scalars(staying).all()


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
