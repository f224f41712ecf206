"""The table of criteria values, normalised for a ranking; results/criteria.py declares criteria."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluators.ranking.normalization import NORMALIZATIONS, Array, normalize
from evaluators.ranking.robustness import weighted_mean
from model_registry.errors import OhloraError, UnknownName
from model_registry.language import text

Values = Mapping[str, Mapping[str, float | None]]  # candidate → criterion → value
Samples = Mapping[str, Mapping[str, Mapping[str, float | None]]]  # criterion → candidate → prompt

#: A candidate with values for less than this share of the weight is not ranked.
LEAST_PRESENT = 0.5 - 1e-9


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion to decide by, declared before any share is computed.

    Criteria of one group count once: the group weighs as much as its heaviest criterion, and its
    criteria share that by their own weights. A candidate worse than `floor` is rejected.
    """

    name: str
    label_en: str
    label_ko: str
    better: str = "high"  # or "low"
    weight: float = 1.0
    group: str | None = None
    floor: float | None = None

    @property
    def label(self) -> str:
        return text(self.label_en, self.label_ko)

    @property
    def unit(self) -> str:
        """The unit that is weighed: the group, or the criterion itself."""
        return self.group or self.name


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of one ranking: raw (K, C), normalised (K, C), units (U, C), weights (U,).

    `enough` (C,) is whether a candidate has values for half of the weight: one that has less is
    not ranked on it, and is NaN in `normalised` and `units`.
    """

    criteria: tuple[Criterion, ...]
    names: tuple[str, ...]
    raw: Array
    normalised: Array
    units: Array
    unit_names: tuple[str, ...]
    weights: Array
    enough: NDArray[np.bool_]


def check_criteria(criteria: Sequence[Criterion], normalization: str) -> None:
    """Refuse an invalid declaration before anything is computed.

    Raises:
        OhloraError: a criterion twice, a wrong direction or weight, or no weight at all.
        UnknownName: there is no such normalisation.
    """
    if normalization not in NORMALIZATIONS:
        raise UnknownName("normalisation", normalization, NORMALIZATIONS)
    names = [criterion.name for criterion in criteria]
    for name in names:
        if names.count(name) > 1:
            raise OhloraError(
                f"The criterion {name} is declared twice: take one of them out.",
                f"기준 {name}이(가) 두 번 선언되었습니다. 하나를 빼세요.",
            )
    for criterion in criteria:
        if criterion.better not in ("high", "low"):
            raise OhloraError(
                f'{criterion.name}: better is "high" or "low", not {criterion.better}.',
                f'{criterion.name}: better 값은 "high"나 "low"여야 합니다: {criterion.better}',
            )
        if not (np.isfinite(criterion.weight) and criterion.weight >= 0):
            raise OhloraError(
                f"{criterion.name}: a weight is 0 or more, not {criterion.weight}.",
                f"{criterion.name}: 가중치는 0 이상이어야 합니다: {criterion.weight}",
            )
        if criterion.floor is not None and not np.isfinite(criterion.floor):
            raise OhloraError(
                f"{criterion.name}: a floor is a number, not {criterion.floor}.",
                f"{criterion.name}: 하한은 숫자여야 합니다: {criterion.floor}",
            )
    if not any(criterion.weight for criterion in criteria):
        raise OhloraError(
            "No criterion has a weight above 0: give at least one of them a weight.",
            "가중치가 0보다 큰 기준이 없습니다. 하나 이상에 가중치를 주세요.",
        )


def build_table(criteria: Sequence[Criterion], values: Values, normalization: str) -> Table:
    """The table of these candidates' values, normalised among them."""
    names = tuple(values)
    raw = np.array(
        [[number(values[name].get(criterion.name)) for name in names] for criterion in criteria],
        dtype=float,
    ).reshape(len(criteria), len(names))
    normalised = normalise_all(criteria, raw, normalization) if names else raw
    unit_names = tuple(dict.fromkeys(criterion.unit for criterion in criteria))
    weights = unit_weights(criteria)
    enough = ~(_shares_present(criteria, raw, weights) < LEAST_PRESENT)
    normalised = np.where(enough, normalised, np.nan)
    units = into_units(criteria, normalised)
    return Table(tuple(criteria), names, raw, normalised, units, unit_names, weights, enough)


def _shares_present(criteria: Sequence[Criterion], raw: Array, weights: Array) -> Array:
    """The share of the weight that each candidate has values for, of criteria that anybody has."""
    present = ~np.isnan(raw)
    known = np.where(present.any(axis=1, keepdims=True), present.astype(float), np.nan)
    return weighted_mean(into_units(criteria, known), weights)


def number(value: float | None) -> float:
    """The value as arrays hold it: NaN where it is missing or no finite number."""
    return float("nan") if value is None or not np.isfinite(value) else float(value)


def normalise_all(criteria: Sequence[Criterion], raw: Array, method: str) -> Array:
    """Normalised values (…, K, C) of raw ones."""
    columns = [normalize(raw[..., k, :], c.better, method) for k, c in enumerate(criteria)]
    return np.stack(columns, axis=-2)


def unit_weights(criteria: Sequence[Criterion]) -> Array:
    """The declared weight of each unit (U,): a group weighs as much as its heaviest criterion."""
    names = dict.fromkeys(criterion.unit for criterion in criteria)
    return np.array([max(c.weight for c in criteria if c.unit == unit) for unit in names])


def into_units(criteria: Sequence[Criterion], normalised: Array) -> Array:
    """(…, U, C): the criteria of one group averaged by their own weights."""
    units = []
    for unit in dict.fromkeys(criterion.unit for criterion in criteria):
        members = [k for k, criterion in enumerate(criteria) if criterion.unit == unit]
        inner = np.array([criteria[k].weight for k in members])
        if not inner.any():
            inner = np.ones(len(members))
        units.append(weighted_mean(normalised[..., members, :], inner))
    return np.stack(units, axis=-2)


def shares_of_weight(criteria: Iterable[Criterion], units: Mapping[str, float]) -> dict[str, float]:
    """Each criterion's share of the weight: its group's, by its own weight within the group.

    Args:
        criteria: all that were weighed.
        units: the share of each group of criteria, by the `unit` that they name.
    """
    criteria = list(criteria)
    shares = {}
    for criterion in criteria:
        group = [each.weight for each in criteria if each.unit == criterion.unit]
        inner = criterion.weight / sum(group) if sum(group) else 1 / len(group)
        shares[criterion.name] = units.get(criterion.unit, 0.0) * inner
    return shares
