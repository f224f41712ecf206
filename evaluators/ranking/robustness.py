"""Robustness of a ranking to its weights and samples. Pure functions on arrays.

Shapes: criteria K, units U (a group of criteria is one unit, any other criterion its own),
candidates C, draws D, prompts P. NaN is missing; a candidate's score is the weighted mean over the
units that it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TIE = 1e-12  # scores nearer than this are equal: they differ by rounding only
BEYOND = 1e-7  # how far past a crossing the new winner is looked at
CHUNK = 1_000  # draws at once: bounds the memory


@dataclass(frozen=True, slots=True)
class WeightChange:
    """One unit's share of the weight, from what it is to where another candidate wins."""

    name: str  # of the criterion or group
    from_share: float
    to_share: float
    winner: str


def weighted_mean(values: Array, weights: Array) -> Array:
    """Scores (…, C) of values (…, U, C) by weights (…, U) or (U,), over what is present."""
    present = ~np.isnan(values)
    total = (present * weights[..., :, None]).sum(axis=-2)
    gained = (np.where(present, values, 0.0) * weights[..., :, None]).sum(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, gained / total, np.nan)


def win_shares(scores: Array) -> Array:
    """The share of the rows of (D, C) scores that each candidate wins; a tie is shared out."""
    if not scores.shape[-1]:
        return np.zeros(0)
    known = np.where(np.isnan(scores), -np.inf, scores)
    best = known.max(axis=-1, keepdims=True)
    wins = (known >= best - TIE) & np.isfinite(known)
    count = wins.sum(axis=-1, keepdims=True)
    shares: Array = (wins / np.maximum(count, 1)).mean(axis=0)
    return shares


def weight_draw_shares(units: Array, weights: Array, draws: int, seed: int) -> Array:
    """How often each candidate wins when the weights are drawn anew.

    Weights come from a Dirichlet distribution whose mean is the declared weights and whose
    parameters sum to the number of units: with equal weights, every split is equally likely.
    Units of weight 0 stay out.
    """
    used = weights > 0
    concentration = weights[used] / weights[used].sum() * used.sum()
    drawn = np.random.default_rng(seed).dirichlet(concentration, size=draws)
    scores = [
        weighted_mean(units[used], part) for part in np.array_split(drawn, -(-draws // CHUNK))
    ]
    return win_shares(np.concatenate(scores))


def bootstrap_means(samples: Array, draws: int, seed: int) -> Array:
    """Means (D, K, C) of samples (K, C, P) when the prompts are drawn anew.

    One draw takes the same prompts for every candidate and criterion: they are paired. NaN
    samples are missing; a draw without any sample of a candidate gives NaN.
    """
    prompts = samples.shape[-1]
    rng = np.random.default_rng(seed)
    present = ~np.isnan(samples)
    filled = np.where(present, samples, 0.0)
    means = []
    for part in np.array_split(np.arange(draws), -(-draws // CHUNK)):
        times = rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=len(part))
        with np.errstate(invalid="ignore", divide="ignore"):
            gained = np.einsum("kcp,dp->dkc", filled, times)
            means.append(gained / np.einsum("kcp,dp->dkc", present, times))
    return np.concatenate(means)


def pareto_front(oriented: Array) -> list[bool]:
    """Who is on the front of oriented values (K, C), where more is better.

    One candidate beats another if it has every value that the other has, none worse and one
    better. What the other lacks is not held against either; one without values is not on it.
    """
    missing = np.isnan(oriented)
    front = []
    for mine in range(oriented.shape[1]):
        compared = ~missing[:, mine]
        rest, own = oriented[compared], oriented[compared, mine][:, None]
        with np.errstate(invalid="ignore"):
            beaten = (rest >= own).all(axis=0) & (rest > own).any(axis=0)
        front.append(bool(compared.any() and not beaten.any()))
    return front


def smallest_weight_change(
    units: Array, weights: Array, names: Sequence[str], candidates: Sequence[str], chosen: str
) -> WeightChange | None:
    """The least change of one unit's share of the weight by which the chosen one is beaten.

    The other units keep their proportions. Where a value is missing the scores are quotients of
    the share, so that two candidates meet where a polynomial of degree two is zero: exact, no
    search. None where no change of a single weight does it; if several then win together, the
    first of them is named.
    """
    shares = weights / weights.sum()
    winner = candidates.index(chosen)
    found: list[tuple[float, int, float, int]] = []
    for unit in np.flatnonzero((shares < 1) & ~np.isnan(units).all(axis=1)).tolist():
        now = float(shares[unit])
        for share in _crossings(units, shares, unit, winner):
            for past in _past(share, now):
                best = _best(units, _with_share(shares, unit, past))
                if best and winner not in best:
                    found.append((abs(share - now), unit, share, best[0]))
    if not found:
        return None
    _, unit, share, new = min(found)
    return WeightChange(names[unit], float(shares[unit]), share, candidates[new])


def _crossings(units: Array, shares: Array, unit: int, winner: int) -> list[float]:
    """Shares of the unit, 0 to 1, at which another candidate's score equals the winner's."""
    others = _with_share(shares, unit, 0.0)[:, None]
    present = ~np.isnan(units)
    filled = np.where(present, units, 0.0)
    rest, rest_weight = (others * filled).sum(axis=0), (others * present).sum(axis=0)
    # Numerator and denominator of each score as polynomials of the share, highest power first.
    above = np.stack([filled[unit] - rest, rest])
    below = np.stack([present[unit] - rest_weight, rest_weight])
    found: list[float] = []
    for other in range(units.shape[1]):
        if other != winner:
            left = np.polymul(above[:, winner], below[:, other])
            meet: Array = np.polysub(left, np.polymul(above[:, other], below[:, winner]))
            meet[np.abs(meet) < TIE] = 0.0
            roots = np.roots(meet)
            found += [float(r.real) for r in roots if abs(r.imag) < TIE and -TIE <= r.real <= 1]
    return [max(0.0, share) for share in found]


def _with_share(shares: Array, unit: int, share: float) -> Array:
    changed: Array = shares * (1 - share) / (1 - shares[unit])
    changed[unit] = share
    return changed


def _past(share: float, now: float) -> list[float]:
    """Shares just beyond a crossing, seen from now; on both sides of it where it is now."""
    sides = [BEYOND, -BEYOND] if abs(share - now) < TIE else [BEYOND if share > now else -BEYOND]
    return [min(max(share + side, 0.0), 1.0 - TIE) for side in sides]


def _best(units: Array, shares: Array) -> list[int]:
    """The positions of the best score, several where they are equal."""
    scores = weighted_mean(units, shares)
    if np.isnan(scores).all():
        return []
    return np.flatnonzero(scores >= np.nanmax(scores) - TIE).tolist()
