"""The database schema: graders, screens, drafts, grades, votes.

Rows are added and never changed: a revision is a new row, and the last row of a subject counts.
Only a draft, which is no grade yet, is written over.
Columns are plain text, numbers and JSON, so that SQLite and PostgreSQL hold the same thing.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

#: The migration that makes this schema; `migrations/versions` must end in it.
HEAD = "0004"

metadata = MetaData()

graders = Table(
    "graders",
    metadata,
    Column("id", String(40), primary_key=True),  # a digest of the invitation or of the login
    Column("name", String(200), nullable=False),  # what the person chose; two may share one
    Column("made_at", String(40), nullable=False),
)

screens = Table(
    "screens",
    metadata,
    Column("id", String(40), primary_key=True),  # random: it tells nothing about its replies
    Column("grader", String(40), ForeignKey("graders.id"), nullable=False),
    Column("run", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(20), nullable=False),  # "practice", "item" or "repeat"
    Column("prompt", Text, nullable=False),
    Column("shown", JSON, nullable=False),  # the replies' keys, in the order shown
    Column("made_at", String(40), nullable=False),
    UniqueConstraint("grader", "run", "number", name="one_screen_a_number"),
)

drafts = Table(
    "drafts",
    metadata,
    Column("screen", String(40), ForeignKey("screens.id"), primary_key=True),
    Column("answers", JSON, nullable=False),  # of each card: grade or none, flags, note
    Column("made_at", String(40), nullable=False),
)

grades = Table(
    "grades",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),  # the same key is the same grade
    Column("subject", String(200), nullable=False),  # rows of one subject are its revisions
    Column("grader", String(40), ForeignKey("graders.id"), nullable=False),
    Column("page", String(20), nullable=False),  # "grade" or "chat"
    Column("run", String(200), nullable=False),
    Column("screen", String(40)),
    Column("kind", String(20), nullable=False),
    Column("case", String(300), nullable=False),
    Column("candidate", String(300), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("pass", String(40), nullable=False),
    Column("tuned", Integer),
    Column("reply", Text, nullable=False),
    Column("reply_hash", String(64), nullable=False),
    Column("position", Integer),  # of its card, from 0, as shown
    Column("shown", Integer),  # how many cards stood on the screen
    Column("grade", Integer),  # 5 best … 1 worst; none where the item was skipped
    Column("flags", JSON, nullable=False),
    Column("note", Text, nullable=False),
    Column("skip_reason", Text, nullable=False),
    Column("seconds", Float),
    Column("blind", Boolean, nullable=False),  # the grader had seen no names and no results
    Column("made_at", String(40), nullable=False),
    Column("settings", JSON(none_as_null=True)),  # how a chat's answer was made
    CheckConstraint("grade IS NULL OR (grade >= 1 AND grade <= 5)", name="five_grades"),
    Index("grades_by_run", "run"),
    Index("grades_by_subject", "subject"),
)

votes = Table(
    "votes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("grader", String(40), ForeignKey("graders.id"), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("left", String(300), nullable=False),  # the candidate shown on the left
    Column("right", String(300), nullable=False),
    Column("left_reply", Text, nullable=False),
    Column("right_reply", Text, nullable=False),
    Column("choice", String(20), nullable=False),  # left, right, both_good or both_bad
    Column("settings", JSON, nullable=False),
    Column("seconds", Float),
    Column("made_at", String(40), nullable=False),
)

names_seen = Table(
    "names_seen",
    metadata,
    # Not a key into graders: a login may look before it first grades.
    Column("grader", String(40), primary_key=True),
    Column("run", String(200), primary_key=True),
    Column("made_at", String(40), nullable=False),  # the first time
)

invitations = Table(
    "invitations",
    metadata,
    Column("grader", String(40), ForeignKey("graders.id"), primary_key=True),
    Column("made_at", String(40), nullable=False),
)

revocations = Table(
    "revocations",
    metadata,
    Column("grader", String(40), ForeignKey("graders.id"), primary_key=True),
    Column("made_at", String(40), nullable=False),
)

visibility = Table(
    "visibility",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),  # the last one of a run counts
    Column("run", String(200), nullable=False),
    Column("level", String(20), nullable=False),  # what graders who have finished may see
    Column("made_at", String(40), nullable=False),
)
