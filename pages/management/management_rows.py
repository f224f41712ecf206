"""Rows of the manager's tables from an overview of the grading."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.grading.management.grading_overview import (
    DisputedReply,
    GraderRow,
    PromptTime,
    Remark,
)
from evaluators.grading.rubric import FLAGS, SKIP_REASONS, BilingualText
from evaluators.grading.statistics.comparison import label_of
from evaluators.grading.store.management_store import Invitation
from model_registry.language import is_korean, text
from pages.page_table import Rows, column

#: So many rows are shown at once; the rest is behind a button.
SHOWN = 10

GRADERS = [
    column("name", "Grader", "평가자", always=True),
    column("state", "State", "상태"),
    column("progress", "Done", "완료"),
    column("skipped", "Skipped", "건너뜀", digits=0),
    column("seconds", "Seconds an item", "항목당 시간(초)", digits=0),
    column("flags", "Flags", "표시", digits=0),
    column("last_at", "Last grade (UTC)", "마지막 평가(UTC)"),
]
TIMES = [
    column("prompt", "Prompt", "질문", always=True),
    column("seconds", "Seconds (median)", "시간(초, 중앙값)", digits=0),
    column("screens", "Times graded", "평가 횟수", digits=0),
    column("skips", "Skipped", "건너뜀", digits=0),
]
DISPUTED = [
    column("reply", "Reply", "답변", always=True),
    column("spread", "Spread", "등급 차이", digits=0),
    column("grades", "Grades", "등급"),
    column("prompt", "Prompt", "질문"),
    column("candidate", "Candidate", "후보"),
]
REMARKS = [
    column("reply", "Reply", "답변", always=True),
    column("said", "Flags and note", "표시와 메모"),
    column("grade", "Grade", "등급", digits=0),
    column("grader", "Grader", "평가자"),
    column("prompt", "Prompt", "질문"),
    column("candidate", "Candidate", "후보"),
]
INVITATIONS = [
    column("name", "Name", "이름", always=True),
    column("made_at", "Made (UTC)", "만든 때(UTC)"),
    column("revoked_at", "Revoked (UTC)", "취소한 때(UTC)"),
]

_STATES = {
    "invited": ("invited", "초대함"),
    "joined": ("not begun", "시작 전"),
    "grading": ("grading", "평가 중"),
    "finished": ("finished", "완료"),
    "revoked": ("revoked", "취소됨"),
}


def grader_rows(graders: Iterable[GraderRow]) -> Rows:
    """Each grader's progress."""
    return [
        {
            "name": one.name,
            "state": text(*_STATES[one.state]),
            "progress": f"{one.done} / {one.screens}" if one.screens else None,
            "skipped": one.skipped,
            "seconds": one.seconds,
            "flags": one.flags,
            "last_at": _minute(one.last_at),
            "muted": one.state == "revoked",
        }
        for one in graders
    ]


def time_rows(prompts: Iterable[PromptTime]) -> Rows:
    """Time by prompt, the slowest first."""
    return _folded(
        {"prompt": one.prompt, "seconds": one.seconds, "screens": one.screens, "skips": one.skips}
        for one in prompts
    )


def disputed_rows(replies: Iterable[DisputedReply]) -> Rows:
    """Replies that people disagree on, the furthest apart first."""
    return _folded(
        {
            "reply": _read(one.reply),
            "spread": one.spread,
            "grades": ", ".join(f"{name} {grade}" for name, grade in one.grades),
            "prompt": one.prompt,
            "candidate": label_of(one.candidate, one.tuned),
        }
        for one in replies
    )


def remark_rows(remarks: Iterable[Remark]) -> Rows:
    """Flags, notes and reasons, the newest first."""
    return _folded(
        {
            "reply": _read(one.reply),
            "said": _said(one),
            "grade": one.grade,
            "grader": one.grader,
            "prompt": one.prompt,
            "candidate": label_of(one.candidate, one.tuned),
        }
        for one in remarks
    )


def invitation_rows(invitations: Iterable[Invitation]) -> Rows:
    """Invitations, the newest first."""
    return [
        {
            "name": one.name,
            "made_at": _minute(one.made_at),
            "revoked_at": _minute(one.revoked_at),
            "muted": one.revoked_at is not None,
        }
        for one in invitations
    ]


def _folded(rows: Iterable[dict[str, object]]) -> Rows:
    return [{**row, "folded": place >= SHOWN} for place, row in enumerate(rows)]


def _read(reply: str) -> str:
    return reply if reply.strip() else text("(an empty reply)", "(빈 답변)")


def _said(remark: Remark) -> str:
    flags = [_words(FLAGS.get(flag), flag) for flag in remark.flags]
    skip = [_words(SKIP_REASONS.get(remark.skip_reason), remark.skip_reason)]
    return " · ".join(filter(None, [*flags, *skip, remark.note]))


def _words(known: BilingualText | None, code: str) -> str:
    return code if known is None else known.ko if is_korean() else known.en


def _minute(moment: str | None) -> str | None:
    """2026-01-02T03:04:05.678+00:00 as 2026-01-02 03:04."""
    return moment and moment[:16].replace("T", " ")
