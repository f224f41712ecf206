"""`ohlora score`: scores the replies of a file with every evaluator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from commands.shared.console import out, plugin_files, print_columns, print_json
from commands.shared.option_class import argument, option
from commands.shared.options import Json
from evaluators.csv_scoring import score_csv
from evaluators.evaluator_registry import load_evaluators
from model_registry.language import text
from rows.reading import read_data

if TYPE_CHECKING:
    from evaluators.csv_scoring import ScoreDocument, TunedOn


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """What `ohlora score` is asked for."""

    file: Annotated[
        Path,
        argument(
            "A table of replies: CSV, Excel, JSON …",
            "답변이 담긴 표: CSV, Excel, JSON 등.",
            metavar="FILE.csv",
        ),
    ]
    prompt_column: Annotated[str | None, option("Whose cells were asked.", "질문 열.")] = None
    reply_column: Annotated[
        list[str] | None,
        option("Repeat it for each model's column.", "답변 열. 반복할 수 있습니다."),
    ] = None
    reference_column: Annotated[str | None, option("Of right answers.", "모범 답안 열.")] = None
    model_column: Annotated[str | None, option("Who gave a row's reply.", "답변한 모델의 열.")] = (
        None
    )
    tuned_on: Annotated[
        Path | None,
        option("Rows tuned on: marks their prompts.", "튜닝한 데이터: 같은 질문을 표시합니다."),
    ] = None
    as_json: Json = False


def score(options: ScoreOptions) -> None:
    """Score the replies of a table with all evaluators, model by model."""
    document = score_csv(
        options.file,
        options.prompt_column,
        options.reply_column,
        options.reference_column,
        load_evaluators(plugin_files),
        model_column=options.model_column,
        tuned_on=read_data(options.tuned_on).of("train") if options.tuned_on else (),
    )
    if options.as_json:
        print_json(document)
    else:
        _print_scores(document)


ABREAST = 5  # models in one table


def _print_scores(document: ScoreDocument) -> None:
    """What was read, the means (of each model), and what was tuned on."""
    print(document["read"]["words"])
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


def _print_tuned_on(found: TunedOn | None) -> None:
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
