"""The blacklist packed instead of row by row; a download in pieces; misuse that waits to be told.

The list in force is kept. Its hash is that of the packed entries from now on, so the back office's
next deltas do not continue it, and a snapshot takes its place.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from backend_client.entry_set import EntrySet
from backend_client.list_messages import IDENTITY, BlacklistEntry

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables, pack the list in force, and drop its rows."""
    part = op.create_table(
        "blacklist_part",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "blacklist_piece",
        sa.Column("start", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "misuse",
        sa.Column("report_id", sa.String(24), primary_key=True),
        sa.Column("card_index", sa.LargeBinary(32), nullable=False),
        sa.Column("face", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("presented_at", sa.String(32), nullable=False),
        sa.Column("is_sent", sa.Boolean, nullable=False),
        sa.Column("report", sa.LargeBinary, nullable=False),
    )
    op.create_index("misuse_by_card", "misuse", ["card_index"])
    connection = op.get_bind()
    kept = connection.execute(sa.text("SELECT head FROM blacklist")).scalar()
    if kept is not None:
        entries = EntrySet.of(_entries(connection))
        keyed = context.config.attributes["keyed"]
        sealed = keyed.seal_bytes(entries.encode(), "blacklist_part/data/0")
        connection.execute(part.insert().values(sequence=0, data=sealed))
        head = {**json.loads(kept), "set_hash": entries.hash.hex(), "entries": len(entries)}
        text = json.dumps(head, ensure_ascii=False)
        connection.execute(sa.text("UPDATE blacklist SET head = :head"), {"head": text})
    op.drop_table("blacklist_entry")


def _entries(connection: sa.Connection) -> list[BlacklistEntry]:
    keyed = context.config.attributes["keyed"]
    rows = connection.execute(sa.text("SELECT entry_index, entry FROM blacklist_entry"))
    return [
        _entry(keyed.unseal(row.entry, f"blacklist_entry/entry/{row.entry_index.hex()}"))
        for row in rows
    ]


def _entry(kept: dict[str, Any]) -> BlacklistEntry:
    """An entry of revision 0003, without its name."""
    until, card_id = kept["valid_until"], kept["card_id"]
    return BlacklistEntry(
        card_id=None if card_id is None else card_id[:IDENTITY],
        number_from=kept["number_from"],
        number_to=kept["number_to"],
        reason=kept["reason"],
        scope=tuple(kept["scope"]),
        action=kept["action"],
        valid_from=datetime.fromisoformat(kept["valid_from"]),
        valid_until=None if until is None else datetime.fromisoformat(until),
    )
