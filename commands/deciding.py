"""`ohlora decide` and `ohlora report`: the decision on a run or a table, and a run's report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from benchmarks.report.evidence import Evidence
from benchmarks.report.write_report import write_report
from benchmarks.results import decision as deciding
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from benchmarks.results.uses import licence_document
from commands.run_messages import tell_answer, tell_licences
from commands.shared.console import out, print_json
from commands.shared.option_class import argument, option
from commands.shared.options import Json, Use
from evaluators.tables.decision_sentences import sensitivity_text
from evaluators.tables.decision_table import read_table
from evaluators.tables.table_criteria import ColumnOptions
from model_registry.language import text


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideOptions:
    """What `ohlora decide` is asked for."""

    run_dir: Annotated[
        Path | None, argument("Folder of a run.", "실행 결과 폴더.", metavar="RUN")
    ] = None
    table: Annotated[Path | None, option("A CSV of criteria.", "기준이 담긴 CSV.")] = None
    low: Annotated[
        list[str] | None, option("A column of the table: low is better.", "낮을수록 좋은 표의 열.")
    ] = None
    high: Annotated[
        list[str] | None, option("A column: high is better.", "높을수록 좋은 표의 열.")
    ] = None
    skip: Annotated[
        list[str] | None, option("A column that does not decide.", "결정에 쓰지 않을 표의 열.")
    ] = None
    use: Use = None
    ignore_license: Annotated[
        bool, option("Leave licences out of it.", "라이선스를 따지지 않습니다.", "--ignore-license")
    ] = False
    as_json: Json = False


def decide(options: DecideOptions) -> None:
    """Decide by the study's criteria."""
    if (options.run_dir is None) == (options.table is None):
        raise typer.BadParameter(
            text("give a RUN or --table FILE", "RUN과 --table FILE 가운데 하나를 지정하세요")
        )
    if options.table is None and (options.low or options.high or options.skip):
        raise typer.BadParameter(
            text("--low, --high and --skip name columns of a --table",
                 "--low, --high, --skip은 --table의 열에만 쓸 수 있습니다")
        )  # fmt: skip
    if options.table is not None:
        _decide_table(options.table, options)
    elif options.run_dir is not None:
        _decide_run(RunFolder(options.run_dir), options)


def _decide_run(folder: RunFolder, options: DecideOptions) -> None:
    run = Run.read(folder)
    decision = deciding.decide(run, ignore_license=options.ignore_license, use=options.use)
    if options.as_json:
        print_json(decision.to_json() | licence_document(run))
        return
    tell_answer(Evidence(run, decision))
    tell_licences(run, decision)
    if decision.use is None:
        print(text("--use says what for.", "--use로 용도를 지정할 수 있습니다."))


def _decide_table(table: Path, options: DecideOptions) -> None:
    columns = ColumnOptions(
        tuple(options.low or ()), tuple(options.high or ()), tuple(options.skip or ())
    )
    decision = deciding.decide_table(
        table, ignore_license=options.ignore_license, columns=columns, use=options.use
    )
    read = read_table(table, columns)
    if options.as_json:
        print_json(decision.to_json() | {"table": read.reading()})
        return
    out.print(escape(decision.ranking.reason), highlight=False)
    print("\n" + sensitivity_text(read))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What `ohlora report` is asked for."""

    run_dir: Annotated[Path, argument("Folder of a run.", "실행 결과 폴더.", metavar="RUN")]


def report(options: ReportOptions) -> None:
    """Write HTML, Markdown and CSV from a run folder."""
    out.print(str(write_report(RunFolder(options.run_dir)).html), soft_wrap=True)
