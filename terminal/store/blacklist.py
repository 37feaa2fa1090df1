"""The blacklist in force, on disk, and the look-up of one card in it.

A new version replaces the old one in one transaction; until then, and when a new one turns out
bad, the last good one stays in force. Why a version was turned down is kept for `status`. A look-up
is two index searches in SQLite and holds nothing in memory; whoever needs it faster puts another
`BlacklistIndex` in its place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy import Connection, and_, delete, or_, select
from sqlalchemy.dialects.sqlite import insert

from backend_client.blacklist import Blacklist
from backend_client.errors import BackendError
from backend_client.messages import BlacklistEntry, Coverage
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
        in_range = and_(table.number_from <= card_number, card_number <= table.number_to)
        query = (
            select(blacklist_entry)
            .where(or_(table.card_id == card_id, and_(table.card_id.is_(None), in_range)))
            .order_by(table.entry_id)
        )
        with self._store.reading() as connection:
            found = [_entry(row._asdict()) for row in connection.execute(query)]
        return tuple(entry for entry in found if entry.names(card_id, card_number))

    def load(self) -> Blacklist | None:
        """The whole list in force, exactly as it was applied."""
        with self._store.reading() as connection:
            return _load(connection)

    def apply(self, new: Blacklist, now: datetime) -> None:
        """Put `new` in force, all or nothing. Writes only what differs. Raises `StoreError`."""
        with self._store.writing() as connection:
            old = _load(connection)
            before = {} if old is None else old.entries
            _remove(connection, [i for i, e in before.items() if new.entries.get(i) != e])
            _add(connection, [e for i, e in new.entries.items() if before.get(i) != e])
            head = {"id": _ROW, "head": _head_text(new), "applied_at": now}
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


def _head_text(new: Blacklist) -> str:
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


def _load(connection: Connection) -> Blacklist | None:
    head = _head(connection)
    if head is None:
        return None
    rows = connection.execute(select(blacklist_entry))
    entries = {row.entry_id: _entry(row._asdict()) for row in rows}
    return Blacklist(
        head.issuer,
        head.version,
        head.set_hash,
        head.issued_at,
        head.expires_at,
        head.coverage,
        MappingProxyType(entries),
    )


def _remove(connection: Connection, entry_ids: list[str]) -> None:
    for start in range(0, len(entry_ids), _BATCH):
        batch = entry_ids[start : start + _BATCH]
        connection.execute(delete(blacklist_entry).where(blacklist_entry.c.entry_id.in_(batch)))


def _add(connection: Connection, entries: list[BlacklistEntry]) -> None:
    if entries:
        connection.execute(blacklist_entry.insert(), [_row(entry) for entry in entries])


def _row(entry: BlacklistEntry) -> dict[str, Any]:
    return {
        "entry_id": entry.entry_id,
        "card_id": entry.card_id,
        "number_from": entry.number_from,
        "number_to": entry.number_to,
        "reason": entry.reason,
        "scope": " ".join(entry.scope),
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
        scope=tuple(row["scope"].split()),
        action=row["action"],
        valid_from=datetime.fromisoformat(row["valid_from"]),
        valid_until=None if until is None else datetime.fromisoformat(until),
    )
