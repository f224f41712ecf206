"""Validates what a grader submits: types, lengths, known names."""

from __future__ import annotations

import hashlib
import math
from typing import TypedDict

from evaluators.grading.rubric import FLAGS, SKIP_REASONS
from model_registry.errors import OhloraError

LONGEST_NOTE = 2000
_LONGEST_SECONDS = 24 * 3600.0


class InvalidRequest(OhloraError):
    """A request that can't be served as it is; in both languages, for a page that shows either."""

    def __init__(self, english: str, korean: str) -> None:
        self.english, self.korean = english, korean
        super().__init__(english)


class ParsedGrade(TypedDict):
    """The grade, flags and note of one reply; no grade if it was skipped."""

    grade: int | None
    flags: tuple[str, ...]
    note: str


def parse_grades(grades: object, count: int, skip_reason: str) -> list[ParsedGrade]:
    """Each reply's grade (None in a skip), flags and note.

    Raises:
        Refused: with what is wrong.
    """
    if skip_reason:
        if skip_reason not in SKIP_REASONS:
            raise InvalidRequest(
                f"A skip needs one of these reasons: {', '.join(SKIP_REASONS)}.",
                f"건너뛰는 이유는 이 가운데 하나여야 합니다: {', '.join(SKIP_REASONS)}.",
            )
        notes = grades if isinstance(grades, list) and len(grades) == count else [{}] * count
        return [
            {**_parse_grade(one, i, skipped=True), "grade": None} for i, one in enumerate(notes)
        ]
    if not isinstance(grades, list) or len(grades) != count:
        raise InvalidRequest(
            f"Expected a list of {count} grades, one for each reply.",
            f"답마다 하나씩, 등급 {count}개가 있어야 합니다.",
        )
    return [_parse_grade(one, i) for i, one in enumerate(grades)]


def _parse_grade(given: object, place: int, *, skipped: bool = False) -> ParsedGrade:
    if not isinstance(given, dict):
        raise InvalidRequest(
            f"Grade {place + 1} is not an object.", f"{place + 1}번째 등급을 읽을 수 없습니다."
        )
    grade = given.get("grade")
    if not skipped and (type(grade) is not int or not 1 <= grade <= 5):
        raise InvalidRequest(
            f"Reply {place + 1} needs a grade from 1 to 5.",
            f"{place + 1}번째 답에 등급(1~5)을 매겨 주세요.",
        )
    flags = given.get("flags") or []
    if not isinstance(flags, list) or not all(isinstance(f, str) and f in FLAGS for f in flags):
        raise InvalidRequest(
            f"Flags are a list of: {', '.join(FLAGS)}.",
            f"표시는 이 가운데서 고릅니다: {', '.join(FLAGS)}.",
        )
    note = text(given.get("note") or "", "note", LONGEST_NOTE)
    return {"grade": grade, "flags": tuple(dict.fromkeys(flags)), "note": note}


def text(value: object, what: str, longest: int) -> str:
    """A text of bounded length.

    Raises:
        Refused: it is none, or too long.
    """
    if not isinstance(value, str):
        raise InvalidRequest(f"{what} must be a text.", f"{what} 값은 글자여야 합니다.")
    if len(value) > longest:
        raise InvalidRequest(
            f"{what} is too long: {len(value)} characters, at most {longest}.",
            f"{what} 값이 너무 깁니다: {len(value)}자, 최대 {longest}자입니다.",
        )
    return value


def seconds_taken(value: object) -> float | None:
    """The seconds that a browser reports; None where they can't be true."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if 0 <= value <= _LONGEST_SECONDS else None


def digest(content: str) -> str:
    """A short fingerprint of what was submitted."""
    return hashlib.sha256(content.encode("utf-8", errors="replace")).hexdigest()[:24]
