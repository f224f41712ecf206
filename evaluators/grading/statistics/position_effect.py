"""Position bias: whether a reply's place on the screen changes its grade."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from evaluators.grading.statistics.agreement import blind_first_grades
from evaluators.grading.statistics.comparison import label
from evaluators.grading.store.grade_records import Grade, Vote

#: Keeps what is held at once small, however many screens there are.
_DRAWS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class PositionEffect:
    """What one place further down does to a grade, and the mean by place (0 is first).

    Grades are taken against their candidate's mean, so that a good candidate that happened to
    stand first is no effect of the place.
    """

    by_position: dict[int, float]
    slope: float | None
    p: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SideEffect:
    """How often the left reply won among votes that named a winner; 0.5 is no effect."""

    left_share: float | None
    p: float | None
    votes: int


def position_effect(grades: Iterable[Grade], *, draws: int = 2000, seed: int = 0) -> PositionEffect:
    """The effect of the place, tested by drawing the random orders again within each screen."""
    counted = [g for g in blind_first_grades(grades) if g.position is not None and g.screen]
    means = _means(counted)
    screens: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for one in counted:
        screens[one.screen or ""].append((one.position or 0, (one.grade or 0) - means[label(one)]))
    groups = [np.asarray(rows) for rows in screens.values() if len(rows) > 1]
    if len(groups) < 5:
        return PositionEffect({}, None, None, "fewer than five screens were graded")
    places = np.concatenate([g[:, 0] for g in groups])
    values = np.concatenate([g[:, 1] for g in groups])
    by_place = {int(p): float(values[places == p].mean()) for p in np.unique(places)}
    slope = _slope(places, values)
    drawn = _drawn_slopes(groups, places, draws, seed)
    extreme = int((abs(drawn) >= abs(slope) - 1e-12).sum())
    return PositionEffect(by_place, slope, (extreme + 1) / (draws + 1))


def _drawn_slopes(
    groups: Sequence[np.ndarray], places: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """Slopes of grades that were given to other places of the same screen by chance.

    Screens with as many replies are drawn together, some draws at a time.
    """
    rng, centre = np.random.default_rng(seed), places.mean()
    sums = np.zeros(draws)
    for size in sorted({len(g) for g in groups}, reverse=True):
        alike = np.stack([g for g in groups if len(g) == size])
        for start in range(0, draws, _DRAWS_AT_ONCE):
            part = sums[start : start + _DRAWS_AT_ONCE]
            values = np.broadcast_to(alike[:, :, 1], (len(part), *alike.shape[:2]))
            part += np.tensordot(rng.permuted(values, axis=-1), alike[:, :, 0] - centre, axes=2)
    sums /= max(((places - centre) ** 2).sum(), 1e-12)
    return sums


def _means(grades: Iterable[Grade]) -> dict[str, float]:
    given: dict[str, list[int]] = defaultdict(list)
    for one in grades:
        given[label(one)].append(one.grade or 0)
    return {name: fmean(values) for name, values in given.items()}


def _slope(places: np.ndarray, values: np.ndarray) -> float:
    centred = places - places.mean()
    return float((centred * values).sum() / max((centred**2).sum(), 1e-12))


def side_effect(votes: Iterable[Vote]) -> SideEffect:
    """The left side's share of the wins, with an exact binomial test."""
    named = [v.choice for v in votes if v.choice in ("left", "right")]
    if not named:
        return SideEffect(None, None, 0)
    from scipy.stats import binomtest

    left = named.count("left")
    return SideEffect(left / len(named), float(binomtest(left, len(named)).pvalue), len(named))
