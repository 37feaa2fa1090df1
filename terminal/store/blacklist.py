"""The blacklist in force, on disk, and the look-up of one card in it.

A new version replaces the old one in one transaction; until then, and when a new one turns out
bad, the last good one stays in force. Why a version was turned down is kept for `status`.

Entries are sealed. A look-up is two searches by blind index in SQLite, opens what they find and
each entry that names a range of card numbers, of which a list has few, and holds nothing in memory;
whoever needs it faster puts another `BlacklistIndex` in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy import Connection, delete, or_, select, true
from sqlalchemy.dialects.sqlite import insert

from backend_client.blacklist import Blacklist
from backend_client.errors import BackendError
from backend_client.messages import BlacklistEntry, Coverage, PublicKey
from terminal.store.schema import blacklist, blacklist_entry
from terminal.store.store import Store

_REFUSAL = "blacklist_refusal"
_ROW = 1
_BATCH = 5_000


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
class ListRefusal:
    """A version that was not taken: the error's stable code and when."""

    code: str
    at: datetime


class BlacklistIndex(Protocol):
    """What admission needs of a blacklist."""

    def head(self) -> ListHead | None:
        """The list in force, None before the first."""
        ...

    def lookup(self, card_id: str, card_number: str) -> tuple[BlacklistEntry, ...]:
        """Every entry that names the card, whatever its scope and time, in order of their ids."""
        ...


class BlacklistStore:
    """The `BlacklistIndex` in the terminal's store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def head(self) -> ListHead | None:
        """The list in force, None before the first."""
        with self._store.reading() as connection:
            return _head(connection)

    def lookup(self, card_id: str, card_number: str) -> tuple[BlacklistEntry, ...]:
        """Every entry that names the card, whatever its scope and time, in order of their ids.

        `card_id` is 32 lower-case hex digits, `card_number` 9 characters. An entry with both a
        card id and a number range names only the card that fits both.
        """
        table = blacklist_entry.c
        query = select(blacklist_entry).where(
            or_(
                table.card_index == self._store.index(card_id),
                table.number_index == self._store.index(f"number/{card_number}"),
                table.is_range.is_(true()),
            )
        )
        with self._store.reading() as connection:
            found = [self._opened(row._asdict()) for row in connection.execute(query)]
        named = (entry for entry in found if entry.names(card_id, card_number))
        return tuple(sorted(named, key=lambda entry: entry.entry_id))

    def load(self) -> Blacklist | None:
        """The whole list in force, exactly as it was applied."""
        with self._store.reading() as connection:
            return self._load(connection)

    def keys(self) -> tuple[PublicKey, ...]:
        """The keys that the list in force was verified with; empty where none were recorded."""
        with self._store.reading() as connection:
            text = connection.execute(select(blacklist.c.head)).scalar()
        kept = json.loads(text).get("keys", ()) if text else ()
        return tuple(PublicKey(one["key_id"], bytes.fromhex(one["key"])) for one in kept)

    def apply(self, new: Blacklist, now: datetime, keys: Iterable[PublicKey] = ()) -> None:
        """Put `new`, verified with `keys`, in force, all or nothing. Writes only what differs.

        Raises `StoreError`.
        """
        with self._store.writing() as connection:
            old = self._load(connection)
            before = {} if old is None else old.entries
            self._remove(connection, [i for i, e in before.items() if new.entries.get(i) != e])
            self._add(connection, [e for i, e in new.entries.items() if before.get(i) != e])
            head = {"id": _ROW, "head": _head_text(new, keys), "applied_at": now}
            connection.execute(
                insert(blacklist)
                .values(head)
                .on_conflict_do_update(index_elements=["id"], set_=head)
            )
            self._store.put(_REFUSAL, {}, connection)

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

    def _load(self, connection: Connection) -> Blacklist | None:
        head = _head(connection)
        if head is None:
            return None
        rows = connection.execute(select(blacklist_entry))
        entries = (self._opened(row._asdict()) for row in rows)
        return Blacklist(
            head.issuer,
            head.version,
            head.set_hash,
            head.issued_at,
            head.expires_at,
            head.coverage,
            MappingProxyType({entry.entry_id: entry for entry in entries}),
        )

    def _remove(self, connection: Connection, entry_ids: list[str]) -> None:
        for start in range(0, len(entry_ids), _BATCH):
            batch = [self._entry_index(each) for each in entry_ids[start : start + _BATCH]]
            column = blacklist_entry.c.entry_index
            connection.execute(delete(blacklist_entry).where(column.in_(batch)))

    def _add(self, connection: Connection, entries: list[BlacklistEntry]) -> None:
        if entries:
            rows = [self._sealed(entry) for entry in entries]
            connection.execute(blacklist_entry.insert(), rows)

    def _entry_index(self, entry_id: str) -> bytes:
        return self._store.index(f"entry/{entry_id}")

    def _sealed(self, entry: BlacklistEntry) -> dict[str, Any]:
        """The row of an entry. One of both card id and numbers is found by its card id."""
        index = self._entry_index(entry.entry_id)
        by_number = entry.card_id is None and entry.number_from is not None
        single = by_number and entry.number_from == entry.number_to
        number_index = self._store.index(f"number/{entry.number_from}") if single else None
        return {
            "entry_index": index,
            "card_index": None if entry.card_id is None else self._store.index(entry.card_id),
            "number_index": number_index,
            "is_range": by_number and not single,
            "entry": self._store.seal(_plain(entry), _place(index)),
        }

    def _opened(self, row: Mapping[str, Any]) -> BlacklistEntry:
        return _entry(self._store.unseal(row["entry"], _place(row["entry_index"])))


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
    row = connection.execute(select(blacklist.c.head, blacklist.c.applied_at)).first()
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


def _place(index: bytes) -> str:
    return f"blacklist_entry/entry/{index.hex()}"


def _plain(entry: BlacklistEntry) -> dict[str, Any]:
    return {
        "entry_id": entry.entry_id,
        "card_id": entry.card_id,
        "number_from": entry.number_from,
        "number_to": entry.number_to,
        "reason": entry.reason,
        "scope": list(entry.scope),
        "action": entry.action,
        "valid_from": entry.valid_from.isoformat(),
        "valid_until": None if entry.valid_until is None else entry.valid_until.isoformat(),
    }


def _entry(row: Mapping[str, Any]) -> BlacklistEntry:
    until = row["valid_until"]
    return BlacklistEntry(
        entry_id=row["entry_id"],
        card_id=row["card_id"],
        number_from=row["number_from"],
        number_to=row["number_to"],
        reason=row["reason"],
        scope=tuple(row["scope"]),
        action=row["action"],
        valid_from=datetime.fromisoformat(row["valid_from"]),
        valid_until=None if until is None else datetime.fromisoformat(until),
    )
