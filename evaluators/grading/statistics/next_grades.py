"""Where the next grade tells most about who is best, and when to stop grading.

The figure that counts is the difference between the best candidate and the one nearest to it. A
grade of another prompt narrows it more than a second opinion on the same, unless people differ
more than prompts do; and raters that scored everything say which prompts the graded ones don't
stand for yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import fmean

from evaluators.grading.gradable_replies import GradableRun
from evaluators.grading.scope.grading_scope import draw_order
from evaluators.grading.statistics.comparison import (
    differences_by_prompt,
    grades_by_prompt,
    grades_by_screen,
    label,
)
from evaluators.grading.statistics.contrast import Contrast
from evaluators.grading.statistics.joined_grades import joined_difference
from evaluators.grading.statistics.prediction_powered import FEWEST_GRADED, PoweredMean
from evaluators.grading.statistics.rater_scores import NO_RATERS, RaterScores
from evaluators.grading.store.grade_records import Grade
from model_registry.messages.notes import Note

#: Replies that are offered together: the best one and those that may still be it.
MOST_AT_TOP = 3

#: Who looks after every grade stops too early by 95 %: this leaves about 5 % of false calls.
STOPPING_CONFIDENCE = 0.99

#: Below this chance of a decision further grades are not worth their while.
HOPELESS = 0.1

#: Of the normal distribution, at the confidence of the stop rule.
_NORMAL_QUANTILE = 2.576


@dataclass(frozen=True, slots=True)
class NextGrade:
    """One prompt to have graded by one more person, with the replies to show together."""

    prompt: str
    candidates: tuple[str, ...]  # as `label` names them
    people: int  # who graded both of the top here already
    variance_reduction: float  # of the difference at the top, in grades², for one grade


@dataclass(frozen=True, slots=True)
class StopRule:
    """Whether to go on: "go_on", "separated", "cannot_decide", "too_few", "nothing_to_compare".

    `chance` is how likely the planned grades decide, if the difference stays as it is.
    """

    code: str
    a: str = ""
    b: str = ""
    difference: float | None = None
    low: float | None = None  # at the confidence of the rule, 99 %
    high: float | None = None
    planned: int = 0  # further prompts
    chance: float | None = None

    @property
    def stops(self) -> bool:
        return self.code in ("separated", "cannot_decide")

    @property
    def note(self) -> Note:
        """The rule in words."""
        chance = "" if self.chance is None else f"{self.chance:.0%}"
        return Note(f"stop_{self.code}", {**asdict(self), "chance": chance})


@dataclass(frozen=True, slots=True)
class GradingPlan:
    """The stop rule and what to grade next, the most telling first."""

    stop: StopRule
    grades: tuple[NextGrade, ...] = ()


def grading_plan(
    run: GradableRun,
    grades: Sequence[Grade],
    scores: RaterScores = NO_RATERS,
    *,
    count: int | None = None,
) -> GradingPlan:
    """What to grade next in a run: `count` prompts (all of them), each for one more person."""
    names = top_candidates(run, grades, scores)
    if len(names) < 2:
        return GradingPlan(StopRule("nothing_to_compare"))
    a, b = names[:2]
    there = {item.prompt: {label(reply) for reply in item.replies} for item in run.items}
    screens = grades_by_screen(grades)
    contrast = Contrast.of(
        sorted((p for p in there if {a, b} <= there[p]), key=partial(draw_order, run.name)),
        differences_by_prompt(screens, a, b),
        scores.apart(a, b),
    )
    chosen = contrast.most_telling(len(contrast.prompts) if count is None else count)
    offered = tuple(
        NextGrade(
            contrast.prompts[place],
            tuple(name for name in names if name in there[contrast.prompts[place]]),
            int(contrast.people[place]),
            saved / len(names),
        )
        for place, saved in chosen
    )
    return GradingPlan(_stop_rule(a, b, contrast, screens, scores), offered)


def top_candidates(
    run: GradableRun, grades: Sequence[Grade], scores: RaterScores = NO_RATERS
) -> list[str]:
    """The candidate with the best mean grade, then those that may still be better, the nearest
    first: never fewer than one of them. Before anybody graded, all of the run."""
    known = dict.fromkeys(label(reply) for item in run.items for reply in item.replies)
    means = {
        name: fmean(fmean(one) for one in given.values())
        for name, given in grades_by_prompt(grades).items()
        if name in known
    }
    if not means:
        return list(known)
    best, screens = max(means, key=lambda name: means[name]), grades_by_screen(grades)
    far = {name: _errors_apart(screens, best, name, scores) for name in known if name != best}
    rivals = sorted(far, key=lambda name: far[name])
    near = [name for name in rivals if far[name] < _NORMAL_QUANTILE]
    return [best, *(near or rivals[:1])][:MOST_AT_TOP]


def _errors_apart(
    screens: Mapping[tuple[str, str], Mapping[str, int]], best: str, name: str, scores: RaterScores
) -> float:
    """By how many standard errors two differ; 0 where it is not known."""
    if not any({best, name} <= given.keys() for given in screens.values()):
        return 0.0
    found = joined_difference(screens, best, name, scores)
    if not found.standard_error:
        return 0.0 if found.standard_error is None or not found.mean else math.inf
    return found.mean / found.standard_error


def _stop_rule(
    a: str,
    b: str,
    contrast: Contrast,
    screens: Mapping[tuple[str, str], Mapping[str, int]],
    scores: RaterScores,
) -> StopRule:
    further = contrast.further()
    planned = int((further > contrast.people).sum())
    if (contrast.people > 0).sum() < FEWEST_GRADED:
        return StopRule("too_few", a, b, planned=planned)
    now = joined_difference(screens, a, b, scores)
    error = now.standard_error or 0.0
    wide = _quantile(now.graded - 1) * error
    ratio = contrast.variance(further) / contrast.variance(contrast.people)
    chance = _chance(now, error * math.sqrt(min(1.0, ratio)))
    if abs(now.mean) > wide:
        code = "separated"
    else:
        hopeless = chance < HOPELESS and now.graded >= 2 * FEWEST_GRADED
        code = "cannot_decide" if hopeless else "go_on"
    if now.mean < 0:
        a, b = b, a
    mean = abs(now.mean)
    return StopRule(code, a, b, mean, mean - wide, mean + wide, planned, chance)


def _chance(now: PoweredMean, later: float) -> float:
    """How likely the difference is significant once its standard error is `later`.

    It will be what it is today, give or take what the further grades can move it.
    """
    if not later:
        return float(bool(now.mean))
    from scipy.special import ndtr

    moves = math.sqrt(max((now.standard_error or 0.0) ** 2 - later**2, 0.0))
    needed = _NORMAL_QUANTILE * later
    if not moves:
        return float(abs(now.mean) > needed)
    above, below = (now.mean - needed) / moves, (-now.mean - needed) / moves
    return float(ndtr(above) + ndtr(below))


def _quantile(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(freedom, 1), 0.5 + STOPPING_CONFIDENCE / 2))
