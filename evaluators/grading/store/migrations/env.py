"""Alembic's environment: migrates the open connection inside its transaction."""

from __future__ import annotations

from alembic import context

from evaluators.grading.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite can't alter a column in place
)
context.run_migrations()
