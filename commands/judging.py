"""Commands about how good an answer is: score, decide, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.terminal import Json, out, plugin_files, print_columns, print_json
from model_registry.language import text

app = typer.Typer()


@app.command(help=text("Score any file of replies.", "답변이 담긴 파일을 채점합니다."))
def score(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv")],
    prompt_column: Annotated[
        str | None, typer.Option(help=text("Whose cells were asked.", "질문 열."))
    ] = None,
    reply_column: Annotated[
        list[str] | None,
        typer.Option(
            help=text("Repeat it for each model's column.", "답변 열. 반복할 수 있습니다.")
        ),
    ] = None,
    reference_column: Annotated[
        str | None, typer.Option(help=text("Of right answers.", "모범 답안 열."))
    ] = None,
    model_column: Annotated[
        str | None, typer.Option(help=text("Who gave a row's reply.", "답변한 모델의 열."))
    ] = None,
    tuned_on: Annotated[
        Path | None,
        typer.Option(
            help=text(
                "Rows tuned on: marks their prompts.", "튜닝한 데이터: 같은 질문을 표시합니다."
            )
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score the replies of a table with all evaluators, model by model."""
    from evaluators.csv_scoring import score_csv
    from evaluators.evaluator_registry import load_evaluators
    from rows.reading import read_data

    document = score_csv(
        file, prompt_column, reply_column, reference_column, load_evaluators(plugin_files),
        model_column=model_column, tuned_on=read_data(tuned_on).of("train") if tuned_on else (),
    )  # fmt: skip
    if as_json:
        print_json(document)
    else:
        _print_scores(document)


ABREAST = 5  # models in one table


def _print_scores(document: dict[str, Any]) -> None:
    """What was read, the means (of each model), and what was tuned on."""
    out.print(escape(document["read"]["words"]), highlight=False, soft_wrap=True)
    columns = {text("mean", "평균"): document["mean"]}
    if document["models"]:
        columns = {name: found["mean"] for name, found in document["models"].items()}
    names = list(columns)
    for start in range(0, len(names), ABREAST):
        shown = names[start : start + ABREAST]
        rows = [
            (name, *(_number(columns[model][name]) for model in shown)) for name in document["mean"]
        ]
        print_columns([(text("evaluator", "평가"), *shown), *rows], right=range(1, len(shown) + 1))
    print(text(f"{len(document['rows'])} replies.", f"답변 {len(document['rows'])}개."))
    _print_tuned_on(document.get("tuned_on"))


def _print_tuned_on(found: dict[str, Any] | None) -> None:
    if not found or not found["prompts"]:
        return
    without = (found["mean_without"] or {}).get("quality")
    out.print(
        text(
            f"{found['prompts']} of the prompts were tuned on (or nearly), which raises the "
            f"means; quality without them: {_number(without)}",
            f"질문 {found['prompts']}개는 튜닝한 질문과 같거나 거의 같아 평균을 높입니다. "
            f"이들을 뺀 quality: {_number(without)}",
        ),
        highlight=False,
    )


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"


@app.command(help=text("Decide on a run or a table.", "실행 결과나 표로 결정합니다."))
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
    from benchmarks.report.evidence import Evidence
    from benchmarks.report.terminal_tables import run_table
    from benchmarks.results import decision as deciding
    from benchmarks.results.folder import RunFolder
    from benchmarks.results.run import Run
    from evaluators.tables.decision_table import Said, read_table

    said = Said(tuple(low or ()), tuple(high or ()), tuple(skip or ()))
    run = Run.read(RunFolder(run_dir)) if run_dir is not None else None
    if table is not None:
        decision = deciding.decide_table(table, ignore_license=ignore_license, said=said)
    elif run is not None:
        decision = deciding.decide(run, ignore_license=ignore_license)
    if as_json:
        reading = {} if table is None else {"table": read_table(table, said).reading()}
        print_json(decision.to_json() | reading)
        return
    if run is not None:
        out.print(run_table(Evidence(run, decision)))
    out.print(escape(decision.ranking.reason), highlight=False)
    if table is not None:
        from evaluators.tables.decision_words import sensitivity_text

        shares = sensitivity_text(read_table(table, said))
        out.print("\n" + escape(shares), highlight=False, soft_wrap=True)


@app.command(help=text("Write the report of a run.", "실행 결과의 보고서를 씁니다."))
def report(run_dir: Annotated[Path, typer.Argument(metavar="RUN")]) -> None:
    """Write HTML, Markdown and CSV from a run folder."""
    from benchmarks.report.write_report import write_report
    from benchmarks.results.folder import RunFolder

    out.print(str(write_report(RunFolder(run_dir)).html), soft_wrap=True)
