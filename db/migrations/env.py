"""Runs the revisions on the connection that `db.migrate` opened."""

from __future__ import annotations

from alembic import context

from db.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    transactional_ddl=True,  # SQLite can; Alembic assumes that it cannot
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
