"""Normalises criteria to 0–1: arrays (…, candidates), NaN where missing.

All functions work along the last axis, so that the same code serves one table and ten thousand
resampled ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def min_max(values: Array, better: str) -> Array:
    """The worst present value is 0, the best 1; sensitive to a single far-off candidate."""
    low, high = _extremes(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (values - low) / (high - low)
    return share if better == "high" else 1.0 - share


def by_rank(values: Array, better: str) -> Array:
    """The share of the other present candidates that one is better than; a tie counts half."""
    mine, theirs = values[..., :, None], values[..., None, :]
    lower = mine > theirs if better == "high" else mine < theirs
    beaten = lower.sum(axis=-1) + 0.5 * ((mine == theirs).sum(axis=-1) - 1)
    present = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isnan(values), np.nan, beaten / (present - 1))


def ratio_to_best(values: Array, better: str) -> Array:
    """value/best, or best/value where low is better: twice the cost is half the worth.

    Needs values of zero or more; where the best of a low-is-better criterion is 0, only zeros
    get 1 and all others 0. Negative values make the criterion missing.
    """
    low, high = _extremes(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = values / high if better == "high" else low / values
    ratio = np.where((better == "low") & (values == 0), 1.0, ratio)
    return np.where(np.isnan(values) | (low < 0), np.nan, ratio)


#: By the name that a study writes.
NORMALIZATIONS: dict[str, Callable[[Array, str], Array]] = {
    "min-max": min_max,
    "rank": by_rank,
    "ratio-to-best": ratio_to_best,
}


def normalize(values: Array, better: str, method: str) -> Array:
    """Values in 0 to 1, best 1, by the named method; NaN where missing.

    A criterion in which all present candidates are equal, or that only one of them has, tells
    nothing apart: it becomes missing for all, which is the same as leaving it out.
    """
    low, high = _extremes(values)
    with np.errstate(invalid="ignore"):
        tells_apart = high > low
    return np.where(tells_apart, NORMALIZATIONS[method](values, better), np.nan)


def _extremes(values: Array) -> tuple[Array, Array]:
    """The least and the greatest present value, NaN where all are missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # "All-NaN slice": NaN is the answer
        return (
            np.nanmin(values, axis=-1, keepdims=True),
            np.nanmax(values, axis=-1, keepdims=True),
        )
