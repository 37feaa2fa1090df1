"""The hash chain over the journal's events, and the check of the whole journal.

Each event carries the hash of the operation's row as the event left it (`row_hash`) and, in `hash`,
the SHA-256 of the event before it together with itself. How many events there are, and the last
hash, are kept sealed beside them, so that a cut-off tail shows as well. What cannot show is a
whole file put back to an earlier day: only reconciliation with the back office finds that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, select

from terminal.store.schema import instant_text, journal_event, operation

GENESIS = bytes(32)
"""What stands before the first event."""

_BATCH = 500

# Made once, as in store.py.
_HASH_OF = select(journal_event.c.hash).where(journal_event.c.sequence == bindparam("at"))
_FROM = (
    select(journal_event)
    .where(journal_event.c.sequence >= bindparam("first"))
    .order_by(journal_event.c.sequence)
)
_OPERATIONS = select(operation)
_SOME = _OPERATIONS.where(operation.c.number.in_(bindparam("numbers", expanding=True)))


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: how many events there are and the hash of the last."""

    count: int = 0
    hash: bytes = GENESIS

    def as_json(self) -> dict[str, Any]:
        """For the store."""
        return {"count": self.count, "hash": self.hash.hex()}

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> Head:
        """From the store; None is the empty chain."""
        return cls() if value is None else cls(value["count"], bytes.fromhex(value["hash"]))


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What a check of the journal found: how much it looked at, and each fault in words."""

    events: int
    operations: int
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.faults


def row_hash(row: dict[str, Any]) -> bytes:
    """SHA-256 over an operation's row, all columns in the table's order."""
    return _hash([_plain(row[column.name]) for column in operation.columns])


def event_hash(previous: bytes, event: dict[str, Any]) -> bytes:
    """SHA-256 over the hash before and an event's columns, all but the hash itself."""
    values = [_plain(event[c.name]) for c in journal_event.columns if c.name != "hash"]
    return _hash([previous.hex(), *values])


def next_event(
    head: Head, row: dict[str, Any], note: str | None = None
) -> tuple[dict[str, Any], Head]:
    """The event of the step that led to an operation's row, and the end of the chain with it."""
    event = {
        "sequence": head.count + 1,
        "number": row["number"],
        "state": row["state"],
        "at": row["changed_at"],
        "evidence": row["evidence"],
        "note": note,
        "row_hash": row_hash(row),
    }
    event["hash"] = event_hash(head.hash, event)
    return event, Head(event["sequence"], event["hash"])


def _hash(values: list[object]) -> bytes:
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).digest()


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return instant_text(value) if isinstance(value, datetime) else value


def check(connection: Connection, head: Head, last: int | None = None) -> ChainCheck:
    """Walk the events, and the operations they are about, and name everything that does not fit.

    `last` looks at that many events at the end of the chain only, and at their operations.
    """
    first = 1 if last is None else max(1, head.count - last + 1)
    previous, count = _hash_before(connection, first), first - 1
    left: dict[str, tuple[str, bytes]] = {}
    faults: list[str] = []
    for event in _rows(connection, _FROM, first=first):
        count += 1
        if event["sequence"] != count:
            faults.append(f"event {count} is missing")
            count = event["sequence"]
        if event_hash(previous, event) != event["hash"]:
            faults.append(f"event {count} does not follow the one before it")
        previous = event["hash"]
        left[event["number"]] = (event["state"], event["row_hash"])
    if Head(count, previous) != head:
        faults.append(f"the chain ends at event {count}, its seal says {head.count}")
    operations = 0
    for row in _operations(connection, None if last is None else left):
        operations += 1
        faults.extend(_row_faults(row, left.pop(row["number"], None)))
    faults.extend(f"operation {number} is missing" for number in left)
    return ChainCheck(count - first + 1, operations, tuple(faults))


def _hash_before(connection: Connection, first: int) -> bytes:
    """The hash that event `first` is chained to."""
    found: bytes | None = connection.execute(_HASH_OF, {"at": first - 1}).scalar()
    return found or GENESIS


def _operations(connection: Connection, numbers: Iterable[str] | None) -> Iterator[dict[str, Any]]:
    """The rows of these operations, or all."""
    if numbers is None:
        yield from _rows(connection, _OPERATIONS)
        return
    wanted = sorted(numbers)
    for start in range(0, len(wanted), _BATCH):
        yield from _rows(connection, _SOME, numbers=wanted[start : start + _BATCH])


def _row_faults(row: dict[str, Any], event: tuple[str, bytes] | None) -> Iterator[str]:
    if event is None:
        yield f"operation {row['number']} has no event"
    elif event != (row["state"], row_hash(row)):
        yield f"operation {row['number']} is not as its last event left it"


def _rows(connection: Connection, query: Executable, **values: object) -> Iterator[dict[str, Any]]:
    rows = connection.execution_options(yield_per=1000).execute(query, values)
    for row in rows:
        yield row._asdict()
