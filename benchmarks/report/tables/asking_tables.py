"""Table and picture of a run that asked backends: latency, speed and grades of their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.report.evidence import Evidence
from benchmarks.report.pictures.cost_pictures import candidates_along_y
from benchmarks.report.pictures.drawing import (
    FAINT,
    LIMIT,
    RANKS,
    WIDTH,
    Picture,
    colour,
    draw,
    from_zero,
)
from benchmarks.report.report_texts import sentence
from benchmarks.report.tables.main_table import case_cell, name_cell
from benchmarks.report.tables.table_cells import Cell, Column, Table, make_table, missing
from benchmarks.workloads.workload import workload_called
from model_registry.language import text
from model_registry.records import GRADES, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def asked_backends(evidence: Evidence) -> bool:
    """Whether this run asked backends, instead of measuring models."""
    return any(workload_called(result.workload).asks for result in evidence.results)


def asking_table(evidence: Evidence) -> Table:
    """How fast each backend answered: connecting, first token and the whole apart."""
    figures = {
        "connect_seconds": Column(text("Connecting", "연결"), unit="ms", better="low"),
        "first_token_seconds": Column(text("First token", "첫 토큰"), unit="s", better="low"),
        "seconds_per_prompt": Column(text("Answer", "답변"), unit="s", better="low"),
        "tokens_per_second": Column(text("Tokens/s", "초당 토큰"), better="high"),
        "characters_per_second": Column(text("Characters/s", "초당 글자"), better="high"),
        "characters": Column(text("Characters", "글자 수")),
    }
    columns = [
        Column(text("Backend", "백엔드"), numeric=False),
        Column(text("Answered", "답변함"), numeric=False),
        *figures.values(),
        Column(text("Right", "정답"), better="high"),
    ]
    rows = [
        [
            name_cell(evidence, name),
            _answered(evidence.run.answering(name)),
            *(_figure(evidence.run.answering(name), figure) for figure in figures),
            _right(evidence, name),
        ]
        for name in evidence.candidates
    ]
    note = sentence("asking_times")
    return make_table(columns, rows, note)


def _answered(case: Result | None) -> Cell:
    if case is None:
        return missing(text("not asked", "묻지 않음"))
    answered, asked = case.figures.get("answered", 0), case.figures.get("asked")
    words = f"{answered} / {asked}" if asked else "0"
    return Cell(words) if case.ok else Cell(words, "failed", note=case.shown or case.status)


def _figure(case: Result | None, figure: str) -> Cell:
    """Nothing to connect to is no failure to measure it."""
    value = case.figures.get(figure) if case else None
    if figure == "connect_seconds" and case is not None and case.ok and value is None:
        return missing(text("in process", "내부"))
    if figure == "connect_seconds" and value is not None:
        value *= 1000
    return case_cell(case, value)


def _right(evidence: Evidence, name: str) -> Cell:
    share = evidence.value("facts_untuned", name)
    if share is None:
        return missing(text("no score", "점수 없음"))
    return Cell(f"{share:.0%}", "number", share)


def asking_picture(evidence: Evidence) -> Picture | None:
    """Seconds to the first token and to the end, characters a second, grades."""
    if not asked_backends(evidence):
        return None
    graded = any(evidence.value("human_grade", name) for name in evidence.candidates)

    def plot(figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3, sharey=True)
        _seconds(left, evidence)
        _speed(middle, evidence)
        _quality(right, evidence, "human_grade" if graded else "quality", graded)
        candidates_along_y(left, evidence)

    last = (
        text("people's grade, 1 to 5", "사람의 평가(1–5)")
        if graded
        else text("quality by the evaluators (nobody has graded yet)", "자동 평가(사람 평가 없음)")
    )
    caption = sentence("asking_picture", last=last)
    title = text("The same questions to each backend", "같은 질문, 백엔드마다")
    height = 1.4 + 0.42 * len(evidence.candidates)
    return draw("backends", title, caption, (WIDTH, height), plot)


def _seconds(axes: Axes, evidence: Evidence) -> None:
    axes.set_title(text("Seconds per answer", "답변당 시간, 초"))
    largest = 0.0
    for row, name in enumerate(evidence.candidates):
        case = evidence.run.answering(name)
        total = case.figures.get("seconds_per_prompt") if case else None
        if case is None or not case.ok or total is None:
            _say(axes, row, case)
            continue
        first = case.figures.get("first_token_seconds") or 0.0
        axes.barh(row, total, 0.6, color=RANKS[0])
        axes.barh(row, min(first, total), 0.6, color=RANKS[2])
        largest = max(largest, total)
    from_zero(axes, largest)
    axes.grid(axis="y", visible=False)


def _speed(axes: Axes, evidence: Evidence) -> None:
    """Tokens a second as bars, where all are counted; characters a second written beside."""
    axes.set_title(text("Tokens a second (characters a second)", "초당 토큰 (초당 글자)"))
    largest = 0.0
    for row, name in enumerate(evidence.candidates):
        case = evidence.run.answering(name)
        if case is None or not case.ok:
            _say(axes, row, case)
            continue
        tokens = case.figures.get("tokens_per_second")
        characters = case.figures.get("characters_per_second")
        axes.barh(row, tokens or 0.0, 0.6, color=RANKS[1])
        said = text("tokens not told", "토큰 수 모름") if tokens is None else f"{tokens:,.0f}"
        beside = f"{said} ({characters:,.0f})" if characters is not None else said
        axes.annotate(beside, (tokens or 0.0, row), (4, 0), textcoords="offset points",
                      va="center", fontsize=7.5, color=FAINT)  # fmt: skip
        largest = max(largest, tokens or 0.0)
    axes.set_xlim(0, largest * 1.45 if largest else 1)
    axes.grid(axis="y", visible=False)


def _quality(axes: Axes, evidence: Evidence, criterion: str, graded: bool) -> None:
    axes.set_title(text("Grade", "평가") if graded else text("Quality", "품질"))
    for row, name in enumerate(evidence.candidates):
        value = evidence.value(criterion, name)
        if value is None:
            _say(axes, row, evidence.run.answering(name))
        else:
            axes.plot(value, row, "o", color=colour(row), markersize=8)
    low, high = (min(GRADES.values()), max(GRADES.values())) if graded else (0, 1)
    axes.set_xlim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _say(axes: Axes, row: int, case: Result | None) -> None:
    failed = case is not None and not case.ok
    axes.annotate(case.status if case is not None and failed else "—", (0, row), (3, 0),
                  textcoords="offset points", va="center", fontsize=7.5,
                  color=LIMIT if failed else FAINT)  # fmt: skip
