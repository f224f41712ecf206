"""Benchmark tasks: each candidate before the tune, after it, and what changed."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.report.evidence import Evidence
from benchmarks.report.report_texts import sentence
from benchmarks.report.tables.main_table import case_cell, name_cell
from benchmarks.report.tables.table_cells import Cell, Column, Table, make_table, missing
from benchmarks.results.comparisons.task_scores import (
    TaskEstimate,
    task_case,
    task_change,
    task_estimate,
    task_ranks,
    task_value,
    tasks_of,
)
from benchmarks.results.run import Run, quantization
from benchmarks.results.setting import PLAIN
from model_registry.language import text
from model_registry.records import Result


def benchmark_table(evidence: Evidence) -> Table:
    """A row for each candidate and task; failed cases with their status."""
    ranks = task_ranks(evidence.run)
    change = text("Change", "변화")
    columns = [
        Column(text("Candidate", "후보"), numeric=False),
        Column(text("Task", "과제"), numeric=False, mono=True),
        Column(text("Metric", "지표"), numeric=False),
        Column(text("Documents", "문항")),
        Column(text("before the tune", "튜닝 전")),
        *(Column(text(f"after, r{rank}", f"튜닝 후, r{rank}")) for rank in ranks),
        *(Column(f"r{rank}", change) for rank in ranks),
    ]
    rows = [
        [name_cell(evidence, name), *_cells(evidence.run, name, task, ranks)]
        for name in evidence.candidates
        for task in tasks_of(evidence.run)
    ]
    return make_table(columns, rows, _note(evidence))


def _cells(run: Run, name: str, task: str, ranks: tuple[int, ...]) -> Iterator[Cell]:
    case = task_case(run, name, task)
    figures = case.figures if case is not None else {}
    yield Cell(task)
    yield Cell(str(figures.get("metric") or "—").removesuffix(",none"))
    documents = figures.get("documents")
    yield missing("—") if documents is None else Cell(str(documents), "number", documents)
    for rank in (None, *ranks):
        yield _value_cell(run, name, task, rank)
    for rank in ranks:
        yield _change_cell(run, name, task, rank)


def _value_cell(run: Run, name: str, task: str, rank: int | None) -> Cell:
    """The figure as lm-evaluation-harness gives it, the interval below it."""
    case, value = task_case(run, name, task, rank), task_value(run, name, task, rank)
    if case is None or not case.ok:
        return case_cell(case, None)
    if value is None:
        return missing(text("no single figure", "하나의 수치가 없음"))
    under = (_interval(task_estimate(run, name, task, rank)), _base(run, name, task, case))
    return Cell(f"{value:.4f}", "number", value, under=", ".join(filter(None, under)))


def _base(run: Run, name: str, task: str, asked: Result) -> str:
    """On which weights a task was asked, where any of its figures is of quantised ones."""
    own = quantization(asked)
    cases = (task_case(run, name, task, rank) for rank in (None, *task_ranks(run)))
    if own == PLAIN and all(quantization(case) == PLAIN for case in cases if case):
        return ""
    return text("plain weights", "양자화 안 함") if own == PLAIN else own


def _change_cell(run: Run, name: str, task: str, rank: int) -> Cell:
    """The paired difference, else that of the two figures, as a criterion takes it."""
    found = task_change(run, name, task, rank)
    if found is None:
        before, after = (task_value(run, name, task, each) for each in (None, rank))
        if before is None or after is None:
            return missing("—")
        return Cell(f"{after - before:+.4f}", "number", after - before)
    sure = found.low is not None and found.high is not None and found.low * found.high > 0
    note = "" if sure else text("not told from 0", "0과 구별되지 않음")
    return Cell(f"{found.mean:+.4f}", "number", found.mean, under=_interval(found, "+"), note=note)


def _interval(found: TaskEstimate | None, sign: str = "") -> str:
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{found.low:{sign}.3f} – {found.high:{sign}.3f}"


def _note(evidence: Evidence) -> str:
    contract = evidence.head.contract
    template = text("on", "사용") if contract.get("task_template") else text("off", "미사용")
    limit = int(contract.get("task_limit") or 0)
    parts = [
        sentence("tasks_by", template=template),
        sentence("tasks_limited", limit=limit) if limit else "",
        sentence("task_intervals"),
        _forgotten(evidence.run),
    ]
    return " ".join(filter(None, parts))


def _forgotten(run: Run) -> str:
    """On which side of 0 something was forgotten, by the good end of each task's metric."""
    figures = [each.figures for each in run.results if each.workload == "benchmark"]
    ends = {str(each["task"]): each.get("higher_is_better") for each in figures if "task" in each}
    lower = [task for task, higher in ends.items() if higher is False]
    if any(ends.values()):
        said = text("A change below 0 is forgotten.", "변화가 0보다 작으면 잊은 것입니다.")
        but = text(
            f"Where lower is better, one above 0 is: {', '.join(lower)}.",
            f"낮을수록 좋은 과제({', '.join(lower)})는 0보다 크면 잊은 것입니다.",
        )
        return f"{said} {but}" if lower else said
    if lower:
        return text("A change above 0 is forgotten.", "변화가 0보다 크면 잊은 것입니다.")
    return ""
