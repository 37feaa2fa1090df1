"""No card identifier in clear: the blacklist's entries sealed, found by blind indexes.

The list in force is kept: each entry is sealed as it stands. The pages that held it in clear are
overwritten, because the store works with `secure_delete`. The copy that was put aside before is as
clear as the store was.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0003"
down_revision = "0002"

_BATCH = 1_000


def upgrade() -> None:
    """Seal the entries into a new table and drop the old one."""
    sealed = op.create_table(
        "sealed_entry",
        sa.Column("entry_index", sa.LargeBinary(32), primary_key=True),
        sa.Column("card_index", sa.LargeBinary(32)),
        sa.Column("number_index", sa.LargeBinary(32)),
        sa.Column("is_range", sa.Boolean, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
    )
    connection = op.get_bind()
    names = [
        "entry_id",
        "card_id",
        "number_from",
        "number_to",
        "reason",
        "scope",
        "action",
        "valid_from",
        "valid_until",
    ]
    old = sa.table("blacklist_entry", *(sa.column(name) for name in names))
    found = connection.execute(sa.select(old))
    while rows := found.fetchmany(_BATCH):
        connection.execute(sealed.insert(), [_sealed(row._asdict()) for row in rows])
    op.drop_table("blacklist_entry")
    op.rename_table("sealed_entry", "blacklist_entry")
    op.create_index("blacklist_entry_by_card", "blacklist_entry", ["card_index"])
    op.create_index("blacklist_entry_by_number", "blacklist_entry", ["number_index"])
    op.create_index("blacklist_entry_by_range", "blacklist_entry", ["is_range"])


def _sealed(row: dict[str, Any]) -> dict[str, Any]:
    """The row as revision 0003 keeps it; `keyed` is the store with its key."""
    keyed = context.config.attributes["keyed"]
    entry_index = keyed.index(f"entry/{row['entry_id']}")
    first, last, card_id = row["number_from"], row["number_to"], row["card_id"]
    by_number = card_id is None and first is not None
    single = by_number and first == last
    entry = {**row, "scope": row["scope"].split()}
    return {
        "entry_index": entry_index,
        "card_index": None if card_id is None else keyed.index(card_id),
        "number_index": keyed.index(f"number/{first}") if single else None,
        "is_range": by_number and not single,
        "entry": keyed.seal(entry, f"blacklist_entry/entry/{entry_index.hex()}"),
    }
