"""The tables of a run as the terminal shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from benchmarks.report.evidence import Evidence
from benchmarks.report.tables.main_table import Field, case_cell, judged_fields, size, tokens_cell
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
    from rich.console import Console, ConsoleOptions
    from rich.table import Table as RichTable

_NAME_WIDTH = 16  # terminal cells into which names are folded where room is short
_STYLES = {"missing": "dim", "failed": "red", "name": "bold"}


def run_table(evidence: Evidence) -> TerminalTable:
    """The candidates of a run; before and after side by side where the study has variants."""
    variants = variants_table(evidence)
    return TerminalTable(_candidates(evidence) if variants is None else _narrow(variants))


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


@dataclass(frozen=True)
class TerminalTable:
    """A table of the report for a terminal, the best of each column in green.

    Columns that have no room beside the others follow below, the names before them again.
    """

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RichTable]:
        for places in self._parts(options.max_width):
            yield self._part(places)

    def _parts(self, width: int) -> list[list[int]]:
        """The places of the columns of each part, which fits into so many terminal cells."""
        names = [at for at, column in enumerate(self.table.columns) if not column.numeric]
        parts, taken = [list[int]()], 0
        for at in range(len(self.table.columns)):
            wide = self._width(at)
            if taken + wide > width + 1 and set(parts[-1]) > set(names):
                parts.append([*names])
                taken = sum(map(self._width, names))
            parts[-1].append(at)
            taken += wide
        return parts

    def _texts(self, at: int) -> list[str]:
        return [row[at].text for row in self.table.rows]

    def _head(self, at: int) -> str:
        """A column's head; that of figures in lines about as wide as they are."""
        from rich.cells import cell_len

        column = self.table.columns[at]
        if not column.numeric:
            return column.head
        cells = max(map(cell_len, self._texts(at)), default=0)
        narrow = max(1, cells * len(column.head) // (cell_len(column.head) or 1))
        return "\n".join(wrap(column.head, narrow, break_long_words=False, break_on_hyphens=False))

    def _width(self, at: int) -> int:
        """Cells of the terminal that a column needs, the gap behind it included."""
        from rich.cells import cell_len

        texts = self._texts(at)
        if not self.table.columns[at].numeric:
            return min(_NAME_WIDTH, max(map(cell_len, texts), default=0)) + 1
        return max(map(cell_len, [*self._head(at).split("\n"), *texts])) + 1

    def _part(self, places: Sequence[int]) -> RichTable:
        from rich.markup import escape
        from rich.table import Table as RichTable

        shown = RichTable(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
        for at in places:
            numeric = self.table.columns[at].numeric
            # Only words may be folded on a narrow terminal: half a status or number says nothing.
            shown.add_column(
                escape(self._head(at)),
                justify="right" if numeric else "left",
                no_wrap=numeric,
                overflow="fold",
            )
        for row in self.table.rows:
            shown.add_row(*(_styled(escape(row[at].text), row[at]) for at in places))
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
