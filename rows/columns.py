"""Recognises columns by their names, in English and Korean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rows.encoding import nfc

#: Instructions that a rule can decide; `evaluators.instructions` reads them.
CHECKS = "checks"

#: By role, the likeliest name first. Case, spaces, _ and - do not matter.
NAMES: dict[str, tuple[str, ...]] = {
    "conversation": (
        "messages", "conversations", "conversation", "dialogue", "dialog", "dialogs", "turns",
        "chat", "대화", "대화내용",
    ),
    "question": (
        "prompt", "input_data", "question", "instruction", "query", "user_input", "user", "human",
        "request", "q", "질문", "질문내용", "질의", "문의", "문의내용", "발화",
        "사용자발화", "고객질문", "지시", "지시문", "지시사항", "프롬프트", "명령", "명령어",
        "명령문", "요청", "물음", "문제", "사용자", "input", "입력", "입력문", "입력값",
    ),
    "answer": (
        "reply", "output_data", "answer", "output", "response", "completion", "assistant",
        "chosen", "target", "bot", "gpt", "a", "답변", "답변내용", "응답", "챗봇응답",
        "시스템발화", "회신", "출력", "답", "대답", "정답", "완성", "출력문", "출력값", "모범답안",
        "챗봇",
    ),
    "input": (
        "input", "context", "passage", "입력", "입력문", "입력값", "문맥", "맥락", "지문", "본문",
        "배경", "추가입력",
    ),
    "system": (
        "system", "system_prompt", "system_message", "시스템", "시스템프롬프트", "시스템메시지",
    ),
    "history": ("history", "이전대화", "대화이력"),
    "split": (
        "data_type", "split", "분할", "데이터구분", "데이터유형", "subset", "set", "구분", "용도",
    ),
    #: Of a table of replies to be judged: "정답" is no reply there.
    "reply": (
        "reply", "answer", "response", "output", "output_data", "completion", "generation",
        "prediction", "답변", "답변내용", "응답", "출력", "대답",
    ),
    "text": ("text", "chatml", "텍스트"),
    "model": (
        "model", "model_name", "model_id", "llm", "candidate", "name", "모델", "모델명", "모델이름",
        "후보", "이름",
    ),
    "reference": (
        "reference", "gold", "expected", "ground_truth", "target", "label", "정답", "모범답안",
        "참조", "기준답변",
    ),
    #: What describes a row of a table of replies, and is no reply itself.
    "description": (
        "id", "prompt_id", "question_id", "index", "no", "num", "number", "category", "type",
        "task", "topic", "level", "difficulty", "source", "note", "date", "번호", "순번", "분류",
        "유형", "카테고리", "난이도", "주제", "출처", "비고", "메모", "날짜", CHECKS,
    ),
}  # fmt: skip


def fold(name: str) -> str:
    """A column's name without what people write differently."""
    return re.sub(r"[\s_\-.]+", "", nfc(name).casefold())


_FOLDED = {role: tuple(map(fold, names)) for role, names in NAMES.items()}


def names_a(role: str, name: str) -> bool:
    """Whether a column's name is one of a role's."""
    return fold(name) in _FOLDED[role]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what; None where there is none."""

    question: str | None = None
    answer: str | None = None
    input: str | None = None
    system: str | None = None
    history: str | None = None
    conversation: str | None = None
    text: str | None = None

    def taken(self) -> dict[str, str]:
        """The columns in use, by role."""
        found = {role: getattr(self, role) for role in self.__slots__}
        return {role: name for role, name in found.items() if name is not None}


def find_all(role: str, names: Sequence[str], taken: Sequence[str | None] = ()) -> list[str]:
    """The columns of a role that are there and not taken, the likeliest name first."""
    by_name = {fold(name): name for name in reversed(names) if name not in taken}
    return [by_name[known] for known in _FOLDED[role] if known in by_name]


def find(role: str, names: Sequence[str], taken: Sequence[str | None] = ()) -> str | None:
    """The column of a role, by the likeliest name that is there and not taken."""
    return next(iter(find_all(role, names, taken)), None)
