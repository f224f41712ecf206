"""Invitations and their end, and what graders who have finished may see."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables; what is there stays as it is."""
    for name in ("invitations", "revocations"):
        op.create_table(
            name,
            sa.Column("grader", sa.String(40), sa.ForeignKey("graders.id"), primary_key=True),
            sa.Column("made_at", sa.String(40), nullable=False),
        )
    op.create_table(
        "visibility",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run", sa.String(200), nullable=False),
        sa.Column("level", sa.String(20), nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
    )
