"""Chooses a study's rows: tuned on, held out for validation, asked; disjoint from each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.run.case import Task
from benchmarks.study.study import Span, Study
from model_registry.errors import OhloraError
from model_registry.files.shipped_data import DATASETS
from model_registry.messages.notes import Note
from rows.overlap import split_overlapping
from rows.reading_report import left_out_note, overlapping, read_notes
from rows.row import LeftOut, Row, Rows

_VALID_ROWS = 60


def data_path(name: str) -> Path:
    """Where a study's data is: a dataset that comes with the project, or a path."""
    inside = DATASETS / name
    return inside if inside.exists() else Path(name)


def rows_of_study(study: Study, rows: Rows, given: bool) -> tuple[Task, list[Note]]:
    """Rows tuned on, valid rows and prompts: disjoint, and said where they come from.

    Raises:
        OhloraError: they are too few to tune on or to ask.
    """
    notes: list[Note] = []
    train = [row for row in rows.rows if row.split == "train"]
    prompts = [row for row in rows.rows if row.split == "test"]
    plan = study.data
    tuned_span, prompt_span = plan.tuned_on, plan.prompts
    if given and not prompts:
        tuned_span, prompt_span = _spans_that_fit(plan.other_tuned_on, plan.other_prompts, train)
    if prompt_span is not None:
        prompts = train[prompt_span.first : prompt_span.last]
        span = {"first": prompt_span.first, "last": prompt_span.last - 1}
        notes.append(Note("prompts_are_train_rows", span))
    # Prompts of a file of their own leave the train rows that they ask before rows are counted off.
    rest, asked_too = (train, []) if prompt_span is not None else split_overlapping(train, prompts)
    tuned_on = [row for row in rest[tuned_span.first : tuned_span.last] if row.reply]
    if not study.work.tunes:
        tuned_on = []
    if (study.work.tunes and not tuned_on) or (study.work.answers and not prompts):
        raise OhloraError(
            f"The data has {len(train)} train rows, too few for rows "
            f"{tuned_span.first}–{tuned_span.last - 1} to tune on and prompts to ask.",
            f"데이터의 학습 행이 {len(train)}개뿐입니다. 튜닝할 {tuned_span.first}–"
            f"{tuned_span.last - 1}번 행과 질문으로 쓰기에 부족합니다.",
        )
    all_prompts = prompts
    prompts, again = _once(all_prompts)
    if prompt_span is not None:
        tuned_on, asked_too = split_overlapping(tuned_on, prompts)
    if asked_too and study.work.tunes and not tuned_on:
        raise OhloraError(
            f"All rows to tune on ask what the prompts ask: {prompts[0].prompt}",
            f"튜닝할 행이 모두 질문과 같은 것을 묻습니다: {prompts[0].prompt}",
        )
    valid, seen = split_overlapping(rows.of("valid"), [*tuned_on, *prompts])
    overlaps = [
        *overlapping(again, "asks_an_earlier_prompt", again[0].split if again else ""),
        *overlapping(asked_too, "asks_a_prompt", "train"),
        *overlapping(seen, "asks_a_train_row_or_prompt", "valid"),
    ]
    if not valid:
        others = [row for row in train if row.reply]
        valid = split_overlapping(others, [*tuned_on, *prompts])[0][:_VALID_ROWS]
        if valid:
            notes.append(Note("train_rows_validate", {"count": len(valid)}))
    said = replace(rows, left_out=tuple(_left_out(rows, all_prompts)))
    notes += [*read_notes(said), *map(left_out_note, overlaps)]
    return Task(tuple(tuned_on), tuple(valid), tuple(prompts)), notes


def _once(prompts: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The first row of each prompt, and the others: a run keeps one reply of a pass to a prompt."""
    first: dict[str, Row] = {}
    again = [row for row in prompts if first.setdefault(row.prompt, row) is not row]
    return list(first.values()), again


def _left_out(rows: Rows, prompts: Sequence[Row]) -> Iterator[LeftOut]:
    """What was left out; of the rows without an answer those that are not asked either."""
    asked = set(map(id, prompts))
    for part in rows.left_out:
        if part.reason != "no_answer":
            yield part
            continue
        of_split = [row for row in rows.rows if row.split == part.split and not row.reply]
        yield from overlapping([r for r in of_split if id(r) not in asked], part.reason, part.split)


def _spans_that_fit(tuned_on: Span, prompts: Span, train: Sequence[Row]) -> tuple[Span, Span]:
    """The study's spans where the file is long enough, else its beginning and its end."""
    total = len(train)
    if max(tuned_on.last, prompts.last) <= total:
        return tuned_on, prompts
    tuned = min(tuned_on.count, total // 2)
    return Span(0, tuned), Span(max(tuned, total - prompts.count), total)
