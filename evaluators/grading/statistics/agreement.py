"""Agreement of graders: Krippendorff's alpha, consistency of repeats, severity, drift."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from evaluators.grading.store.grade_records import Grade

#: The five grades; a value's place in every array here is its grade less one.
_VALUES = 5


@dataclass(frozen=True, slots=True)
class Agreement:
    """Ordinal alpha with a 95 % interval; None with the reason where there is none."""

    alpha: float | None
    low: float | None
    high: float | None
    replies: int  # graded by two people or more
    graders: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GraderReport:
    """One grader compared with the others. Differences are in grades (1 to 5)."""

    grader: str
    grades: int
    repeats: int
    same: float | None  # share of repeated replies given the very same grade
    mean_change: float | None  # mean absolute difference between the two times
    compared: int  # replies that others graded too
    severity: float | None  # own grade less the others' mean; below zero is stricter
    drift: float | None  # severity in the second half of the work less that in the first


def blind_first_grades(grades: Iterable[Grade]) -> list[Grade]:
    """Grades that statistics use: blind, not practice, not skipped, the first showing."""
    return [g for g in grades if g.kind == "item" and g.grade is not None and g.blind]


def reply_key(grade: Grade) -> tuple[str, str, str, int | None, str]:
    """What two people must share to have graded the same reply."""
    return (grade.case, grade.prompt, grade.pass_, grade.tuned, grade.reply_hash)


def _counts(units: Sequence[Sequence[int]]) -> np.ndarray:
    """(units × 5): how often each grade was given; units with one grade are left out."""
    rows = [np.bincount(np.asarray(u) - 1, minlength=_VALUES) for u in units if len(u) > 1]
    return np.asarray(rows, dtype=float).reshape(-1, _VALUES)


def _coincidences(counts: np.ndarray) -> np.ndarray:
    """(units × 5 × 5): pairs of grades within each unit, each unit weighing as many as it has."""
    pairs = counts[:, :, None] * counts[:, None, :]
    diagonal = np.arange(_VALUES)
    pairs[:, diagonal, diagonal] -= counts
    weighed: np.ndarray = pairs / (counts.sum(axis=1) - 1)[:, None, None]
    return weighed


def _alpha(coincidences: np.ndarray) -> float | None:
    totals = coincidences.sum(axis=0)
    n = totals.sum()
    # Ordinal distance: all grades between the two, the two themselves by half.
    below = np.cumsum(totals) - totals / 2
    distance = (below[:, None] - below[None, :]) ** 2
    expected = (np.outer(totals, totals) * distance).sum()
    if n < 2 or expected <= 0:
        return None
    return float(1 - (n - 1) * (coincidences * distance).sum() / expected)


def agreement(grades: Iterable[Grade], *, draws: int = 1000, seed: int = 0) -> Agreement:
    """Ordinal alpha over replies, with a bootstrap interval that draws whole prompts."""
    counted = blind_first_grades(grades)
    people = len({g.grader for g in counted})
    by_prompt: dict[str, dict[object, list[int]]] = defaultdict(lambda: defaultdict(list))
    for grade in counted:
        by_prompt[grade.prompt][reply_key(grade)].append(grade.grade or 0)
    units = [list(one.values()) for one in by_prompt.values()]
    replies = sum(len(one) > 1 for prompt in units for one in prompt)
    if not replies:
        reason = "no reply was graded by two people yet"
        return Agreement(None, None, None, 0, people, reason)
    alpha, low, high = alpha_with_interval(units, draws=draws, seed=seed)
    if alpha is None:
        reason = "undefined: every grade is the same"
        return Agreement(None, None, None, replies, people, reason)
    reason = "" if low is not None else "too few prompts for an interval"
    return Agreement(alpha, low, high, replies, people, reason)


def alpha_with_interval(
    prompts: Iterable[Sequence[Sequence[int]]], *, draws: int = 1000, seed: int = 0
) -> tuple[float | None, float | None, float | None]:
    """Krippendorff's ordinal alpha of units, and a bootstrap interval over whole prompts.

    A unit holds the grades (1–5) that one reply was given; with fewer than two it doesn't count.
    None where alpha is undefined: nothing to compare, or all grades alike. Formula: Krippendorff,
    Content Analysis (2018), chapter 12.
    """
    clusters = [counts for units in prompts if len(counts := _counts(units))]
    if not clusters:
        return None, None, None
    sums = np.stack([_coincidences(counts).sum(axis=0) for counts in clusters])
    alpha = _alpha(sums.sum(axis=0))
    return (alpha, None, None) if alpha is None else (alpha, *_alpha_interval(sums, draws, seed))


def _alpha_interval(
    sums: np.ndarray, draws: int, seed: int
) -> tuple[float, float] | tuple[None, None]:
    if len(sums) < 5:
        return None, None
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
    drawn = [a for w in weights if (a := _alpha(np.tensordot(w, sums, axes=1))) is not None]
    if len(drawn) < draws * 0.9:  # so many draws of one grade only say that data are too thin
        return None, None
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def grader_reports(grades: Sequence[Grade]) -> list[GraderReport]:
    """Each grader's consistency with themselves, and how they differ from the others."""
    counted = blind_first_grades(grades)
    given: dict[object, dict[str, int]] = defaultdict(dict)
    for grade in counted:
        given[reply_key(grade)][grade.grader] = grade.grade or 0
    return [_report(person, grades, counted, given) for person in _graders(grades)]


def _graders(grades: Iterable[Grade]) -> list[str]:
    return list(dict.fromkeys(g.grader for g in grades if g.kind != "practice"))


def _report(
    person: str,
    grades: Sequence[Grade],
    counted: Sequence[Grade],
    given: Mapping[object, Mapping[str, int]],
) -> GraderReport:
    mine = sorted((g for g in counted if g.grader == person), key=lambda g: g.made_at)
    changes = [
        abs(again.grade - given[reply_key(again)][person])
        for again in grades
        if again.kind == "repeat"
        and again.blind
        and again.grader == person
        and again.grade is not None
        and person in given.get(reply_key(again), {})
    ]
    against = [
        (g.grade or 0) - fmean(others)
        for g in mine
        if (others := [v for who, v in given[reply_key(g)].items() if who != person])
    ]
    half = len(against) // 2
    return GraderReport(
        grader=person,
        grades=len(mine),
        repeats=len(changes),
        same=fmean(c == 0 for c in changes) if changes else None,
        mean_change=fmean(changes) if changes else None,
        compared=len(against),
        severity=fmean(against) if against else None,
        drift=fmean(against[half:]) - fmean(against[:half]) if half >= 3 else None,
    )
