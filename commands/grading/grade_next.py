"""`ohlora grades next`: which prompt a person should grade next, and whether it is still needed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from benchmarks.results.human_grades import grades_of, read_gradable
from benchmarks.results.rater_rows import GradedRun
from commands.shared.console import print_columns, print_json
from commands.shared.option_class import argument, option
from commands.shared.options import Json
from evaluators.grading.statistics.next_grades import GradingPlan
from evaluators.grading.statistics.rater_scores import scores_of_run
from model_registry.language import text

#: Of a prompt, in a table.
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class NextOptions:
    """What `ohlora grades next` is asked for."""

    run_dir: Annotated[Path, argument("Folder of a run.", "실행 결과 폴더.", metavar="RUN")]
    count: Annotated[int, option("How many prompts.", "보여 줄 질문 수.", min=1)] = 5
    as_json: Json = False


def grade_next(options: NextOptions) -> None:
    """Print the stop rule and the prompts whose grades narrow the difference at the top most."""
    run = read_gradable(options.run_dir)
    grades = grades_of(run.folder, (reply for item in run.items for reply in item.replies))
    plan = GradedRun(run, grades, scores_of_run(run)).plan(options.count)
    if options.as_json:
        stop = {**asdict(plan.stop), "stops": plan.stop.stops}
        print_json({"stop": stop, "next": [asdict(one) for one in plan.grades]})
        return
    print(plan.stop.note.words)
    if plan.grades:
        print_columns(_rows(plan), right=(2, 3))


def _rows(plan: GradingPlan) -> list[tuple[str, ...]]:
    head = (
        text("prompt", "질문"),
        text("replies of", "답변한 후보"),
        text("graded by", "평가한 사람"),
        text("variance saved by a grade", "등급 하나가 줄이는 분산"),
    )
    return [
        head,
        *(
            (
                " ".join(one.prompt.split())[:_SHOWN_CHARACTERS],
                ", ".join(one.candidates),
                str(one.people),
                f"{one.variance_reduction:.4f}",
            )
            for one in plan.grades
        ),
    ]
