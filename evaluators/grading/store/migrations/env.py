"""Alembic's entry: brings the store's own connection up to date, inside its transaction."""

from __future__ import annotations

from alembic import context

from evaluators.grading.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite can't alter a column in place
)
context.run_migrations()
