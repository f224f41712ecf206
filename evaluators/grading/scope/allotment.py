"""Allots prompts to graders, so that each prompt is graded by as many as were declared."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from evaluators.grading.gradable_replies import GradableRun, Item
from evaluators.grading.scope.grading_scope import GradingScope, draw_order, prompts_a_grader
from evaluators.grading.store.grade_records import PlannedScreens, Screen
from model_registry.records import Reply


def missing_items(
    asked: GradableRun, kept: Iterable[Screen], done: Collection[str] = ()
) -> list[Item]:
    """What of the scope stands on none of these screens yet, by prompt."""
    shown = {
        (screen.prompt, one)
        for screen in kept
        if screen.kind == "item" and (screen.id in done or asked.shows(screen))
        for one in screen.shown
    }
    found: dict[str, list[Reply]] = {}
    for (prompt, one), reply in asked.by_identity.items():
        if (prompt, one) not in shown:
            found.setdefault(prompt, []).append(reply)
    return [Item(prompt, tuple(replies)) for prompt, replies in found.items()]


def has_room(
    asked: GradableRun, scope: GradingScope, kept: Sequence[Screen], done: Collection[str]
) -> bool:
    """Whether a grader has less than their part, so that more may be planned."""
    missing = len(missing_items(asked, kept, done))
    return missing > 0 and len(asked.items) - missing < prompts_a_grader(scope, len(asked.items))


def allot(
    asked: GradableRun,
    scope: GradingScope,
    grader: str,
    planned: PlannedScreens,
    done: Collection[str],
) -> tuple[Item, ...]:
    """What this grader is to grade beside what they have: first what fewest others have.

    Somebody who comes when everything is allotted takes what others have left ungraded. What
    somebody left ungraded whose invitation was ended is as if it had never been allotted.

    Args:
        asked: the part of the run that is graded.
        scope: what was declared.
        grader: whose part this is.
        planned: the screens of all graders of the run.
        done: the ids of screens that this grader has handed in.
    """
    kept = [screen for screen in planned.screens if screen.grader == grader]
    missing = missing_items(asked, kept, done)
    room = prompts_a_grader(scope, len(asked.items)) - (len(asked.items) - len(missing))
    if scope.overlap is None:
        return tuple(missing)
    others = [
        one
        for one in planned.screens
        if one.grader != grader
        and (one.id in planned.graded or one.grader not in planned.revoked)
        and asked.shows(one)
    ]
    begun = {screen.prompt for screen in kept if screen.kind == "item"}
    chosen = _least_given(missing, others, grader, scope.overlap, begun)
    if not chosen and not begun:
        given = [screen for screen in others if screen.id in planned.graded]
        chosen = _least_given(missing, given, grader, scope.overlap, begun)
    return tuple(chosen[: max(room, 0)])


def _least_given(
    items: Iterable[Item],
    others: Sequence[Screen],
    grader: str,
    overlap: int,
    begun: Collection[str],
) -> list[Item]:
    """Items that fewer than `overlap` others have, those that the grader has begun first."""
    have: dict[str, set[str]] = {}
    for screen in others:
        have.setdefault(screen.prompt, set()).add(screen.grader)
    free = [item for item in items if len(have.get(item.prompt, ())) < overlap]
    return sorted(
        free,
        key=lambda item: (
            item.prompt not in begun,
            len(have.get(item.prompt, ())),
            draw_order(grader, item.prompt),
        ),
    )
