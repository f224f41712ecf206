from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.ranking.robustness import (
    bootstrap_means,
    pareto_front,
    smallest_weight_change,
    weight_draw_shares,
    weighted_mean,
    win_shares,
)

NAN = float("nan")
NAMES = ("one", "two", "three", "four")
CANDIDATES = ("a", "b", "c", "d")


def tables(missing: bool = True) -> st.SearchStrategy[np.ndarray]:
    """Unit values (U, C) of 2–4 units and candidates, on a coarse grid so that ties happen."""
    cell = st.integers(0, 8).map(lambda n: n / 8)
    if missing:
        cell = st.one_of(cell, cell, cell, st.just(NAN))

    def of_size(size: tuple[int, int]) -> st.SearchStrategy[np.ndarray]:
        row = st.lists(cell, min_size=size[1], max_size=size[1])
        return st.lists(row, min_size=size[0], max_size=size[0]).map(np.array)

    return st.tuples(st.integers(2, 4), st.integers(2, 4)).flatmap(of_size)


def test_a_weighted_mean_is_taken_over_what_is_present() -> None:
    values = np.array([[1.0, NAN, NAN], [0.0, 0.5, NAN]])
    scores = weighted_mean(values, np.array([3.0, 1.0]))
    np.testing.assert_allclose(scores, [0.75, 0.5, NAN])


def test_a_tie_is_shared_and_nobody_wins_an_empty_row() -> None:
    scores = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, NAN], [NAN, NAN, NAN]])
    np.testing.assert_allclose(win_shares(scores), [0.5 / 3, 1.5 / 3, 0])


def test_three_opposed_candidates_with_equal_weights_win_a_third_each() -> None:
    shares = weight_draw_shares(np.eye(3), np.ones(3), 60_000, seed=1)
    np.testing.assert_allclose(shares, [1 / 3] * 3, atol=0.01)


def test_the_share_of_weight_draws_is_the_dirichlet_distributions() -> None:
    # The winner is whose weight is the greatest. With two units the first weight is a Beta;
    # Dirichlet(2·0.8, 2·0.2) has the declared weights as its mean.
    from scipy.stats import beta

    shares = weight_draw_shares(np.eye(2), np.array([0.8, 0.2]), 60_000, seed=1)
    assert shares[0] == pytest.approx(beta(1.6, 0.4).sf(0.5), abs=0.01)


def test_bootstrap_means_have_the_standard_error_of_the_mean() -> None:
    samples = np.random.default_rng(0).normal(size=(1, 2, 40))
    drawn = bootstrap_means(samples, 20_000, seed=3)[:, 0]
    np.testing.assert_allclose(drawn.mean(axis=0), samples[0].mean(axis=-1), atol=0.01)
    np.testing.assert_allclose(drawn.std(axis=0), samples[0].std(axis=-1) / 40**0.5, rtol=0.03)


def test_a_draw_takes_the_same_prompts_for_all() -> None:
    samples = np.random.default_rng(0).normal(size=(1, 1, 12)).repeat(2, axis=1)
    samples[:, 1] += 1.0
    drawn = bootstrap_means(samples, 500, seed=0)
    np.testing.assert_allclose(drawn[:, 0, 1] - drawn[:, 0, 0], 1.0)


def test_a_missing_sample_is_not_drawn() -> None:
    samples = np.array([[[2.0, NAN, NAN]]])
    drawn = bootstrap_means(samples, 300, seed=0)
    assert set(drawn[~np.isnan(drawn)]) == {2.0}
    assert np.isnan(drawn).any()  # no sample was drawn at all: nothing is known


@given(tables())
@settings(max_examples=100, deadline=None)
def test_the_front_is_everybody_whom_nobody_beats(values: np.ndarray) -> None:
    front = pareto_front(values)
    for mine in range(values.shape[1]):
        own = ~np.isnan(values[:, mine])
        beaten = any(
            not np.isnan(values[own, other]).any()
            and (values[own, other] >= values[own, mine]).all()
            and (values[own, other] > values[own, mine]).any()
            for other in range(values.shape[1])
        )
        assert front[mine] == bool(own.any() and not beaten)


@given(tables(), st.lists(st.integers(1, 5), min_size=4, max_size=4))
@settings(max_examples=100, deadline=None)
def test_no_smaller_change_of_a_weight_makes_another_win(
    units: np.ndarray, given_weights: list[int]
) -> None:
    weights = np.array(given_weights[: len(units)], dtype=float)
    names, candidates = NAMES[: len(units)], CANDIDATES[: units.shape[1]]
    shares = weights / weights.sum()
    winners = _winners(units, shares)
    if not winners:
        return
    chosen = min(winners)
    change = smallest_weight_change(units, weights, names, candidates, candidates[chosen])
    least = abs(change.to_share - change.from_share) if change else 1.0
    if change:
        unit = names.index(change.name)
        beyond = [min(max(change.to_share + step, 0.0), 1 - 1e-9) for step in (1e-5, -1e-5)]
        found = [_winners(units, _moved(shares, unit, share)) for share in beyond]
        assert any(candidates.index(change.winner) in best and chosen not in best for best in found)
    for unit in range(len(units)):
        for share in np.linspace(0.001, 0.999, 40):
            if abs(share - shares[unit]) < least - 1e-6:  # 0 itself drops the unit
                assert chosen in _winners(units, _moved(shares, unit, share))


def _moved(shares: np.ndarray, unit: int, share: float) -> np.ndarray:
    moved = shares * (1 - share) / (1 - shares[unit])
    moved[unit] = share
    return moved


def _winners(units: np.ndarray, shares: np.ndarray) -> set[int]:
    scores = weighted_mean(units, shares)
    if np.isnan(scores).all():
        return set()
    return set(np.flatnonzero(scores >= np.nanmax(scores) - 1e-9).tolist())


def test_two_who_overtake_together_are_a_change_too() -> None:
    units = np.array([[0.125, NAN, 0.0], [NAN, 0.125, 0.25]])
    change = smallest_weight_change(units, np.array([1.0, 2.0]), ("x", "y"), ("a", "b", "c"), "c")
    assert change is not None
    assert change.winner == "a"
    assert change.to_share == pytest.approx(0.5)


def test_a_tie_is_flipped_by_no_change_at_all() -> None:
    change = smallest_weight_change(np.eye(2), np.ones(2), ("x", "y"), ("a", "b"), "a")
    assert change is not None
    assert (change.winner, change.from_share, change.to_share) == ("b", 0.5, 0.5)


def test_a_change_to_nearly_nothing_is_a_change_too() -> None:
    """The first unit alone speaks for a: below 0.4 % of the weight it does not any more."""
    units = np.array([[1.0, 0.0], [0.0, 0.004]])
    change = smallest_weight_change(units, np.ones(2), ("one", "two"), ("a", "b"), "a")
    assert change is not None
    assert (change.winner, change.from_share) == ("b", 0.5)
    one = change.to_share if change.name == "one" else 1 - change.to_share
    assert one == pytest.approx(0.004 / 1.004, abs=1e-6)


def test_a_change_to_nearly_nothing_is_found_where_no_other_does() -> None:
    """Three units: that of the second would have to rise by more than that of the first falls."""
    units = np.array([[1.0, 0.0], [0.0, 0.004], [0.5, 0.5]])
    change = smallest_weight_change(units, np.ones(3), NAMES[:3], ("a", "b"), "a")
    assert change is not None
    assert (change.name, change.winner) == ("one", "b")
    assert change.to_share == pytest.approx(0.002 / 1.002, abs=1e-6)


def test_who_wins_right_behind_the_crossing_is_named_not_who_overtakes_soon_after() -> None:
    """a and b meet where the first unit has 0.6 of the weight, b and c at 0.605."""
    units = np.array([[0.0, 0.5, 0.66322], [1.0, 0.25, 0.0]])
    weights = np.array([0.3, 0.7])
    change = smallest_weight_change(units, weights, NAMES[:2], CANDIDATES[:3], "a")
    assert change is not None
    assert (change.name, change.winner) == ("one", "b")
    assert change.to_share == pytest.approx(0.6)


@pytest.mark.parametrize(("chosen", "other"), [("a", "b"), ("b", "a")])
def test_a_tie_is_flipped_by_more_of_a_weight_as_well_as_by_less(chosen: str, other: str) -> None:
    change = smallest_weight_change(np.eye(2), np.ones(2), NAMES[:2], CANDIDATES[:2], chosen)
    assert change is not None
    assert (change.name, change.winner) == ("one", other)
