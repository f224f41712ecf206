"""Means of people's grades with the help of raters that graded everything (PPI++).

A judge or a composite scores the replies that nobody graded too. What it scores there, corrected by
how far it was off where people graded, tells more than people's grades alone, and is as true: a
rater that knows nothing gets the weight 0. Angelopoulos, Duchi and Zrnic, PPI++: Efficient
Prediction-Powered Inference, 2023. The unit is the prompt, as for every uncertainty here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Graded prompts below which a weight can't be told from chance.
FEWEST_GRADED = 12


@dataclass(frozen=True, slots=True)
class PoweredMean:
    """A mean of grades (or of their differences) with a 95 % interval.

    `weight` is what raters count, 0 to 1; 0 is people's grades alone, and `code` says why.
    `alone_error` is the standard error without raters, by the same formula.
    """

    mean: float
    low: float | None
    high: float | None
    standard_error: float | None
    alone_error: float | None
    weight: float
    graded: int  # prompts that people graded
    judged: int  # prompts that only raters did
    code: str = ""

    @property
    def saved(self) -> float:
        """By which share the standard error is smaller than without raters."""
        if not self.alone_error or self.standard_error is None:
            return 0.0
        return 1 - self.standard_error / self.alone_error


def tuned_weight(people: np.ndarray, there: np.ndarray, others: int) -> float:
    """λ, by which the variance is least: PPI++, example 6.1, within 0 and 1.

    The spread of predictions is taken where people graded, as their covariance is: the two err
    together, and a good judge loses nothing of its worth to chance.

    Args:
        people: (n) grades.
        there: (n) predictions of the same.
        others: N, how many predictions there are where nobody graded.
    """
    spread = there.var()
    if not spread:
        return 0.0
    shared = np.mean((people - people.mean()) * (there - there.mean()))
    return float(np.clip(shared / ((1 + len(people) / others) * spread), 0, 1))


def powered_mean(people: np.ndarray, there: np.ndarray, elsewhere: np.ndarray) -> PoweredMean:
    """The mean of what people would grade on all prompts.

    Args:
        people: (n) grades, one for each graded prompt, the prompts being a fair sample.
        there: (n × raters) scores of the same replies, on any scale; NaN is unknown.
        elsewhere: (N × raters) scores of the replies that nobody graded.
    """
    n, others, raters = len(people), len(elsewhere), there.shape[1]
    alone = _standard_error(people, 1)
    if n < max(FEWEST_GRADED, raters + 4):  # a fit of them all would leave no freedom
        return _people_alone(people, alone, others, "too_few_graded")
    if not others or not raters:
        return _people_alone(people, alone, others, "nothing_else_judged")
    prediction = _on_peoples_scale(people, there, elsewhere)
    guess, rest = prediction[:n], prediction[n:]
    weight = tuned_weight(people, guess, others) * _kept(people, guess, raters)
    errors = people - weight * guess
    fitted = _standard_error(errors, 1 + raters) * math.sqrt(1 + raters / (n - raters - 2))
    error = math.hypot(fitted, weight * _standard_error(rest, 1))
    if not weight or not error < alone:
        return _people_alone(people, alone, others, "raters_tell_nothing")
    mean = float(errors.mean() + weight * rest.mean())
    return _with_interval(mean, error, n - 1 - raters, alone, weight, n, others, "")


def _standard_error(values: np.ndarray, fitted: int) -> float:
    """Of the mean of values after a fit of so many parameters, the mean being one."""
    n = len(values)
    if n <= fitted:
        return math.nan
    return math.sqrt(float(((values - values.mean()) ** 2).sum()) / (n - fitted) / n)


def _on_peoples_scale(people: np.ndarray, there: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    """(n + N) predictions: the raters' scores, weighed by a regression on people's grades.

    No rater counts the other way round: a judge that runs against people has no say.
    """
    from scipy.optimize import nnls

    scores = np.concatenate([there, elsewhere])
    scores = np.where(np.isnan(scores), np.nanmean(scores, axis=0), scores)
    scores = scores - scores.mean(axis=0)
    scores /= np.maximum(scores.std(axis=0), 1e-9)
    given = scores[: len(people)]
    weights, _ = nnls(given - given.mean(axis=0), people - people.mean())
    predicted: np.ndarray = scores @ weights
    return predicted


def _kept(people: np.ndarray, guess: np.ndarray, raters: int) -> float:
    """The share of a fitted weight that is no chance (positive-part James and Stein).

    Without it a judge of pure noise would cost a few per cent of the precision.
    """
    if not guess.std() or not people.std():
        return 0.0
    explained = float(np.corrcoef(people, guess)[0, 1]) ** 2
    noise = raters / (len(people) - raters - 1) * (1 - explained)
    return max(0.0, 1 - noise / explained) if explained else 0.0


def _people_alone(people: np.ndarray, error: float, others: int, code: str) -> PoweredMean:
    n = len(people)
    return _with_interval(float(people.mean()), error, n - 1, error, 0.0, n, others, code)


def _with_interval(
    mean: float, error: float, freedom: int, alone: float, weight: float, n: int, others: int,
    code: str,
) -> PoweredMean:  # fmt: skip
    if freedom < 2 or math.isnan(error):
        return PoweredMean(mean, None, None, None, None, weight, n, others, code)
    from scipy.special import stdtrit

    wide = float(stdtrit(freedom, 0.975)) * error
    return PoweredMean(mean, mean - wide, mean + wide, error, alone, weight, n, others, code)
