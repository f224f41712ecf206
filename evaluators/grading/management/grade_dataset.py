"""Exports grades as a dataset folder that Hugging Face's `load_dataset` reads.

Graders are numbered, not named: a dataset is made to be shared. Two configurations: `grades`, one
row a grade as it was given, and `replies`, one row a reply with its mean.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from evaluators.grading.grade_export import rows_of
from evaluators.grading.rubric import LEVELS
from evaluators.grading.statistics.agreement import blind_first_grades, reply_key
from evaluators.grading.store.grade_records import Grade, grades_that_count
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonDict

#: Columns that tell who somebody is, or mean nothing outside the database.
_LEFT_OUT = ("grader_name", "key", "subject", "screen")


def export_dataset(store: GradeStore, folder: Path, run: str | None = None) -> int:
    """Write README.md and data/*.jsonl into a new or empty folder; how many grades.

    Raises:
        OhloraError: the folder holds something else.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OhloraError(
            f"{folder} is not empty: name a new folder for the dataset.",
            f"{folder}에 이미 파일이 있습니다. 데이터셋을 만들 새 폴더를 지정하세요.",
        )
    history = store.grades(run, history=True)
    numbers = {one: f"grader-{i}" for i, one in enumerate(_graders(history), 1)}
    grades = [_anonymous(row, numbers) for row in rows_of(history, {})]
    replies = list(reply_rows(grades_that_count(history)))
    (folder / "data").mkdir(parents=True, exist_ok=True)
    _write(folder / "data" / "grades.jsonl", grades)
    _write(folder / "data" / "replies.jsonl", replies)
    (folder / "README.md").write_text(card(run, len(grades), len(replies), len(numbers)), "utf-8")
    return len(grades)


def _graders(grades: Iterable[Grade]) -> list[str]:
    return list(dict.fromkeys(grade.grader for grade in grades))


def _anonymous(row: dict[str, object], numbers: dict[str, str]) -> JsonDict:
    kept = {name: value for name, value in row.items() if name not in _LEFT_OUT}
    # A column of one type: how a chat's answer was made differs from row to row.
    kept["settings"] = json.dumps(kept["settings"], ensure_ascii=False)
    return {**kept, "grader": numbers[str(row["grader"])]}


def reply_rows(grades: Sequence[Grade]) -> Iterable[JsonDict]:
    """One row a reply: its mean over those who graded it blind, the first time they saw it."""
    units: dict[object, list[Grade]] = defaultdict(list)
    for grade in blind_first_grades(grades):
        units[reply_key(grade)].append(grade)
    for given in units.values():
        first, values = given[0], [one.grade or 0 for one in given]
        yield {
            "run": first.run,
            "candidate": first.candidate,
            "tuned": first.tuned,
            "prompt": first.prompt,
            "reply": first.reply,
            "mean_grade": fmean(values),
            "grades": values,
            "flags": sorted({flag for one in given for flag in one.flags}),
        }


def _write(path: Path, rows: Iterable[JsonDict]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes("".join(lines).encode())


def card(run: str | None, grades: int, replies: int, graders: int) -> str:
    """The dataset's README: its configurations, and what they hold, in English and Korean."""
    levels = "\n".join(f"| {one.value} | {one.english} | {one.name} |" for one in LEVELS)
    return f"""---
language:
- ko
pretty_name: {json.dumps(f"Grades of {run or 'all runs'}", ensure_ascii=False)}
task_categories:
- text-generation
tags:
- human-feedback
- oh-lora
configs:
- config_name: grades
  default: true
  data_files: data/grades.jsonl
- config_name: replies
  data_files: data/replies.jsonl
---

# {run or "Grades"}

{grades} grades by {graders} people of {replies} replies, exported by Oh-LoRA on \
{datetime.now(UTC).date().isoformat()}. Graders are numbered. Notes are as people wrote them: read \
them before you share this.

등급 {grades}개, 평가자 {graders}명, 답변 {replies}개입니다. 평가자는 번호로만 적었습니다. 메모는 \
쓴 그대로이므로 공유하기 전에 읽어 보세요.

    from datasets import load_dataset
    grades = load_dataset("FOLDER", "grades")["train"]

- `grades`: one row a grade, revisions too. Statistics use rows with `kind` "item" and `blind` true,
  of each grader and reply the last.
- `replies`: one row a reply with its mean grade.

| grade | English | 한국어 |
|---|---|---|
{levels}
"""
