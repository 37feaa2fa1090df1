"""The blacklist (黑名单): a signed, numbered log, verified and applied without side effects.

A snapshot is the whole list; a delta leads from one version to a later one. Both say what set of
entries results and hash it, a delta also what it continues, so a rollback, a gap, a fork and a
freeze (TUF's words) are told apart and refused. `apply_update` returns a new list or raises; the
list held before stays as it was, and where it is stored is somebody else's business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from backend_client.codec import canonical, to_json
from backend_client.errors import (
    BadMessage,
    ListExpired,
    ListForked,
    ListFromFuture,
    ListGap,
    ListRolledBack,
    WrongIssuer,
)
from backend_client.messages import (
    BlacklistDelta,
    BlacklistEntry,
    BlacklistSnapshot,
    BlacklistUpdate,
    Coverage,
    PublicKey,
    Scope,
)
from backend_client.signing import open_document

CLOCK_TOLERANCE = timedelta(minutes=10)
"""A list issued further in the future than this means that a clock is wrong."""


@dataclass(frozen=True, slots=True)
class Blacklist:
    """One version of the list. `entries` is by entry id; `set_hash` is SHA-256 of the set."""

    issuer: str
    version: int
    set_hash: bytes
    issued_at: datetime
    expires_at: datetime
    coverage: Coverage
    entries: Mapping[str, BlacklistEntry] = field(repr=False)

    def matching(
        self, card_id: str, card_number: str, scope: Scope, now: datetime
    ) -> tuple[BlacklistEntry, ...]:
        """The entries that stop that card in that scope at that instant, in order of their ids.

        It looks at every entry: the rule that an index has to agree with.
        """
        hits = (e for e in self.entries.values() if e.applies(card_id, card_number, scope, now))
        return tuple(sorted(hits, key=lambda entry: entry.entry_id))


def set_hash(entries: Iterable[BlacklistEntry]) -> bytes:
    """SHA-256 over the canonical JSON array of the entries, sorted by entry id."""
    ordered = sorted(entries, key=lambda entry: entry.entry_id)
    return hashlib.sha256(canonical([to_json(entry) for entry in ordered])).digest()


def apply_update(
    current: Blacklist | None,
    update: BlacklistUpdate,
    *,
    keys: Iterable[PublicKey],
    issuer: str,
    now: datetime,
) -> Blacklist:
    """The list after an update: first its snapshot, then its deltas in order, all or nothing.

    Documents older than the list held are passed over when newer ones follow; deltas may repeat
    the version held. Steps in between may have expired, the result may not.

    Raises `BadSignature`, `WrongIssuer`, `ListTooLarge`, `ListRolledBack`, `ListForked`,
    `ListGap`, `ListExpired`, `ListFromFuture` or `BadMessage`.
    """
    keys = tuple(keys)
    snapshot = update.snapshot and open_document(update.snapshot, BlacklistSnapshot, keys, now)
    deltas = [open_document(each, BlacklistDelta, keys, now) for each in update.deltas]
    documents: list[BlacklistSnapshot | BlacklistDelta] = [*deltas]
    if snapshot:
        documents.append(snapshot)
    for document in documents:
        _check_header(document, issuer, now)
    if current and documents and max(each.version for each in documents) < current.version:
        raise ListRolledBack(f"version {current.version} is held already")
    result = current
    if snapshot:
        result = _take_snapshot(result, snapshot)
    for delta in deltas:
        result = _take_delta(result, delta)
    if result is None:
        raise ListGap("no list is held and none was sent")
    if result.expires_at <= now:
        raise ListExpired(f"version {result.version} has expired")
    return result


def _check_header(document: BlacklistSnapshot | BlacklistDelta, issuer: str, now: datetime) -> None:
    if document.issuer != issuer:
        raise WrongIssuer("the list is signed by a trusted key for another issuer")
    if document.issued_at > now + CLOCK_TOLERANCE:
        raise ListFromFuture(f"version {document.version} will be issued later than now")
    for index, entry in enumerate(document.added):
        if entry.number_from and entry.number_to and entry.number_from > entry.number_to:
            raise BadMessage(f"/added/{index}/number_to", "not below number_from", document.schema)


def _take_snapshot(current: Blacklist | None, snapshot: BlacklistSnapshot) -> Blacklist:
    entries = {entry.entry_id: entry for entry in snapshot.added}
    if len(entries) != len(snapshot.added):
        raise BadMessage("/added", "unique entry ids", snapshot.schema)
    taken = _result(snapshot, entries)
    if taken.set_hash != snapshot.result_hash:
        raise BadMessage("/result_hash", "hash of the entries", snapshot.schema)
    if current is None or taken.version > current.version:
        return taken
    if taken.version < current.version:
        return current
    if taken.set_hash != current.set_hash:
        raise ListForked(f"version {taken.version} is held with other contents")
    return max(current, taken, key=lambda each: each.issued_at)


def _take_delta(current: Blacklist | None, delta: BlacklistDelta) -> Blacklist:
    if current is None:
        raise ListGap("a delta, but no list that it could continue")
    if delta.version <= delta.previous_version:
        raise BadMessage("/version", "above previous_version", delta.schema)
    if delta.version < current.version:
        return current
    if delta.version == current.version:
        if delta.result_hash != current.set_hash:
            raise ListForked(f"version {delta.version} is held with other contents")
        return current
    if delta.previous_version != current.version:
        raise ListGap(f"continues version {delta.previous_version}, held is {current.version}")
    if delta.previous_hash != current.set_hash:
        raise ListForked(f"continues another version {delta.previous_version}")
    taken = _result(delta, _changed(current.entries, delta))
    if taken.set_hash != delta.result_hash:
        raise ListForked(f"version {delta.version} does not come out as its issuer says")
    return taken


def _changed(
    entries: Mapping[str, BlacklistEntry], delta: BlacklistDelta
) -> dict[str, BlacklistEntry]:
    if len(delta.removed) != delta.removed_count:
        raise BadMessage("/removed_count", "number of removed entries", delta.schema)
    if len(delta.added) != delta.added_count:
        raise BadMessage("/added_count", "number of added entries", delta.schema)
    changed = dict(entries)
    for index, entry_id in enumerate(delta.removed):
        if changed.pop(entry_id, None) is None:
            raise BadMessage(f"/removed/{index}", "an entry of the list", delta.schema)
    for index, entry in enumerate(delta.added):
        if entry.entry_id in changed:
            raise BadMessage(f"/added/{index}/entry_id", "not in the list yet", delta.schema)
        changed[entry.entry_id] = entry
    return changed


def _result(
    document: BlacklistSnapshot | BlacklistDelta, entries: dict[str, BlacklistEntry]
) -> Blacklist:
    if len(entries) != document.entry_count:
        raise BadMessage("/entry_count", "number of entries", document.schema)
    return Blacklist(
        document.issuer,
        document.version,
        set_hash(entries.values()),
        document.issued_at,
        document.expires_at,
        document.coverage,
        MappingProxyType(entries),
    )
