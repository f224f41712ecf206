"""Figures of one case and means of scores, computed here for every table and picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.results.run import Run
from model_registry.records import Result, ScoreRow


def training_seconds(case: Result | None) -> float | None:
    """Seconds of a tune; None where it failed."""
    return case.seconds.get("training") if case is not None and case.ok else None


def step_seconds(case: Result | None) -> float | None:
    """The mean of a training step; None where the tune failed."""
    seconds = training_seconds(case)
    return seconds / case.steps if case is not None and seconds is not None and case.steps else None


def share_of(mine: float | None, others: float | None) -> float | None:
    """One figure divided by another; None where either is missing."""
    return None if mine is None or not others else mine / others


def prediction_error(case: Result, phase: str) -> float | None:
    """How far the predicted peak is from the measured one, as a share of that."""
    measured = case.peak_bytes(phase)
    if not case.ok or case.predicted_bytes is None or not measured:
        return None
    return case.predicted_bytes / measured - 1


def mean_score(run: Run, case: Result, evaluator: str) -> float | None:
    """The mean score of one case's replies; None where none was judged."""
    scores = [
        row.value
        for row in run.scores_by_candidate.get(case.candidate, [])
        if row.case == case.case and row.evaluator == evaluator and row.value is not None
    ]
    return fmean(scores) if scores else None


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """The mean of an evaluator's scores, how many there are, and how many are above zero.

    `yes_or_no` is whether each is 0 or 1, so that the count says more than the mean.
    """

    mean: float
    count: int
    above_zero: int
    yes_or_no: bool


def summary_of_scores(values: Sequence[float]) -> ScoreSummary | None:
    """The summary of an evaluator's scores; None of none."""
    if not values:
        return None
    above = sum(map(bool, values))
    return ScoreSummary(fmean(values), len(values), above, set(values) <= {0.0, 1.0})


#: (evaluator, tuned) → the mean over what could be judged, and how many could not.
Means = dict[tuple[str, int | None], tuple[float | None, int]]


def mean_before_and_after(means: Means, evaluator: str) -> tuple[float | None, float | None]:
    """An evaluator's mean before the tune, and the mean of those after it, whatever the rank."""
    before = means.get((evaluator, None), (None, 0))[0]
    after = [mean for (each, tuned), (mean, _) in means.items()
             if each == evaluator and tuned is not None and mean is not None]  # fmt: skip
    return before, fmean(after) if after else None


def spread_of(evaluator: str, means: Iterable[Means]) -> float | None:
    """How far an evaluator's means of several candidates lie apart; None where there are none."""
    known = [
        mean
        for each in means
        for (name, _), (mean, _) in each.items()
        if name == evaluator and mean is not None
    ]
    return max(known) - min(known) if known else None


def mean_scores(rows: Iterable[ScoreRow]) -> Means:
    """(evaluator, tuned) → the mean over what could be judged, and how many could not."""
    values: dict[tuple[str, int | None], list[float | None]] = {}
    for row in rows:
        values.setdefault((row.evaluator, row.tuned), []).append(row.value)
    means: Means = {}
    for key, scores in values.items():
        present = [score for score in scores if score is not None]
        means[key] = (fmean(present) if present else None, len(scores) - len(present))
    return means
