from __future__ import annotations

import numpy as np
import pytest

from evaluators.ranking.normalization import NORMALIZATIONS, normalize

NAN = float("nan")


@pytest.mark.parametrize(
    ("method", "better", "expected"),
    [
        ("min-max", "high", [0, 1 / 3, 1, NAN]),
        ("min-max", "low", [1, 2 / 3, 0, NAN]),
        ("rank", "high", [0, 0.5, 1, NAN]),
        ("rank", "low", [1, 0.5, 0, NAN]),
        ("ratio-to-best", "high", [0.25, 0.5, 1, NAN]),
        ("ratio-to-best", "low", [1, 0.5, 0.25, NAN]),
    ],
)
def test_each_method_gives_its_closed_form(method: str, better: str, expected: list) -> None:
    values = np.array([1.0, 2.0, 4.0, NAN])
    np.testing.assert_allclose(normalize(values, better, method), expected)


@pytest.mark.parametrize("method", NORMALIZATIONS)
@pytest.mark.parametrize("values", [[3.0, 3.0, NAN], [NAN, 1.0], [NAN, NAN]])
def test_what_tells_nobody_apart_is_left_out(method: str, values: list[float]) -> None:
    assert np.isnan(normalize(np.array(values), "high", method)).all()


def test_ties_share_their_rank() -> None:
    values = normalize(np.array([1.0, 2.0, 2.0, 3.0]), "high", "rank")
    np.testing.assert_allclose(values, [0, 0.5, 0.5, 1])


def test_a_free_candidate_is_the_best_ratio_and_nothing_divides_by_zero() -> None:
    values = normalize(np.array([0.0, 5.0]), "low", "ratio-to-best")
    np.testing.assert_allclose(values, [1, 0])


def test_ratios_of_negative_values_mean_nothing() -> None:
    assert np.isnan(normalize(np.array([-1.0, 5.0]), "high", "ratio-to-best")).all()


@pytest.mark.parametrize("method", NORMALIZATIONS)
def test_many_tables_at_once_give_what_each_gives_alone(method: str) -> None:
    tables = np.random.default_rng(0).uniform(1, 9, size=(5, 4))
    together = normalize(tables, "low", method)
    for table, row in zip(tables, together, strict=True):
        np.testing.assert_array_equal(normalize(table, "low", method), row)
