"""`ohlora grades plan`: what of a run people grade, by how many, and about how long that takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.results.human_grades import read_gradable, stored_grades
from commands.shared.console import print_columns, print_json
from commands.shared.option_class import argument, option
from commands.shared.options import Json, one_of
from evaluators.grading.gradable_replies import GradableRun
from evaluators.grading.scope.grading_load import GradingLoad, load_of, scope_document
from evaluators.grading.scope.grading_scope import (
    STATES,
    GradingScope,
    checked_scope,
    declare,
    scope_of,
    take_back,
)
from evaluators.grading.store.grade_records import now
from model_registry.language import text

_STATES = tuple(state.replace("_", "-") for state in STATES)


def _state(value: str | None) -> str | None:
    return None if value is None else one_of(value, _STATES)


def _count(value: str | None) -> str | None:
    """A number, or "all"."""
    if value is None or value == "all" or value.isdecimal():
        return value
    raise typer.BadParameter(
        text(f"{value!r} is no number and not all", f"{value!r}: 숫자나 all을 적으세요")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What `ohlora grades plan` is asked for; without any option it shows what is planned."""

    run_dir: Annotated[Path, argument("Folder of a run.", "실행 결과 폴더.", metavar="RUN")]
    replies: Annotated[
        str | None,
        option(
            "Replies to grade: untuned, tuned (at one rank), before-after (both) or all.",
            "평가할 답변: untuned(튜닝 전), tuned(한 랭크로 튜닝 후), before-after(둘 다), "
            "all(전부).",
            callback=_state,
        ),
    ] = None
    rank: Annotated[int | None, option("The rank of tuned ones.", "튜닝 후 답변의 랭크.")] = None
    prompts: Annotated[
        str | None, option("How many prompts, or all.", "질문 수 또는 all.", callback=_count)
    ] = None
    overlap: Annotated[
        str | None,
        option(
            "How many graders grade each prompt, or all.",
            "질문마다 평가할 사람 수 또는 all.",
            callback=_count,
        ),
    ] = None
    graders: Annotated[int | None, option("How many graders.", "평가자 수.")] = None
    grader: Annotated[
        list[str] | None,
        option(
            "The name of one who may grade; may be repeated.",
            "평가할 수 있는 사람의 이름. 반복할 수 있습니다.",
        ),
    ] = None
    reset: Annotated[
        bool, option("Go back to the default.", "기본값으로 되돌립니다.", "--reset")
    ] = False
    as_json: Json = False


def plan(options: PlanOptions) -> None:
    """Show the scope, after the changes that were asked for."""
    run = read_gradable(options.run_dir)
    if options.reset:
        take_back(run, now())  # not read before: it is the cure for a line that can't be read
    scope = scope_of(run)
    if changes := _changes(options, scope):
        scope = declare(run, checked_scope(run, {**asdict(scope), **changes}), now())
    grades = stored_grades(run.name)  # for the time that a reply takes
    if options.as_json:
        print_json(scope_document(run, scope, grades))
        return
    print_columns(_rows(run, scope, load_of(run, scope, grades)))
    told = text("Grade it: ohlora app --run ", "평가를 시작하려면: ohlora app --run ")
    print(f"{told}{options.run_dir}")


def _changes(options: PlanOptions, scope: GradingScope) -> dict[str, object]:
    """What was asked for, as values of a scope; "all" is None.

    A rank alone asks for tuned replies where the present scope has none at one rank.
    """
    changes: dict[str, object] = {}
    if options.replies is not None:
        changes["replies"] = options.replies.replace("-", "_")
    elif options.rank is not None and scope.replies in ("untuned", "all"):
        changes["replies"] = "tuned"
    if options.rank is not None:
        changes["rank"] = options.rank
    for name, given in (("prompts", options.prompts), ("overlap", options.overlap)):
        if given is not None:
            changes[name] = None if given == "all" else int(given)
    if options.graders is not None:
        changes |= {"graders": options.graders, "names": []}
    if options.grader:
        changes |= {"graders": None, "names": options.grader}
    return changes


def _rows(run: GradableRun, scope: GradingScope, load: GradingLoad) -> list[tuple[str, str]]:
    everyone = text("every grader", "모든 평가자")
    states = {
        "untuned": text("before the tune", "튜닝 전"),
        "tuned": text(f"after the tune at rank {scope.rank}", f"랭크 {scope.rank} 튜닝 후"),
        "before_after": text(
            f"before the tune and after it at rank {scope.rank}",
            f"튜닝 전과 랭크 {scope.rank} 튜닝 후",
        ),
        "all": text("before the tune and after it at every rank", "튜닝 전과 모든 랭크 튜닝 후"),
    }
    people = ", ".join(scope.names) or (
        str(scope.graders) if scope.graders else text("whoever has the link", "링크를 가진 누구나")
    )
    timed = (
        text(f"measured on {load.timed_screens} screens", f"화면 {load.timed_screens}개에서 측정")
        if load.timed_screens
        else text("assumed: nobody has graded yet", "가정: 아직 평가 기록이 없음")
    )
    given = [
        (
            text("declared", "정한 때"),
            scope.declared_at
            or text(
                "not yet: the default, as the run grows", "아직: 기본값(실행 결과에 맞춰 바뀜)"
            ),
        ),
        (text("replies", "평가할 답변"), states[scope.replies]),
        (text("candidates", "후보"), str(load.candidates)),
        (
            text("prompts", "질문"),
            text(
                f"{load.prompts} of {len(run.items)}", f"{len(run.items)}개 가운데 {load.prompts}개"
            ),
        ),
        (text("graders a prompt", "질문당 평가자"), str(scope.overlap or everyone)),
        (text("graders", "평가자"), people),
        (text("items a grader", "한 사람의 항목"), str(load.items)),
        (text("grades a grader", "한 사람의 등급"), str(load.grades)),
        (text("seconds a reply", "답변당 시간(초)"), f"{load.seconds_a_reply} ({timed})"),
        (
            text("about, a grader", "한 사람의 예상 시간"),
            text(f"{load.minutes} min", f"{load.minutes}분"),
        ),
    ]
    if load.grades_in_all is not None:
        given.append((text("grades in all", "전체 등급"), str(load.grades_in_all)))
    return given
