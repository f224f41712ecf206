"""People's mean grades and differences, joined with raters that scored every reply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np

from evaluators.grading.statistics.comparison import (
    differences_by_prompt,
    grades_by_prompt,
    grades_by_screen,
)
from evaluators.grading.statistics.prediction_powered import PoweredMean, powered_mean
from evaluators.grading.statistics.rater_scores import RaterScores
from evaluators.grading.store.grade_records import Grade


@dataclass(frozen=True, slots=True)
class JoinedMean:
    """A candidate's mean grade, people's and raters' together."""

    candidate: str
    joined: PoweredMean


@dataclass(frozen=True, slots=True)
class JoinedDifference:
    """How much better `a` is than `b`, in grades."""

    a: str
    b: str
    joined: PoweredMean


def joined_means(grades: Iterable[Grade], scores: RaterScores) -> list[JoinedMean]:
    """Every graded candidate, the best first."""
    rows = [
        JoinedMean(name, _joined(given, scores.prompts(name), _score_of(scores, name)))
        for name, given in grades_by_prompt(grades).items()
    ]
    return sorted(rows, key=lambda row: -row.joined.mean)


def joined_differences(grades: Iterable[Grade], scores: RaterScores) -> list[JoinedDifference]:
    """Every pair that the same people graded, the better one first."""
    screens = grades_by_screen(grades)
    names = sorted({name for one in screens.values() for name in one})
    rows = []
    for a, b in combinations(names, 2):
        if any({a, b} <= given.keys() for given in screens.values()):
            found = joined_difference(screens, a, b, scores)
            if found.mean < 0:
                a, b, found = b, a, joined_difference(screens, b, a, scores)
            rows.append(JoinedDifference(a, b, found))
    return rows


def joined_difference(
    screens: Mapping[tuple[str, str], Mapping[str, int]], a: str, b: str, scores: RaterScores
) -> PoweredMean:
    """`a` less `b` of one pair that somebody graded."""
    first, second = _score_of(scores, a), _score_of(scores, b)
    return _joined(
        differences_by_prompt(screens, a, b),
        scores.prompts(a, b),
        lambda prompt: first(prompt) - second(prompt),
    )


def _score_of(scores: RaterScores, name: str) -> Callable[[str], np.ndarray]:
    return lambda prompt: scores.of(name, prompt)


def _joined(
    people: Mapping[str, Sequence[int]],
    judged: Sequence[str],
    score: Callable[[str], np.ndarray],
) -> PoweredMean:
    """Prompts that people graded, and those that only raters did, in one mean."""
    graded = list(people)
    rest = [prompt for prompt in judged if prompt not in people]
    values = np.array([fmean(people[prompt]) for prompt in graded])
    raters = len(score(graded[0]))
    there = np.array([score(prompt) for prompt in graded]).reshape(len(graded), raters)
    elsewhere = np.array([score(prompt) for prompt in rest]).reshape(len(rest), raters)
    told = [place for place in range(raters) if _tells(there[:, place], elsewhere[:, place])]
    return powered_mean(values, there[:, told], elsewhere[:, told])


def _tells(there: np.ndarray, elsewhere: np.ndarray) -> bool:
    """Whether a rater scored here and there, and not everything alike."""
    known = there[~np.isnan(there)]
    return len(known) > 1 and bool(np.ptp(known)) and not bool(np.isnan(elsewhere).all())
