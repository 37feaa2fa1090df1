"""The tables of the store, as they are at the newest revision.

`migrations/` leads an older store here; a test holds both to the same result. Personal data are
in sealed columns; a card is found by its blind index, never by its number.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    DDL,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
    text,
)
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.types import TypeDecorator

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every revision of the schema, oldest first."""


class Instant(TypeDecorator[datetime]):
    """An instant, kept as ISO 8601 text in UTC with microseconds, so that text order is time order.

    Raises `ValueError` for an instant without a time zone.
    """

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> str | None:
        """To text."""
        return None if value is None else instant_text(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> datetime | None:
        """From text."""
        return None if value is None else datetime.fromisoformat(value)


def instant_text(instant: datetime) -> str:
    """`instant` as the store writes it."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""Single values: counters, the head of the journal's chain, the terminal's identity (sealed)."""

REVERSING = "reversing"
"""The note of the step that tells of a reversal about to leave."""

IS_REVERSING = f"note = '{REVERSING}'"
"""As SQL, not as a parameter: an index of some rows serves only a query that names the same."""

operation = Table(
    "operation",
    metadata,
    Column("number", String(30), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(10), nullable=False),
    Column("terminal_number", String(12), nullable=False),
    Column("card_index", LargeBinary(32), nullable=False),
    Column("card", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("result", LargeBinary),
    Column("evidence", String(16)),
    Column("prepared_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index("operation_by_state", "state"),
    Index("operation_by_card", "card_index"),
)
"""The journal's rows in their present state. `card`, `payload` and `result` are sealed."""

journal_event = Table(
    "journal_event",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("number", String(30), ForeignKey("operation.number"), nullable=False),
    Column("state", String(10), nullable=False),
    Column("at", Instant, nullable=False),
    Column("evidence", String(16)),
    Column("note", String(64)),
    Column("row_hash", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Index("event_reversing", "number", sqlite_where=text(IS_REVERSING)),
)
"""Every step of every operation, append-only and hash-chained (store/chain.py)."""

blacklist = Table(
    "blacklist",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("head", Text, nullable=False),
    Column("applied_at", Instant, nullable=False),
)
"""One row: what the list in force says of itself, as JSON."""

blacklist_part = Table(
    "blacklist_part",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
"""The list in force, sealed: its packed entries as 0, and the changes since then from 1 on."""

blacklist_piece = Table(
    "blacklist_piece",
    metadata,
    Column("start", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
"""The pieces, sealed, of a snapshot that is being fetched."""

misuse = Table(
    "misuse",
    metadata,
    Column("report_id", String(24), primary_key=True),
    Column("card_index", LargeBinary(32), nullable=False),
    Column("face", String(20), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("presented_at", Instant, nullable=False),
    Column("is_sent", Boolean, nullable=False),
    Column("report", LargeBinary, nullable=False),
    Index("misuse_by_card", "card_index"),
)
"""Listed cards that were presented (Article 26). `report` is sealed."""

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("face", String(20), nullable=False),
    Column("function", String(20), nullable=False),
    Column("card_index", LargeBinary(32)),
    Column("outcome", String(10), nullable=False),
    Column("reason", String(40)),
    Column("article", Integer),
    Column("list_version", Integer),
    Index("audit_by_card", "card_index"),
    sqlite_autoincrement=True,
)
"""Who used which card, when, through which face and for what (Articles 25, 27). Append-only."""

untold = Table(
    "untold",
    metadata,
    Column("number", String(30), ForeignKey("operation.number"), primary_key=True),
    Column("card_index", LargeBinary(32), nullable=False),
    Index("untold_by_card", "card_index"),
)
"""Operations that ended while nobody stood there, until their holder has been told."""

outbox = Table(
    "outbox",
    metadata,
    Column("number", String(30), ForeignKey("operation.number"), primary_key=True),
    Column("card_index", LargeBinary(32), nullable=False),
    Column("amount_fen", Integer, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("note", String(64)),
    Index("outbox_by_card", "card_index"),
    Index("outbox_waiting", "made_at", sqlite_where=text("sent_at IS NULL")),
)
"""What was done without the centre; `sent_at` is when it was uploaded, `note` what came of it."""

card_status = Table(
    "card_status",
    metadata,
    Column("card_index", LargeBinary(32), primary_key=True),
    Column("status", LargeBinary, nullable=False),
    Column("as_of", Instant, nullable=False),
)
"""The last status that the back office gave of a card, sealed."""

tap = Table(
    "tap",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("state", String(8), nullable=False),
    Column("at", Instant, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index("tap_by_state", "state"),
)
"""What a gate debited, sealed: one row a tap, written before the card is debited."""


def forbid(table: str, action: str) -> str:
    """The SQL of a trigger that forbids `action` (UPDATE or DELETE) on `table`."""
    return (
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


FORBIDDEN = (
    ("journal_event", "UPDATE"),
    ("journal_event", "DELETE"),
    ("operation", "DELETE"),
    ("audit", "UPDATE"),
    ("audit", "DELETE"),
)
"""What the database itself refuses, whoever asks."""

for _table, _action in FORBIDDEN:
    _trigger: ExecutableDDLElement = DDL(forbid(_table, _action))  # type: ignore[no-untyped-call]
    event.listen(metadata.tables[_table], "after_create", _trigger)
