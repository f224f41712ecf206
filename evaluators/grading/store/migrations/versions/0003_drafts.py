"""What graders have chosen and not handed in yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table; what is there stays as it is."""
    op.create_table(
        "drafts",
        sa.Column("screen", sa.String(40), sa.ForeignKey("screens.id"), primary_key=True),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
    )
