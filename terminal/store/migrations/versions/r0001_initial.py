"""The first store: journal, blacklist, audit trail, single values."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables and the triggers that keep journal and audit append-only."""
    _journal()
    _blacklist()
    _audit()
    for table, action in (
        ("journal_event", "UPDATE"),
        ("journal_event", "DELETE"),
        ("operation", "DELETE"),
        ("audit", "UPDATE"),
        ("audit", "DELETE"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _journal() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "operation",
        sa.Column("number", sa.String(30), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("terminal_number", sa.String(12), nullable=False),
        sa.Column("card_index", sa.LargeBinary(32), nullable=False),
        sa.Column("card", sa.LargeBinary, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("result", sa.LargeBinary),
        sa.Column("evidence", sa.String(16)),
        sa.Column("prepared_at", sa.String(32), nullable=False),
        sa.Column("changed_at", sa.String(32), nullable=False),
    )
    op.create_index("operation_by_state", "operation", ["state"])
    op.create_index("operation_by_card", "operation", ["card_index"])
    op.create_table(
        "journal_event",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.String(30), sa.ForeignKey("operation.number"), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("evidence", sa.String(16)),
        sa.Column("note", sa.String(64)),
        sa.Column("row_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
    )


def _blacklist() -> None:
    op.create_table(
        "blacklist",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("applied_at", sa.String(32), nullable=False),
    )
    op.create_table(
        "blacklist_entry",
        sa.Column("entry_id", sa.String(64), primary_key=True),
        sa.Column("card_id", sa.String(32)),
        sa.Column("number_from", sa.String(9)),
        sa.Column("number_to", sa.String(9)),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("scope", sa.String(60), nullable=False),
        sa.Column("action", sa.String(30), nullable=False),
        sa.Column("valid_from", sa.String(32), nullable=False),
        sa.Column("valid_until", sa.String(32)),
    )
    op.create_index("blacklist_entry_by_card", "blacklist_entry", ["card_id"])
    op.create_index("blacklist_entry_by_number", "blacklist_entry", ["number_from"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("face", sa.String(20), nullable=False),
        sa.Column("function", sa.String(20), nullable=False),
        sa.Column("card_index", sa.LargeBinary(32)),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(40)),
        sa.Column("article", sa.Integer),
        sa.Column("list_version", sa.Integer),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_by_card", "audit", ["card_index"])
