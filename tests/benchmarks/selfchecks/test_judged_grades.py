"""The simulation of what raters add says what it claims to."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.selfchecks.judged_grades import SCENARIOS, Scenario, gain, simulate


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.6, 0.8])
def test_a_rater_correlates_with_one_persons_grade_as_it_is_named(correlation: float) -> None:
    alone = Scenario("", (correlation,), 1)
    grades, scores = simulate(alone, np.random.default_rng(0), 40_000)
    found = np.corrcoef(grades.ravel(), scores[..., 0].ravel())[0, 1]
    assert found == pytest.approx(correlation, abs=0.02)


def test_noise_costs_nothing_and_a_judge_with_the_composite_saves_a_quarter() -> None:
    by_label = {scenario.label: scenario for scenario in SCENARIOS}
    noise = gain(by_label["noise, one person a prompt"], 300)
    both = gain(by_label["judge 0.6 and composite 0.5, three people"], 300)
    assert noise.mean_ratio < 1.015 and noise.difference_ratio < 1.015
    assert both.mean_ratio < 0.78
    assert both.difference_ratio < 0.88
    assert min(both.mean_coverage, both.difference_coverage, noise.mean_coverage) > 0.92
