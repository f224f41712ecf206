"""`ohlora decide` and `ohlora report`: what a run or a table says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from benchmarks.report.evidence import Evidence
from benchmarks.report.terminal_tables import run_table
from benchmarks.report.write_report import write_report
from benchmarks.results import decision as deciding
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from commands.shared.console import out, print_json
from commands.shared.options import Json
from evaluators.tables.decision_sentences import sensitivity_text
from evaluators.tables.decision_table import read_table
from evaluators.tables.table_criteria import ColumnOptions
from model_registry.language import text


def decide(
    run_dir: Annotated[Path | None, typer.Argument(metavar="RUN")] = None,
    table: Annotated[
        Path | None, typer.Option(help=text("A CSV of criteria.", "기준이 담긴 CSV."))
    ] = None,
    low: Annotated[
        list[str] | None,
        typer.Option(help=text("A column of the table: low is better.", "낮을수록 좋은 표의 열.")),
    ] = None,
    high: Annotated[
        list[str] | None,
        typer.Option(help=text("A column: high is better.", "높을수록 좋은 표의 열.")),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(help=text("A column that does not decide.", "결정에 쓰지 않을 표의 열.")),
    ] = None,
    ignore_license: Annotated[bool, typer.Option("--ignore-license")] = False,
    as_json: Json = False,
) -> None:
    """Decide by the study's criteria."""
    if (run_dir is None) == (table is None):
        raise typer.BadParameter(text("give a RUN or --table FILE", "RUN 또는 --table FILE 하나"))
    if table is None and (low or high or skip):
        raise typer.BadParameter(
            text("--low, --high and --skip name columns of a --table",
                 "--low, --high, --skip은 --table의 열에만 쓸 수 있습니다")
        )  # fmt: skip

    columns = ColumnOptions(tuple(low or ()), tuple(high or ()), tuple(skip or ()))
    run = Run.read(RunFolder(run_dir)) if run_dir is not None else None
    if table is not None:
        decision = deciding.decide_table(table, ignore_license=ignore_license, columns=columns)
    elif run is not None:
        decision = deciding.decide(run, ignore_license=ignore_license)
    if as_json:
        reading = {} if table is None else {"table": read_table(table, columns).reading()}
        print_json(decision.to_json() | reading)
        return
    if run is not None:
        out.print(run_table(Evidence(run, decision)))
    out.print(escape(decision.ranking.reason), highlight=False)
    if table is not None:
        shares = sensitivity_text(read_table(table, columns))
        out.print("\n" + escape(shares), highlight=False, soft_wrap=True)


def report(run_dir: Annotated[Path, typer.Argument(metavar="RUN")]) -> None:
    """Write HTML, Markdown and CSV from a run folder."""
    out.print(str(write_report(RunFolder(run_dir)).html), soft_wrap=True)
