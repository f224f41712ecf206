"""Mean grades, differences between candidates, and how many more prompts would separate them.

Replies to one prompt are alike in difficulty, and one person grades several of them: so the unit
of all uncertainty is the prompt. Grades of one prompt are averaged first, then prompts are drawn.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations, product
from statistics import fmean

import numpy as np

from evaluators.grading.statistics.agreement import blind_first_grades
from evaluators.grading.store.grade_records import Grade
from model_registry.records import Reply

#: Fewer prompts than this give no interval.
FEWEST_PROMPTS = 3

#: Ways to swap names that a test looks at: all there are, or so many by chance.
SWAPS = 9999


@dataclass(frozen=True, slots=True)
class MeanGrade:
    """A candidate's mean grade (1–5) with a 95 % interval over prompts."""

    candidate: str
    mean: float
    low: float | None
    high: float | None
    prompts: int
    grades: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better `a` was graded than `b` by the same people on the same prompts.

    `more` is about how many further prompts would separate the two (0: they are separated);
    None with a reason where it can't be told.
    """

    a: str
    b: str
    mean: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    prompts: int
    more: int | None
    reason: str = ""


def interval(
    values: Sequence[float], *, confidence: float = 0.95, draws: int = 4000, seed: int = 0
) -> tuple[float, float] | tuple[None, None]:
    """A bootstrap interval of the mean of `values`, one for each cluster.

    The percentiles are widened to those of Student's t with n - 1 degrees of freedom and by
    sqrt(n / (n - 1)): plain percentiles are too narrow for few clusters (Hesterberg, What
    Teachers Should Know About the Bootstrap, 2015, section 3.2).
    """
    n = len(values)
    if n < FEWEST_PROMPTS:
        return None, None
    from scipy.special import ndtr, stdtrit

    wide = stdtrit(n - 1, (1 - confidence) / 2) * math.sqrt(n / (n - 1))
    tail = float(ndtr(wide))
    means = np.asarray(values)[_drawn_prompts(n, draws, seed)].mean(axis=1)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=8)  # every candidate of a run has as many prompts
def _drawn_prompts(n: int, draws: int, seed: int) -> np.ndarray:
    """(draws × n) places of prompts."""
    return np.random.default_rng(seed).integers(0, n, size=(draws, n))


def label(graded: Grade | Reply) -> str:
    """The candidate, with its LoRA rank where it was tuned: the two are graded apart."""
    return label_of(graded.candidate, graded.tuned)


def label_of(candidate: str, tuned: int | None) -> str:
    """The same of a candidate and its rank."""
    return candidate if tuned is None else f"{candidate} (r={tuned})"


def grades_by_prompt(grades: Iterable[Grade]) -> dict[str, dict[str, list[int]]]:
    """Every candidate's grades, by prompt."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for grade in blind_first_grades(grades):
        found[label(grade)][grade.prompt].append(grade.grade or 0)
    return found


def mean_grades(grades: Iterable[Grade]) -> list[MeanGrade]:
    """Every candidate's mean grade, the best first. Prompts weigh alike."""
    rows = []
    for name, prompts in grades_by_prompt(grades).items():
        values = [fmean(given) for given in prompts.values()]
        low, high = interval(values)
        count = sum(len(given) for given in prompts.values())
        rows.append(MeanGrade(name, fmean(values), low, high, len(values), count))
    return sorted(rows, key=lambda row: -row.mean)


def grades_by_screen(grades: Iterable[Grade]) -> dict[tuple[str, str], dict[str, int]]:
    """What each person gave each candidate: (grader, prompt) → candidate → grade."""
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for grade in blind_first_grades(grades):
        found[(grade.grader, grade.prompt)][label(grade)] = grade.grade or 0
    return found


def differences_by_prompt(
    screens: Mapping[tuple[str, str], Mapping[str, int]], a: str, b: str
) -> dict[str, list[int]]:
    """How much better the same people graded `a` than `b`, by prompt."""
    found: dict[str, list[int]] = defaultdict(list)
    for (_, prompt), given in screens.items():
        if a in given and b in given:
            found[prompt].append(given[a] - given[b])
    return found


def differences(grades: Iterable[Grade]) -> list[Difference]:
    """Every pair of candidates, the better one first, with Holm's correction over all pairs."""
    screens = grades_by_screen(grades)
    names = sorted({name for one in screens.values() for name in one})
    pairs = list(combinations(names, 2))
    rows = [_difference(a, b, screens, len(pairs)) for a, b in pairs]
    found = [row for row in rows if row is not None]
    adjusted = holm([row.p for row in found])
    return [replace(row, p_holm=p) for row, p in zip(found, adjusted, strict=True)]


def _difference(
    a: str, b: str, screens: Mapping[tuple[str, str], Mapping[str, int]], pairs: int
) -> Difference | None:
    values = [fmean(one) for one in differences_by_prompt(screens, a, b).values()]
    if not values:
        return None
    if fmean(values) < 0:
        a, b, values = b, a, [-v for v in values]
    low, high = interval(values)
    more, reason = prompts_needed(values, significance=0.05 / pairs)
    return Difference(
        a, b, fmean(values), low, high, sign_flip(values), None, len(values), more, reason
    )


def sign_flip(values: Sequence[float], *, seed: int = 0) -> float | None:
    """Two-sided p of a mean of zero, by swapping the two candidates' names prompt by prompt.

    The test, and the draws, of `scipy.stats.permutation_test`: made once for all pairs with as
    many prompts, and equal means count as equal however they were rounded.
    """
    n = len(values)
    if n < FEWEST_PROMPTS:
        return None
    if not any(values):
        return 1.0
    sums, total = np.asarray(values) @ _swaps(n, seed), math.fsum(values)
    rounding = 1e-12 * math.fsum(map(abs, values))
    itself = int(2**n > SWAPS)  # what was found is one of those drawn (Phipson and Smyth, 2010)
    sides = (sums <= total + rounding, sums >= total - rounding)
    return min(1.0, 2 * min((int(side.sum()) + itself) / (len(sums) + itself) for side in sides))


@lru_cache(maxsize=8)
def _swaps(n: int, seed: int) -> np.ndarray:
    """(n × ways) of 1 and -1: all ways to swap names, or as many drawn as `SWAPS`."""
    if 2**n <= SWAPS:
        return np.array(list(product((1, -1), repeat=n)), dtype=np.int8).T
    pairs = np.tile(np.array([1, -1], dtype=np.int8), (SWAPS, n, 1))
    drawn = np.random.default_rng(seed).permuted(pairs, axis=-1)[:, :, 0]
    return np.ascontiguousarray(drawn.T)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction; unknown ones stay unknown and count for nothing."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - rank)))
        adjusted[index] = highest
    return adjusted


def prompts_needed(
    values: Sequence[float], *, significance: float = 0.05, power: float = 0.8
) -> tuple[int | None, str]:
    """About how many more prompts would separate two candidates, from their differences so far.

    Assumes that the difference and its spread stay as they are; a test at `significance` then
    finds it with probability `power`. (n, "") or (None, reason).
    """
    n = len(values)
    if n < 2 * FEWEST_PROMPTS:
        return None, "too few prompts to tell"
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    if mean == 0:
        return None, "no difference so far"
    if spread == 0:
        return 0, ""
    needed = _total_needed(abs(mean) / spread, significance, power)
    if needed > 100 * n:
        return None, f"more than {100 * n} prompts: too close to separate"
    return max(0, needed - n), ""


def _total_needed(effect: float, significance: float, power: float) -> int:
    """The number of pairs for a paired t test (Cohen 1988, with Guenther's small-n term)."""
    from scipy.special import ndtri

    z = float(ndtri(1 - significance / 2))
    return math.ceil(((z + float(ndtri(power))) / effect) ** 2 + z**2 / 2)
