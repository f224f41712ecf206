"""The command line `ohlora`: assembles `commands/` and reports every mistake in one clear line.

To add a command, write a function in a module of `commands/` and name it in the table below. A
module is imported when its command is called: it imports what it needs at its top, while
`ohlora --help` loads none of them.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from commands.shared.console import err, plugin_files
from commands.shared.lazy_group import Place, lazy_group
from commands.shared.option_class import option
from commands.shared.stopping import exit_status
from commands.shared.streams import sanitised_streams
from commands.shared.usage_words import UsageError, show_usage_error
from model_registry.errors import OhloraError, OhloraWarning
from model_registry.language import text
from model_registry.messages.machine_errors import error_words

COMMANDS = {
    "candidates": Place(
        "commands.candidates:candidates",
        text("List candidates by criteria.", "조건에 맞는 후보를 나열합니다."),
        {
            "add": Place(
                "commands.candidates:add",
                text(
                    "Write models that you name into a catalog file of your own.",
                    "직접 지정한 모델을 카탈로그 파일에 적습니다.",
                ),
            )
        },
    ),
    "ask": Place(
        "commands.one_question:ask",
        text("Ask a candidate, or a model in a folder.", "후보나 폴더의 모델에게 묻습니다."),
    ),
    "plugins": Place(
        "commands.plugin_list:plugins",
        text("List the plugins that are loaded.", "불러온 플러그인을 나열합니다."),
    ),
    "fit": Place(
        "commands.fitting:fit",
        text("Does it fit, before any download?", "내려받기 전에 메모리에 맞는지 봅니다."),
    ),
    "doctor": Place(
        "commands.diagnosing:doctor",
        text(
            "Look at this machine, a message or a model before its weights.",
            "이 장비, 오류 메시지, 또는 가중치를 받기 전의 모델을 살펴봅니다.",
        ),
    ),
    "data": Place(
        "commands.rows:data",
        text("Show how rows are read.", "데이터를 어떻게 읽는지 보여 줍니다."),
    ),
    "studies": Place(
        "commands.study_list:studies",
        text("List the studies that come with it.", "포함된 스터디를 나열합니다."),
    ),
    "run": Place(
        "commands.runs:run",
        text("Measure a study and decide.", "스터디를 측정하고 결정합니다."),
    ),
    "tune": Place(
        "commands.tuning:tune",
        text("Tune the chosen one for good.", "고른 모델을 제대로 튜닝합니다."),
    ),
    "export": Place(
        "commands.tuning:export",
        text("Merge a tuned adapter into a model.", "튜닝한 어댑터를 모델에 합칩니다."),
    ),
    "score": Place(
        "commands.reply_scores:score",
        text("Score any file of replies.", "답변이 담긴 파일을 채점합니다."),
    ),
    "decide": Place(
        "commands.deciding:decide",
        text("Decide on a run or a table.", "실행 결과나 표로 결정합니다."),
    ),
    "report": Place(
        "commands.deciding:report",
        text("Write the report of a run.", "실행 결과의 보고서를 씁니다."),
    ),
    "app": Place(
        "ohlora_app:page",
        text(
            "Start the page: --host, --port, --share, --auth, --run DIR.",
            "페이지를 엽니다: --host, --port, --share, --auth, --run DIR.",
        ),
    ),
}
GRADES = {
    "plan": Place(
        "commands.grading.grading_plan:plan",
        text(
            "Show or set what of a run is graded, and how much work that is.",
            "실행 결과에서 무엇을 평가할지 정하고, 얼마나 걸릴지 보여 줍니다.",
        ),
    ),
    "export": Place(
        "commands.grading.grades:export_grades_of",
        text(
            "Write grades to .csv, .jsonl or a dataset folder.",
            "등급을 .csv, .jsonl, 데이터셋 폴더로 내보냅니다.",
        ),
    ),
    "import": Place(
        "commands.grading.grades:import_grades_of",
        text("Add the grades of a file.", "파일에 있는 등급을 들여옵니다."),
    ),
    "agreement": Place(
        "commands.grading.grades:agreement",
        text("How far graders agree.", "평가자들이 얼마나 일치하는지 보여 줍니다."),
    ),
    "next": Place(
        "commands.grading.grade_next:grade_next",
        text(
            "What to grade next, and whether it is still needed.",
            "다음에 무엇을 평가하면 좋은지, 더 평가해야 하는지 보여 줍니다.",
        ),
    ),
}
DIAGRAMS = {
    "parse": Place(
        "commands.diagrams:parse", text("Read nodes and edges.", "노드와 선을 읽습니다.")
    ),
    "draw": Place("commands.diagrams:draw", text("Draw as PNG or SVG.", "PNG나 SVG로 그립니다.")),
    "score": Place(
        "commands.diagrams:score",
        text("Score readability 0–5.", "가독성 점수를 0~5로 매깁니다."),
    ),
    "recommend": Place(
        "commands.diagrams:recommend",
        text("The best K of N diagrams.", "N개 중 가장 좋은 K개를 고릅니다."),
    ),
}

app = typer.Typer(
    name="ohlora",
    cls=lazy_group(COMMANDS),
    help=text(
        "Choose the small Korean language model to fine-tune, with evidence.",
        "파인튜닝할 작은 한국어 모델을 근거를 가지고 고릅니다.",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help is there in half the time
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(
    typer.Typer(cls=lazy_group(GRADES), no_args_is_help=True),
    name="grades",
    help=text(
        "What people grade, and what they graded.",
        "사람이 무엇을 평가할지 정하고, 매긴 등급을 내보내고 들여옵니다.",
    ),
)
app.add_typer(
    typer.Typer(cls=lazy_group(DIAGRAMS), no_args_is_help=True),
    name="diagram",
    help=text("Diagrams that models wrote.", "모델이 쓴 다이어그램을 읽고, 그리고, 채점합니다."),
)


@app.callback()
def _options(
    plugin: Annotated[
        list[Path] | None,
        option("A plugin file; may be repeated.", "플러그인 파일. 반복할 수 있습니다."),
    ] = None,
) -> None:
    plugin_files[:] = plugin or []


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line: 0 done, 1 the user must act, 2 wrong usage; never a traceback.

    Args:
        arguments: instead of those that the program was called with.
    """
    warnings.showwarning = _show_warning
    with sanitised_streams():
        try:
            status = app(arguments, prog_name="ohlora", standalone_mode=False)
        except UsageError as error:
            show_usage_error(error)
            sys.exit(error.exit_code)
        except typer.Abort:
            _tell(text("aborted", "중단했습니다"))
        except OhloraError as error:
            _tell(error.shown)
        except OSError as error:
            _tell(error_words(error))
        except KeyboardInterrupt as stopped:
            sys.exit(exit_status(stopped))
    sys.exit(status if isinstance(status, int) else 0)  # of a command that ended early


def _tell(problem: str) -> NoReturn:
    err.print(f"[red]{text('error', '오류')}:[/] {escape(problem)}", soft_wrap=True)
    sys.exit(1)


def _show_warning(
    message: Warning | str, category: type[Warning], *_: object, **__: object
) -> None:
    """Ours in one line; those of libraries speak to programmers, not to who runs the tool."""
    if issubclass(category, OhloraWarning):
        err.print(f"[yellow]{text('warning', '주의')}:[/] {escape(str(message))}", soft_wrap=True)


if __name__ == "__main__":
    main()
