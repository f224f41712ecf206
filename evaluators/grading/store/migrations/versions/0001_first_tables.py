"""The first tables: graders, screens, grades, votes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables as they were in the first version, whatever schema.py says today."""
    op.create_table(
        "graders",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
    )
    op.create_table(
        "screens",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("grader", sa.String(40), sa.ForeignKey("graders.id"), nullable=False),
        sa.Column("run", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("shown", sa.JSON, nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.UniqueConstraint("grader", "run", "number", name="one_screen_a_number"),
    )
    _create_grades()
    _create_votes()


def _create_grades() -> None:
    op.create_table(
        "grades",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(200), nullable=False, unique=True),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("grader", sa.String(40), sa.ForeignKey("graders.id"), nullable=False),
        sa.Column("page", sa.String(20), nullable=False),
        sa.Column("run", sa.String(200), nullable=False),
        sa.Column("screen", sa.String(40)),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("case", sa.String(300), nullable=False),
        sa.Column("candidate", sa.String(300), nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("pass", sa.String(40), nullable=False),
        sa.Column("tuned", sa.Integer),
        sa.Column("reply", sa.Text, nullable=False),
        sa.Column("reply_hash", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer),
        sa.Column("shown", sa.Integer),
        sa.Column("grade", sa.Integer),
        sa.Column("flags", sa.JSON, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("skip_reason", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float),
        sa.Column("blind", sa.Boolean, nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.CheckConstraint("grade IS NULL OR (grade >= 1 AND grade <= 5)", name="five_grades"),
    )
    op.create_index("grades_by_run", "grades", ["run"])
    op.create_index("grades_by_subject", "grades", ["subject"])


def _create_votes() -> None:
    op.create_table(
        "votes",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(200), nullable=False, unique=True),
        sa.Column("grader", sa.String(40), sa.ForeignKey("graders.id"), nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("left", sa.String(300), nullable=False),
        sa.Column("right", sa.String(300), nullable=False),
        sa.Column("left_reply", sa.Text, nullable=False),
        sa.Column("right_reply", sa.Text, nullable=False),
        sa.Column("choice", sa.String(20), nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("seconds", sa.Float),
        sa.Column("made_at", sa.String(40), nullable=False),
    )
