"""The blacklist in force: on disk, and in memory for the look-up of one card.

On disk lie an image, the packed entries of some version, and the changes since, each sealed. A new
version is one transaction; until then, and when a new one turns out bad, the last good one stays in
force. Why a version was turned down is kept for `status`.

In memory the list in force is one value that never changes, and the next one takes its place: who
looks up a card takes no lock, waits for nobody, and sees head and entries of one version. It is
read from disk when it is first needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from backend_client.blacklist import Blacklist
from backend_client.entry_lookup import Lookup
from backend_client.entry_set import EntrySet
from backend_client.errors import BackendError, BadMessage
from backend_client.list_document import delta_body, delta_parts
from backend_client.list_messages import Coverage, Terms
from backend_client.messages import PublicKey
from terminal.errors import StoreDamaged
from terminal.store.schema import blacklist, blacklist_part
from terminal.store.store import Store

_REFUSAL = "blacklist_refusal"
_ROW = 1
_IMAGE = 0
_MOST_CHANGES = 256
_LEAST_IMAGE = 64 * 1024
"""The changes are worked into a new image when they are many, or half as large as the image, which
then counts as this many bytes at least."""

# Made once, as in store.py.
_HEAD = select(blacklist.c.head, blacklist.c.applied_at)
_TEXT = select(blacklist.c.head)
_PARTS = select(blacklist_part).order_by(blacklist_part.c.sequence)


@dataclass(frozen=True, slots=True)
class ListHead:
    """What the list in force says of itself, when it was put in force, and its size."""

    issuer: str
    version: int
    set_hash: bytes
    issued_at: datetime
    expires_at: datetime
    coverage: Coverage
    applied_at: datetime
    entries: int


@dataclass(frozen=True, slots=True)
class ListInForce:
    """One version of the list, ready to be asked. Never changes."""

    head: ListHead
    list: Blacklist = field(repr=False)
    lookup: Lookup = field(repr=False)

    def find(self, card_id: str, card_number: str) -> tuple[Terms, ...]:
        """The terms of every entry that names the card, whatever its scope and time.

        `card_id` is 32 lower-case hex digits, `card_number` 9 characters.
        """
        return self.lookup.find(card_id, card_number)


@dataclass(frozen=True, slots=True)
class ListRefusal:
    """A version that was not taken: the error's stable code and when."""

    code: str
    at: datetime


class BlacklistIndex(Protocol):
    """What admission needs of a blacklist."""

    def in_force(self) -> ListInForce | None:
        """The list in force, None before the first."""
        ...


@dataclass(frozen=True, slots=True)
class _Extent:
    """How much lies on disk: bytes of the image, number and bytes of the changes since."""

    image: int = 0
    changes: int = 0
    changed: int = 0

    def has_room(self, more: int) -> bool:
        """Whether another change of so many bytes is better written beside than worked in."""
        most = max(self.image, _LEAST_IMAGE) // 2
        return self.changes < _MOST_CHANGES and self.changed + more <= most


class BlacklistStore:
    """The `BlacklistIndex` in the terminal's store. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changing = Lock()
        self._in_force: ListInForce | None = None
        self._extent = _Extent()
        self._is_read = False

    def in_force(self) -> ListInForce | None:
        """The list in force, None before the first. Raises `StoreDamaged`."""
        if not self._is_read:
            with self._changing:
                self._read()
        return self._in_force

    def head(self) -> ListHead | None:
        """What the list in force says of itself, without reading the rest of it from disk."""
        if self._is_read:
            return self._in_force.head if self._in_force else None
        with self._store.reading() as connection:
            return _head(connection)

    def find(self, card_id: str, card_number: str) -> tuple[Terms, ...]:
        """The terms of every entry in force that names the card. See `ListInForce.find`."""
        held = self.in_force()
        return held.find(card_id, card_number) if held else ()

    def load(self) -> Blacklist | None:
        """The whole list in force, exactly as it was applied."""
        held = self.in_force()
        return held.list if held else None

    def keys(self) -> tuple[PublicKey, ...]:
        """The keys that the list in force was verified with; empty where none were recorded."""
        with self._store.reading() as connection:
            text = connection.execute(_TEXT).scalar()
        kept = json.loads(text).get("keys", ()) if text else ()
        return tuple(PublicKey(one["key_id"], bytes.fromhex(one["key"])) for one in kept)

    def apply(self, new: Blacklist, now: datetime, keys: Iterable[PublicKey] = ()) -> None:
        """Put `new`, verified with `keys`, in force, all or nothing.

        What differs is written, if that is little, or else all of it. Raises `StoreError`.
        """
        with self._changing:
            self._read()
            ready = _ready(new, now)
            try:
                extent = self._replace(new, _head_text(new, keys), now)
            except BaseException:
                self._is_read = False  # it may be done and reported failed: the disk knows
                raise
            self._in_force, self._extent = ready, extent

    def refuse(self, error: BackendError, now: datetime) -> None:
        """Keep why a new version was not taken. The list in force stays."""
        self._store.put(_REFUSAL, {"code": error.code, "at": now.isoformat()})

    def accept(self) -> None:
        """There was nothing new and nothing bad: forget the last refusal."""
        if self.last_refusal() is not None:
            self._store.put(_REFUSAL, {})

    def last_refusal(self) -> ListRefusal | None:
        """Why the last attempt was turned down, None when it was not."""
        kept = self._store.get(_REFUSAL)
        return ListRefusal(kept["code"], datetime.fromisoformat(kept["at"])) if kept else None

    def _replace(self, new: Blacklist, text: str, now: datetime) -> _Extent:
        """Write `new` in one transaction; what then lies on disk."""
        held = self._in_force
        with self._store.writing() as connection:
            extent = self._write(connection, held.list.entries if held else None, new.entries)
            head = {"id": _ROW, "head": text, "applied_at": now}
            connection.execute(
                insert(blacklist)
                .values(head)
                .on_conflict_do_update(index_elements=["id"], set_=head)
            )
            self._store.put(_REFUSAL, {}, connection)
        return extent

    def _write(self, connection: Connection, old: EntrySet | None, new: EntrySet) -> _Extent:
        """Write the change from `old`, or all of `new`; what then lies on disk."""
        extent = self._extent
        if old is not None:
            if old == new:
                return extent
            change = delta_body(old.minus(new), new.minus(old))
            if extent.has_room(len(change)):
                self._put(connection, extent.changes + 1, change)
                return _Extent(extent.image, extent.changes + 1, extent.changed + len(change))
        image = new.encode()
        connection.execute(delete(blacklist_part))
        self._put(connection, _IMAGE, image)
        return _Extent(len(image))

    def _put(self, connection: Connection, sequence: int, data: bytes) -> None:
        sealed = self._store.seal_bytes(data, _place(sequence))
        connection.execute(blacklist_part.insert().values(sequence=sequence, data=sealed))

    def _read(self) -> None:
        """Read the list in force, once. Under the lock."""
        if self._is_read:
            return
        with self._store.reading() as connection:
            head = _head(connection)
            rows = connection.execute(_PARTS)
            parts = [self._store.unseal_bytes(row.data, _place(row.sequence)) for row in rows]
        if head is not None:
            entries = _replayed(parts)
            if entries.hash != head.set_hash:
                raise StoreDamaged("the blacklist on disk is not the one that was put in force")
            held = Blacklist(
                head.issuer,
                head.version,
                head.set_hash,
                head.issued_at,
                head.expires_at,
                head.coverage,
                entries,
            )
            self._in_force = ListInForce(head, held, Lookup(entries))
            sizes = [len(part) for part in parts]
            self._extent = _Extent(sizes[0], len(sizes) - 1, sum(sizes[1:]))
        self._is_read = True


def _replayed(parts: list[bytes]) -> EntrySet:
    """The entries that an image and the changes after it lead to. Raises `StoreDamaged`."""
    if not parts:
        raise StoreDamaged("the blacklist on disk has no image")
    try:
        entries = EntrySet.decode(parts[0])
        for part in parts[1:]:
            entries = entries.changed(*delta_parts(part))
    except BadMessage as error:
        raise StoreDamaged(f"the blacklist on disk does not hold together: {error}") from None
    return entries


def _ready(new: Blacklist, now: datetime) -> ListInForce:
    head = ListHead(
        new.issuer,
        new.version,
        new.set_hash,
        new.issued_at,
        new.expires_at,
        new.coverage,
        now,
        len(new.entries),
    )
    return ListInForce(head, new, Lookup(new.entries))


def _head_text(new: Blacklist, keys: Iterable[PublicKey]) -> str:
    return json.dumps(
        {
            "issuer": new.issuer,
            "version": new.version,
            "set_hash": new.set_hash.hex(),
            "issued_at": new.issued_at.isoformat(),
            "expires_at": new.expires_at.isoformat(),
            "regions": list(new.coverage.regions),
            "covered_until": new.coverage.until.isoformat(),
            "entries": len(new.entries),
            "keys": [{"key_id": key.key_id, "key": key.key.hex()} for key in keys],
        },
        ensure_ascii=False,
    )


def _head(connection: Connection) -> ListHead | None:
    row = connection.execute(_HEAD).first()
    if row is None:
        return None
    head: dict[str, Any] = json.loads(row.head)
    return ListHead(
        issuer=head["issuer"],
        version=head["version"],
        set_hash=bytes.fromhex(head["set_hash"]),
        issued_at=datetime.fromisoformat(head["issued_at"]),
        expires_at=datetime.fromisoformat(head["expires_at"]),
        coverage=Coverage(tuple(head["regions"]), datetime.fromisoformat(head["covered_until"])),
        applied_at=row.applied_at,
        entries=head["entries"],
    )


def _place(sequence: int) -> str:
    return f"blacklist_part/data/{sequence}"
