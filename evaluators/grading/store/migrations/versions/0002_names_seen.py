"""Who has seen names or results of a run, and the settings that a graded answer was made with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table and the column; what is there stays as it is."""
    op.create_table(
        "names_seen",
        sa.Column("grader", sa.String(40), primary_key=True),
        sa.Column("run", sa.String(200), primary_key=True),
        sa.Column("made_at", sa.String(40), nullable=False),
    )
    op.add_column("grades", sa.Column("settings", sa.JSON, nullable=True))
