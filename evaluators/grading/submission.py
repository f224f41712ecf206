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


class ParsedGrade(TypedDict):
    """The grade, flags and note of one reply; no grade if it was skipped."""

    grade: int | None
    flags: tuple[str, ...]
    note: str


def parse_skip(given: object) -> tuple[str, str]:
    """The reason for a skip, and a person's own words for another one ("other: …").

    Raises:
        InvalidRequest: no such reason.
    """
    reason, _, words = text(given, "skip_reason", LONGEST_NOTE).partition(":")
    if reason and (reason not in SKIP_REASONS or (words and reason != "other")):
        raise InvalidRequest(
            f"A skip needs one of these reasons: {', '.join(SKIP_REASONS)}.",
            f"건너뛰는 이유를 이 가운데서 고르세요: {', '.join(SKIP_REASONS)}.",
        )
    return reason, words.strip()


def parse_grades(
    grades: object, count: int, skip_reason: str, own_words: str = ""
) -> list[ParsedGrade]:
    """Each reply's grade (None in a skip), flags and note.

    In a skip, `own_words` are the note of replies that have none.

    Raises:
        InvalidRequest: with what is wrong.
    """
    if skip_reason:
        notes = grades if isinstance(grades, list) and len(grades) == count else [{}] * count
        kept = [_parse_grade(one, i, skipped=True) for i, one in enumerate(notes)]
        return [{**one, "grade": None, "note": one["note"] or own_words} for one in kept]
    return [_parse_grade(one, i) for i, one in enumerate(_as_many(grades, count))]


def parse_draft(answers: object, count: int) -> list[dict[str, object]]:
    """What was chosen so far: each reply's grade, where it has one, flags and note.

    Raises:
        InvalidRequest: with what is wrong.
    """
    return [
        dict(_parse_grade(one, i, skipped=isinstance(one, dict) and one.get("grade") is None))
        for i, one in enumerate(_as_many(answers, count))
    ]


def _as_many(grades: object, count: int) -> list[object]:
    if not isinstance(grades, list) or len(grades) != count:
        raise InvalidRequest(
            f"Expected a list of {count} grades, one for each reply.",
            f"답변마다 하나씩, 등급 {count}개를 보내세요.",
        )
    return grades


def _parse_grade(given: object, place: int, *, skipped: bool = False) -> ParsedGrade:
    if not isinstance(given, dict):
        raise InvalidRequest(
            f"Grade {place + 1} is not an object.", f"{place + 1}번째 등급을 읽을 수 없어요."
        )
    grade = given.get("grade")
    if not skipped and (type(grade) is not int or not 1 <= grade <= 5):
        raise InvalidRequest(
            f"Reply {place + 1} needs a grade from 1 to 5.",
            f"{place + 1}번째 답변에 등급(1~5)을 매겨 주세요.",
        )
    flags = given.get("flags") or []
    if not isinstance(flags, list) or not all(isinstance(f, str) and f in FLAGS for f in flags):
        raise InvalidRequest(
            f"Flags are a list of: {', '.join(FLAGS)}.",
            f"표시는 이 가운데서 고르세요: {', '.join(FLAGS)}.",
        )
    note = text(given.get("note") or "", "note", LONGEST_NOTE)
    return {"grade": grade, "flags": tuple(dict.fromkeys(flags)), "note": note}


#: What the parts of a request are called to a person.
_KOREAN = {
    "note": "메모",
    "prompt": "질문",
    "message": "메시지",
    "request": "요청",
    "system": "시스템 프롬프트",
    "card": "그래픽 카드",
    "name": "이름",
    "run": "실행 결과 이름",
    "screen": "항목 번호",
    "grader": "초대 링크",
    "attempt": "제출 번호",
    "skip_reason": "건너뛰는 이유",
}


def text(value: object, what: str, longest: int) -> str:
    """A text of bounded length.

    Raises:
        InvalidRequest: it is none, or too long.
    """
    named = _KOREAN.get(what, what)
    if not isinstance(value, str):
        raise InvalidRequest(f"{what} must be a text.", f"{named}에는 글자를 적으세요.")
    if len(value) > longest:
        raise InvalidRequest(
            f"{what} is too long: {len(value)} characters, at most {longest}.",
            f"{named}이(가) 너무 길어요: {len(value)}자(최대 {longest}자).",
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
