"""Records a judge's questions and answers, and replays them without the judge."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from model_registry.errors import BadFile, OhloraError

Ask = Callable[[str], str]


class CallFailed(OhloraError):
    """A recorded call had failed; replaying it fails again, as it did then."""


class NotRecorded(OhloraError):
    """The transcript has no answer to this question."""


def record(ask: Ask, path: Path) -> Ask:
    """`ask`, with every question and its answer (or its failure) appended to a JSON lines file."""

    def asking(question: str) -> str:
        row: dict[str, str] = {"key": _key(question), "question": question}
        try:
            answer = ask(question)
        except Exception as error:
            _append(path, row | {"error": f"{type(error).__name__}: {error}"})
            raise
        _append(path, row | {"answer": answer})
        return answer

    return asking


def replay(path: Path) -> Ask:
    """A recording as a function: the n-th time a question is asked, its n-th answer.

    Raises, when it is called:
        CallFailed: the call had failed when it was recorded.
        NotRecorded: the question was not asked (so often) when it was recorded.
    """
    answers: dict[str, list[dict[str, str]]] = defaultdict(list)
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line:
            continue
        try:
            row = json.loads(line)
            answers[row["key"]].append(row)
        except (ValueError, KeyError, TypeError) as error:
            raise BadFile(
                path, number, f"no line of a transcript ({error})", f"기록의 줄이 아닙니다({error})"
            ) from error
    asked: dict[str, int] = defaultdict(int)

    def asking(question: str) -> str:
        key = _key(question)
        if asked[key] >= len(answers[key]):
            raise NotRecorded(
                f"{path} has no answer to this question: record it anew.",
                f"{path}에 이 질문의 답변이 없습니다. 다시 기록하세요.",
            )
        row = answers[key][asked[key]]
        asked[key] += 1
        if "error" in row:
            raise CallFailed(row["error"], row["error"])
        return row["answer"]

    return asking


def _key(question: str) -> str:
    return hashlib.sha256(question.encode("utf-8", errors="replace")).hexdigest()[:16]


def _append(path: Path, row: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(row, ensure_ascii=False) + "\n"
    with path.open("ab") as file:
        file.write(line.encode("utf-8", errors="replace"))
