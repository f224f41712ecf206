"""Records of grading: graders, screens, grades, votes; one frozen record per row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from model_registry.records import reply_hash as reply_hash  # grades name replies by it

#: What a person may say in a vote between two replies.
CHOICES = ("left", "right", "both_good", "both_bad")


@dataclass(frozen=True, slots=True)
class Grader:
    """A person who grades; the name is all that is known of them."""

    id: str
    name: str
    made_at: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One reply on a screen: which one it is. Never sent to a grader's browser."""

    case: str
    candidate: str
    pass_: str
    tuned: int | None
    reply_hash: str


@dataclass(frozen=True, slots=True)
class Screen:
    """One prompt with some replies, as one grader sees it, in the order it is shown in."""

    id: str
    grader: str
    run: str
    number: int
    kind: str  # "practice", "item" or "repeat"
    prompt: str
    shown: tuple[Shown, ...]
    made_at: str = ""


@dataclass(frozen=True, slots=True)
class PlannedScreens:
    """The screens of all graders of a run, and what is known of them."""

    screens: tuple[Screen, ...]
    graded: frozenset[str]  # ids of screens on which a grade was given
    revoked: frozenset[str]  # ids of graders whose invitation was ended


@dataclass(frozen=True, slots=True)
class Grade:
    """One grade (or a skip) that one person gave one reply, with how it was shown."""

    key: str
    subject: str
    grader: str
    run: str
    case: str
    candidate: str
    prompt: str
    reply: str
    grade: int | None
    page: str = "grade"
    screen: str | None = None
    kind: str = "item"
    pass_: str = "greedy"
    tuned: int | None = None
    reply_hash: str = ""
    position: int | None = None
    shown: int | None = None
    flags: tuple[str, ...] = ()
    note: str = ""
    skip_reason: str = ""
    seconds: float | None = None
    blind: bool = True
    made_at: str = ""
    settings: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's choice between two replies to the same prompt."""

    key: str
    grader: str
    prompt: str
    left: str
    right: str
    left_reply: str
    right_reply: str
    choice: str
    settings: dict[str, object]
    seconds: float | None = None
    made_at: str = ""


def now() -> str:
    """The time in UTC, to the millisecond, as rows hold it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def grades_that_count(grades: Iterable[Grade]) -> list[Grade]:
    """The grade that counts for each subject: the last blind one, or else the last.

    What somebody changed after they had seen names or results is kept, and counts for nothing.
    """
    last: dict[str, Grade] = {}
    for grade in grades:
        if grade.blind or grade.subject not in last or not last[grade.subject].blind:
            last[grade.subject] = grade
    return list(last.values())
