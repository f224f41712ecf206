"""What a reply's length does to its grade, and differences between candidates without it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from evaluators.grading.statistics.agreement import blind_first_grades
from evaluators.grading.statistics.comparison import FEWEST_PROMPTS, label
from evaluators.grading.store.grade_records import Grade

#: An effect and its interval want as many prompts.
FEWEST_FOR_EFFECT = 2 * FEWEST_PROMPTS


@dataclass(frozen=True, slots=True)
class AdjustedDifference:
    """How much better `a` was graded than `b`, and how much at replies of equal length."""

    a: str
    b: str
    mean: float
    adjusted: float


@dataclass(frozen=True, slots=True)
class LengthEffect:
    """Grades that a reply gains by being twice as long, with a 95 % interval over prompts.

    `share` is how much of the variance between replies to one prompt their lengths alone explain.
    Among replies of the same candidate: who writes at length may be the better one.
    """

    per_doubling: float | None
    low: float | None
    high: float | None
    share: float | None
    differences: tuple[AdjustedDifference, ...] = ()
    code: str = ""

    @property
    def adjusted(self) -> dict[tuple[str, str], float]:
        """Differences at equal length, where length has an effect that is no chance."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return {}
        return {(one.a, one.b): one.adjusted for one in self.differences}


def length_effect(grades: Iterable[Grade], *, draws: int = 500, seed: int = 0) -> LengthEffect:
    """The effect of length within what one person graded on one prompt.

    A regression of the grade on log2 of the characters, with a mean for each candidate; screen by
    screen, so that neither a hard prompt nor a strict person counts. Whole prompts are drawn.
    """
    by_prompt: dict[str, dict[str, list[Grade]]] = defaultdict(lambda: defaultdict(list))
    for grade in blind_first_grades(grades):
        by_prompt[grade.prompt][grade.grader].append(grade)
    screens = [[one for one in people.values() if len(one) > 1] for people in by_prompt.values()]
    screens = [one for one in screens if one]
    if len(screens) < FEWEST_FOR_EFFECT:
        return LengthEffect(None, None, None, None, code="too_few_prompts")
    names = sorted({label(g) for prompt in screens for one in prompt for g in one})
    moments = np.stack([sum(_moments(one, names) for one in prompt) for prompt in screens])
    whole = moments.sum(axis=0)
    slope = _slope(whole)
    if slope is None:
        return LengthEffect(None, None, None, None, code="lengths_do_not_differ")
    weights = np.random.default_rng(seed).multinomial(
        len(moments), np.full(len(moments), 1 / len(moments)), size=draws
    )
    drawn = [_slope(np.tensordot(one, moments, axes=1)) for one in weights]
    low, high = np.quantile([one for one in drawn if one is not None], [0.025, 0.975])
    told = [[_grades_and_lengths(one) for one in prompt] for prompt in screens]
    pairs = [_adjusted(a, b, told, slope) for a, b in combinations(names, 2)]
    adjusted = tuple(pair for pair in pairs if pair is not None)
    return LengthEffect(slope, float(low), float(high), _explained(whole), adjusted)


def _length(grade: Grade) -> float:
    """Doublings: log2 of the characters, an empty reply counting as one."""
    return float(np.log2(max(len(grade.reply), 1)))


def _moments(screen: Sequence[Grade], names: Sequence[str]) -> np.ndarray:
    """Sums of products of grade, length and a column for each candidate, about their means."""
    rows = np.array(
        [[g.grade or 0, _length(g), *(float(label(g) == name) for name in names)] for g in screen]
    )
    rows -= rows.mean(axis=0)
    products: np.ndarray = rows.T @ rows
    return products


def _slope(moments: np.ndarray) -> float | None:
    """Grades a doubling; None where the lengths of no candidate vary."""
    explained = np.linalg.pinv(moments[2:, 2:]) @ moments[2:, :2]
    left = moments[:2, :2] - moments[:2, 2:] @ explained
    return float(left[0, 1] / left[1, 1]) if left[1, 1] > 1e-9 else None


def _explained(moments: np.ndarray) -> float | None:
    """The squared correlation of grades and lengths within screens."""
    scale = float(moments[0, 0] * moments[1, 1])
    return float(moments[0, 1]) ** 2 / scale if scale > 1e-9 else None


def _grades_and_lengths(screen: Sequence[Grade]) -> dict[str, tuple[int, float]]:
    """What one person gave each candidate, and how long its reply is."""
    return {label(g): (g.grade or 0, _length(g)) for g in screen}


def _adjusted(
    a: str, b: str, screens: Sequence[Sequence[dict[str, tuple[int, float]]]], slope: float
) -> AdjustedDifference | None:
    """The mean over prompts, as `differences` has it, with and without what length explains."""
    found = []
    for people in screens:
        both = [(given[a], given[b]) for given in people if a in given and b in given]
        if both:
            apart = [(x[0] - y[0], x[1] - y[1]) for x, y in both]
            found.append(np.mean(apart, axis=0))
    if not found:
        return None
    grade, length = np.mean(found, axis=0)
    if grade < 0:
        a, b, grade, length = b, a, -grade, -length
    return AdjustedDifference(a, b, float(grade), float(grade - slope * length))
