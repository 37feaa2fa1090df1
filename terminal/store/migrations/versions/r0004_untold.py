"""Which operations ended while their holder was away, until the holder has been told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table. What ended before is not told any more: nobody knows what was."""
    op.create_table(
        "untold",
        sa.Column("number", sa.String(30), sa.ForeignKey("operation.number"), primary_key=True),
        sa.Column("card_index", sa.LargeBinary(32), nullable=False),
    )
    op.create_index("untold_by_card", "untold", ["card_index"])
