"""The decision as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.report.cells import Cell, Column, make_table, megabytes, missing, percent
from benchmarks.report.evidence import Evidence
from benchmarks.report.main_table import case_cell, parameters
from model_registry.language import text
from model_registry.records import Result

if TYPE_CHECKING:
    from rich.table import Table

_NAME = 1  # the column of names
_STYLES = {"missing": "dim", "failed": "red", "name": "bold"}


def decision_table(evidence: Evidence) -> Table:
    """Rank, candidate, size, costs, quality before → after, score and share of wins.

    Candidates that are not ranked stand below the others, failed cases with their status; where
    nothing was decided none has a rank.
    """
    from rich.markup import escape
    from rich.table import Table

    data = make_table(_columns(), (_row(evidence, name) for name in evidence.candidates))
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(data.columns):
        # Only names may be folded on a narrow terminal: half a status or number says nothing.
        table.add_column(
            escape(column.head),
            justify="right" if column.numeric else "left",
            no_wrap=index != _NAME,
            overflow="fold",
        )
    for row in data.rows:
        table.add_row(*(_styled(escape(cell.text), cell) for cell in row))
    return table


def _columns() -> list[Column]:
    return [
        Column("#"),
        Column(text("candidate", "후보"), numeric=False),
        Column(text("size", "크기")),
        Column(text("tune", "튜닝"), unit="s", better="low"),
        Column(text("tune", "튜닝"), unit="MB", better="low"),
        Column(text("reply", "답변"), unit="s", better="low"),
        Column(text("quality", "품질")),
        Column(text("score", "점수"), better="high"),
        Column(text("wins", "1위 비율")),
    ]


def _row(evidence: Evidence, name: str) -> list[Cell]:
    ranked = evidence.ranked.get(name)
    tunes = [evidence.tuning(name, tune) for tune in evidence.tunes]
    # Where a rank failed there is no mean: that rank's status is what a reader must see.
    tune = next((case for case in tunes if case is not None and not case.ok), None)
    tune = tune or next((case for case in reversed(tunes) if case is not None), None)
    scored = ranked is not None and ranked.score is not None
    return [
        Cell(str(ranked.rank), "number") if ranked and scored else missing("—"),
        Cell(evidence.shown(name), "name"),
        parameters(evidence.candidates[name].get("parameters")),
        case_cell(tune, evidence.value("fine_tune_seconds", name)),
        _memory(evidence, name, tune),
        case_cell(evidence.answering(name), evidence.value("inference_seconds", name)),
        _quality(evidence, name),
        Cell(f"{ranked.score:.3f}", "number", ranked.score)
        if ranked and ranked.score is not None
        else missing("—"),
        percent(ranked.win_share if ranked and scored else None),
    ]


def _memory(evidence: Evidence, name: str, tune: Result | None) -> Cell:
    """Peak megabytes of the highest rank. The column before it has the status of a failed tune."""
    if tune is not None and not tune.ok:
        return missing("—")
    return case_cell(tune, megabytes(evidence.value("fine_tune_bytes", name)))


def _quality(evidence: Evidence, name: str) -> Cell:
    if evidence.head["weights"] == "random":
        return missing(text("random", "무작위"))
    values = (evidence.value("quality", name), evidence.value("quality_tuned", name))
    if values == (None, None):
        return missing(text("no score", "점수 없음"))
    before, after = ("—" if value is None else f"{value:.2f}" for value in values)
    return Cell(f"{before} → {after}")


def _styled(words: str, cell: Cell) -> str:
    style = "bold green" if cell.best else _STYLES.get(cell.kind)
    return f"[{style}]{words}[/]" if style else words
