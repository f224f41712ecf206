"""The tables of a run as the terminal shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.report.evidence import Evidence
from benchmarks.report.tables.main_table import (
    Field,
    case_cell,
    judged_fields,
    size,
    tokens_cell,
)
from benchmarks.report.tables.table_cells import (
    Cell,
    Column,
    Table,
    make_table,
    megabytes,
    missing,
    percent,
)
from benchmarks.report.tables.variant_tables import variants_table
from model_registry.language import text
from model_registry.records import Result

if TYPE_CHECKING:
    from rich.table import Table as RichTable

_STYLES = {"missing": "dim", "failed": "red", "name": "bold"}


def run_table(evidence: Evidence) -> RichTable:
    """The candidates of a run; before and after side by side where the study has variants."""
    variants = variants_table(evidence)
    return in_terminal(_candidates(evidence) if variants is None else _narrow(variants))


def _narrow(variants: Table) -> Table:
    """Of the table of variants what fits on eighty columns."""
    first = text("of first", "첫 대비")
    return variants.narrowed({
        "candidate": text("candidate", "후보"),
        "variant": text("variant", "변형"),
        "step_seconds": text("step (s)", "스텝 (초)"),
        "time_share": first,
        "peak": text("peak (MB)", "최대 (MB)"),
        "memory_share": first,
        "last_loss": text("last loss", "끝 손실"),
    })  # fmt: skip


def _candidates(evidence: Evidence) -> Table:
    """Rank, candidate, size, costs, quality before → after, score and share of wins.

    Candidates that are not ranked stand below the others, failed cases with their status; what the
    study does not do has no column.
    """
    fields = list(_fields(evidence))
    rows = [[cell(evidence, name) for _, cell in fields] for name in evidence.candidates]
    return make_table([column for column, _ in fields], rows)


def in_terminal(table: Table) -> RichTable:
    """A table of the report for a terminal, the best of each column in green."""
    from rich.markup import escape
    from rich.table import Table as RichTable

    shown = RichTable(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for column in table.columns:
        # Only words may be folded on a narrow terminal: half a status or number says nothing.
        shown.add_column(
            escape(column.head),
            justify="right" if column.numeric else "left",
            no_wrap=column.numeric,
            overflow="fold",
        )
    for row in table.rows:
        shown.add_row(*(_styled(escape(cell.text), cell) for cell in row))
    return shown


def _fields(evidence: Evidence) -> Iterator[Field]:
    if not evidence.compares:
        yield Column("#"), _place
    yield (
        Column(text("candidate", "후보"), numeric=False),
        lambda e, name: Cell(e.shown(name), "name"),
    )
    yield Column(text("size", "크기")), lambda e, n: size(e.candidates[n])
    # Eighty columns have room for it only where it decides.
    if any(criterion.name == "tokens_per_100_characters" for criterion in evidence.declared):
        yield Column(text("tok/100", "토큰/100자"), better="low"), tokens_cell
    if evidence.run.tunes:
        yield Column(text("tune", "튜닝"), unit="s", better="low"), _seconds
        yield Column(text("tune", "튜닝"), unit="MB", better="low"), _memory
    yield Column(text("reply", "답변"), unit="s", better="low"), _reply_seconds
    if not evidence.run.tunes:
        yield Column(text("reply", "답변"), unit="MB", better="low"), _reply_memory
    yield from judged_fields(evidence)
    if any(criterion.name.startswith("quality") for criterion in evidence.declared):
        yield Column(text("quality", "품질")), _quality
    if not evidence.compares:
        yield Column(text("score", "점수"), better="high"), _score
        yield Column(text("wins", "1위 비율")), _wins


def _place(evidence: Evidence, name: str) -> Cell:
    ranked = evidence.ranked.get(name)
    if ranked is None or ranked.score is None:
        return missing("—")
    return Cell(str(ranked.rank), "number")


def _tune(evidence: Evidence, name: str) -> Result | None:
    """Where a rank failed there is no mean: that rank's status is what a reader must see."""
    cases = (evidence.run.tuning(name, tune) for tune in evidence.run.tunes)
    tunes = [case for case in cases if case is not None]
    failed = next((case for case in tunes if not case.ok), None)
    return failed or (tunes[-1] if tunes else None)


def _seconds(evidence: Evidence, name: str) -> Cell:
    return case_cell(_tune(evidence, name), evidence.value("fine_tune_seconds", name))


def _reply_seconds(evidence: Evidence, name: str) -> Cell:
    return case_cell(evidence.run.answering(name), evidence.value("inference_seconds", name))


def _reply_memory(evidence: Evidence, name: str) -> Cell:
    peak = megabytes(evidence.value("inference_bytes", name))
    return case_cell(evidence.run.answering(name), peak)


def _score(evidence: Evidence, name: str) -> Cell:
    ranked = evidence.ranked.get(name)
    if ranked is None or ranked.score is None:
        return missing("—")
    return Cell(f"{ranked.score:.3f}", "number", ranked.score)


def _wins(evidence: Evidence, name: str) -> Cell:
    ranked = evidence.ranked.get(name)
    return percent(None if ranked is None or ranked.score is None else ranked.win_share)


def _memory(evidence: Evidence, name: str) -> Cell:
    """Peak megabytes of the highest rank. The column before it has the status of a failed tune."""
    tune = _tune(evidence, name)
    if tune is not None and not tune.ok:
        return missing("—")
    return case_cell(tune, megabytes(evidence.value("fine_tune_bytes", name)))


def _quality(evidence: Evidence, name: str) -> Cell:
    if evidence.run.random_weights:
        return missing(text("random", "무작위"))
    values = (evidence.value("quality", name), evidence.value("quality_tuned", name))
    if values == (None, None):
        return missing(text("no score", "점수 없음"))
    before, after = ("—" if value is None else f"{value:.2f}" for value in values)
    return Cell(f"{before} → {after}")


def _styled(words: str, cell: Cell) -> str:
    style = "bold green" if cell.best else _STYLES.get(cell.kind)
    return f"[{style}]{words}[/]" if style else words
