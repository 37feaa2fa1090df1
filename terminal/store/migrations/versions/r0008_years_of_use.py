"""Indexes for what is asked at every visit, so that it takes no longer as the years go by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Find the reversals that left, and what waits in the outbox, without reading all rows."""
    reversing, waiting = sa.text("note = 'reversing'"), sa.text("sent_at IS NULL")
    op.create_index("event_reversing", "journal_event", ["number"], sqlite_where=reversing)
    op.create_index("outbox_waiting", "outbox", ["made_at"], sqlite_where=waiting)
