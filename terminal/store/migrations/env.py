"""Alembic's entry: runs the revisions on the connection it is given, inside its transaction."""

from __future__ import annotations

from alembic import context

from terminal.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
