"""Assigns screens to graders: blind, in random order, the same after a reload.

The plan of a grader is drawn once from a seed made of the grader and the run, and kept as
screens before the first one is shown: that is the log of what stood where.
"""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from evaluators.grading.gradable_replies import GradableRun, Item, identify
from evaluators.grading.rubric import PRACTICE
from evaluators.grading.scope.allotment import allot, has_room
from evaluators.grading.scope.grading_scope import GradingScope, draw_order, graded_part, scope_of
from evaluators.grading.statistics.next_grades import grading_plan
from evaluators.grading.statistics.rater_scores import scores_of_run
from evaluators.grading.store.grade_records import PlannedScreens, Screen, Shown, reply_hash
from evaluators.grading.store.grade_store import GradeStore

#: More cards than this on one screen can't be kept in mind; the rest makes another screen.
MOST_REPLIES = 7

#: The share of items that come a second time, to see whether a person agrees with themselves.
REPEATED = 0.1

#: Prompts that come first for everybody who has them; the others follow as they tell.
SHARED_PROMPTS = 5

#: A repeated item comes at least this many screens after its first time, where there are enough.
_GAP = 5

PRACTICE_CANDIDATE = "(practice)"


def plan(
    run: GradableRun,
    grader: str,
    *,
    asked: GradableRun | None = None,
    earlier: int = 0,
    telling: Sequence[str] = (),
) -> list[Screen]:
    """The screens of one grader: practice, items in random order, a tenth of them repeated.

    The few prompts that come first for everybody are of all that are `asked`, of which `run` may be
    one grader's part. Where it is known which of the others are the most `telling`, these follow in
    that order. Where there are `earlier` screens (the run or its scope has grown since), there is
    no practice.
    """
    rng = random.Random(_seed(run.name, grader, str(earlier)))
    items = [part for item in run.items for part in _split(run, item, rng)]
    rng.shuffle(items)
    items = _most_telling_first(items, _shared_prompts(asked or run), telling)
    made = [("item", item) for item in items]
    for item in rng.sample(items, k=repeats_among(len(items))):
        made.insert(_place_of_repeat(made, item, rng), ("repeat", item))
    screens = [] if earlier or not items else _practice(run.name, grader)
    for kind, item in made:
        screens.append(_screen(run.name, grader, kind, item.prompt, _shuffled(run, item, rng)))
    return screens


def _shared_prompts(asked: GradableRun) -> set[str]:
    """The prompts that come first for everybody: the same, whoever's part they are in."""
    lots = sorted((item.prompt for item in asked.items), key=lambda one: _seed(asked.name, one))
    return set(lots[:SHARED_PROMPTS])


def _most_telling_first(
    items: Sequence[Item], shared: Collection[str], telling: Sequence[str]
) -> list[Item]:
    """First the prompts that are the same for everybody, or agreement could not be measured of
    people who stop early; then as they tell, those that the order does not know last."""
    place = {prompt: number for number, prompt in enumerate(telling)}
    return sorted(
        items,
        key=lambda item: -1 if item.prompt in shared else place.get(item.prompt, len(place)),
    )


def _seed(*parts: str) -> int:
    return int.from_bytes(draw_order(*parts)[:8], "big")


def _split(run: GradableRun, item: Item, rng: random.Random) -> list[Item]:
    """An item of many cards as several of nearly equal size, dealt at random.

    Replies that read alike stay together: they are graded once.
    """
    cards = run.alike(item.replies)
    parts = math.ceil(len(cards) / MOST_REPLIES)
    if parts == 1:
        return [item]
    dealt = rng.sample(cards, k=len(cards))
    return [
        Item(item.prompt, tuple(reply for card in dealt[i::parts] for reply in card))
        for i in range(parts)
    ]


def repeats_among(count: int) -> int:
    """A tenth, but at least one where there are five items or more."""
    return max(round(count * REPEATED), 1) if count >= 5 else 0


def _place_of_repeat(made: Sequence[tuple[str, Item]], item: Item, rng: random.Random) -> int:
    first = next(i for i, (_, one) in enumerate(made) if one is item)
    return rng.randint(min(first + _GAP, len(made)), len(made))


def _shuffled(run: GradableRun, item: Item, rng: random.Random) -> tuple[Shown, ...]:
    """The replies in random order. Cards are drawn, not replies: one that two candidates share
    would stand further up than others, more often than not."""
    cards = run.alike(item.replies)
    rng.shuffle(cards)
    return tuple(identify(reply) for card in cards for reply in card)


def _practice(run: str, grader: str) -> list[Screen]:
    return [
        _screen(
            run,
            grader,
            "practice",
            one.prompt,
            tuple(
                Shown("practice", PRACTICE_CANDIDATE, "greedy", None, reply_hash(r.reply))
                for r in one.replies
            ),
        )
        for one in PRACTICE
    ]


def _screen(run: str, grader: str, kind: str, prompt: str, shown: tuple[Shown, ...]) -> Screen:
    return Screen(secrets.token_urlsafe(16), grader, run, -1, kind, prompt, shown)


def screens_of(
    store: GradeStore,
    run: GradableRun,
    grader: str,
    scope: GradingScope | None = None,
    done: Collection[str] = (),
) -> list[Screen]:
    """A grader's screens in a run, planned at the first call and grown with the run and its scope.

    Left out are screens whose replies are no longer in the run (its file was made anew), and those
    that are no longer in the scope, unless they are `done`.
    """
    scope = scope or scope_of(run)
    asked = graded_part(run, scope)
    kept = store.screens(grader, run.name)
    if awaits_more(store, asked, scope, grader, kept, done):
        telling = _telling(store, asked)

        def further(planned: PlannedScreens) -> list[Screen]:
            mine = sum(screen.grader == grader for screen in planned.screens)
            part = asked.part(allot(asked, scope, grader, planned, done))
            more = plan(part, grader, asked=asked, earlier=mine, telling=telling)
            return _numbered(more, start=mine)

        store.plan_screens(run.name, further)
        kept = store.screens(grader, run.name)
    return still_asked(kept, run, scope, done)


def awaits_more(
    store: GradeStore,
    asked: GradableRun,
    scope: GradingScope,
    grader: str,
    kept: Sequence[Screen],
    done: Collection[str],
) -> bool:
    """Whether something would be allotted to a grader now, beside the screens they have.

    It only reads: where shares don't divide evenly there may be room for good and nothing to fill
    it, and no look should wait for those who write.
    """
    if not has_room(asked, scope, kept, done):
        return False
    return bool(allot(asked, scope, grader, store.planned(asked.name), done))


def still_asked(
    screens: Iterable[Screen], run: GradableRun, scope: GradingScope, done: Collection[str]
) -> list[Screen]:
    """Of screens that were planned once those that are in the scope, or `done` and in the run."""
    asked = graded_part(run, scope)
    return [
        screen
        for screen in screens
        if screen.kind == "practice" or (run if screen.id in done else asked).shows(screen)
    ]


def _telling(store: GradeStore, asked: GradableRun) -> list[str]:
    """Prompts by how much a grade of them tells of who is best; none before anybody graded."""
    grades = store.grades(asked.name)
    if not grades:
        return []
    plan = grading_plan(asked, grades, scores_of_run(asked))
    return [one.prompt for one in plan.grades]


def _numbered(screens: Sequence[Screen], start: int) -> list[Screen]:
    return [replace(screen, number=start + i) for i, screen in enumerate(screens)]
