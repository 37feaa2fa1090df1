"""What was done without the centre, until it has been uploaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "outbox",
        sa.Column("number", sa.String(30), sa.ForeignKey("operation.number"), primary_key=True),
        sa.Column("card_index", sa.LargeBinary(32), nullable=False),
        sa.Column("amount_fen", sa.Integer, nullable=False),
        sa.Column("made_at", sa.String(32), nullable=False),
        sa.Column("sent_at", sa.String(32)),
        sa.Column("note", sa.String(64)),
    )
    op.create_index("outbox_by_card", "outbox", ["card_index"])
