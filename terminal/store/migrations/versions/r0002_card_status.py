"""What is known of a card when the back office cannot be asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of last known statuses."""
    op.create_table(
        "card_status",
        sa.Column("card_index", sa.LargeBinary(32), primary_key=True),
        sa.Column("status", sa.LargeBinary, nullable=False),
        sa.Column("as_of", sa.String(32), nullable=False),
    )
