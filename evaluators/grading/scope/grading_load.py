"""How much work a scope is: items, replies and minutes of each grader, and of all together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import median

from evaluators.grading.assignment import MOST_REPLIES, repeats_among
from evaluators.grading.gradable_replies import GradableRun
from evaluators.grading.scope.grading_scope import (
    GradingScope,
    graded_part,
    prompts_a_grader,
    ranks_of,
)
from evaluators.grading.store.grade_records import Grade

#: Until this many screens were timed, a reply is taken to need ASSUMED_SECONDS. It is a guess,
#: told as one.
ENOUGH_SCREENS = 5
ASSUMED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class GradingLoad:
    """The work of one grader, and of all who are expected."""

    prompts: int  # in the scope
    candidates: int
    replies: int  # in the scope, those that read alike counted once
    items: int  # screens of one grader, repeated ones included, practice not
    grades: int  # by one grader, repeated ones included
    grades_in_all: int | None  # by all who are expected; None where nobody knows how many
    seconds_a_reply: float
    timed_screens: int  # behind that figure; 0: it is assumed
    minutes: int  # of one grader, about


def seconds_a_reply(grades: Iterable[Grade]) -> tuple[float, int]:
    """The median time that a reply took, and over how many screens; a repeated look is left out."""
    screens = {
        grade.screen: grade.seconds / grade.shown
        for grade in grades
        if grade.kind == "item" and grade.grade is not None and grade.seconds and grade.shown
    }
    if len(screens) < ENOUGH_SCREENS:
        return ASSUMED_SECONDS, 0
    return median(screens.values()), len(screens)


def load_of(run: GradableRun, scope: GradingScope, grades: Iterable[Grade]) -> GradingLoad:
    """The work that a scope asks for, from the replies that are there.

    Args:
        run: the whole run.
        scope: what is graded.
        grades: of this run or of others, for the time that a reply takes.
    """
    asked = graded_part(run, scope)
    cards = [len(run.alike(item.replies)) for item in asked.items]
    screens = sum(math.ceil(count / MOST_REPLIES) for count in cards)
    share = prompts_a_grader(scope, len(cards)) / len(cards) if cards else 0
    items = math.ceil(screens * share)
    repeats = repeats_among(items)
    given = round(sum(cards) * share * (1 + repeats / items)) if items else 0
    seconds, timed = seconds_a_reply(grades)
    return GradingLoad(
        prompts=len(cards),
        candidates=len(asked.candidates),
        replies=sum(cards),
        items=items + repeats,
        grades=given,
        grades_in_all=given * scope.expected if scope.expected else None,
        seconds_a_reply=round(seconds, 1),
        timed_screens=timed,
        minutes=max(1, round(given * seconds / 60)),
    )


def scope_document(
    run: GradableRun, scope: GradingScope, grades: Iterable[Grade]
) -> dict[str, object]:
    """A scope with the choices that the run has and the work that it is, as one JSON document."""
    return {
        "run": run.name,
        "scope": {**asdict(scope), "names": list(scope.names)},
        "ranks": ranks_of(run),
        "untuned": any(reply.tuned is None for item in run.items for reply in item.replies),
        "prompts_in_run": len(run.items),
        "load": asdict(load_of(run, scope, grades)),
    }
