"""People's grades joined with raters that scored everything, and what length does."""

from __future__ import annotations

import numpy as np
import pytest

from evaluators.grading.statistics.joined_grades import joined_differences, joined_means
from evaluators.grading.statistics.length_effect import length_effect
from evaluators.grading.statistics.prediction_powered import powered_mean, tuned_weight
from evaluators.grading.statistics.rater_scores import RaterScores
from evaluators.grading.store.grade_records import Grade
from tests.evaluators.grading.test_grading_statistics import a_grade

PEOPLE = np.array([4, 2, 5, 3, 3, 1, 4, 5, 2, 3, 4, 2.0])
THERE = np.array([3.5, 2.5, 4.75, 3, 2, 1.5, 4.25, 4, 3, 2.5, 3.75, 3.25])
ELSEWHERE = np.array([2, 3.25, 4.5, 1.75, 3, 3.5, 4, 2.25, 2.75, 3.75, 1.5, 4.75, 3, 2.5, 3.25,
                      4.25, 2, 3, 3.5, 2.75])  # fmt: skip


@pytest.mark.parametrize(
    ("there", "elsewhere", "weight", "mean"),
    [
        (THERE, ELSEWHERE, 0.68496732, 3.09531590),
        (6 - THERE, ELSEWHERE, 0.0, 3.16666667),
        (1 + (THERE - 1) * 2, 1 + (ELSEWHERE - 1) * 2, 0.34248366, 3.09531590),
    ],
)
def test_the_weight_and_the_mean_are_those_of_ppi_python(
    there: np.ndarray, elsewhere: np.ndarray, weight: float, mean: float
) -> None:
    """Computed once with ppi-python 0.2.3, which brings too much to be tested against each time.

    It takes the spread of predictions over all of them, and we where people graded.
    """
    pooled = np.concatenate([there, elsewhere]).var(ddof=1)
    theirs = tuned_weight(PEOPLE, there, len(elsewhere)) * there.var() / pooled
    assert theirs == pytest.approx(weight)
    assert (PEOPLE - theirs * there).mean() + theirs * elsewhere.mean() == pytest.approx(mean)


def simulated(
    correlation: float, graded: int, runs: int, others: int = 400, seed: int = 0
) -> tuple[float, float, float]:
    """(coverage, standard error by that of people alone, the same as it is told)."""
    chance = np.random.default_rng(seed)
    inside, joined, alone, told = 0, [], [], []
    for _ in range(runs):
        people = chance.normal(0, 1, graded + others)
        noise = chance.normal(0, np.sqrt(1 - correlation**2), graded + others)
        judge = (correlation * people + noise)[:, None]
        found = powered_mean(people[:graded], judge[:graded], judge[graded:])
        assert found.low is not None and found.high is not None
        inside += found.low <= 0 <= found.high
        joined.append(found.mean)
        alone.append(people[:graded].mean())
        told.append(1 - found.saved)
    return inside / runs, float(np.std(joined) / np.std(alone)), float(np.mean(told))


@pytest.mark.parametrize("graded", [12, 30])
@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_the_interval_holds_the_truth_in_93_to_97_percent(graded: int, correlation: float) -> None:
    coverage, ratio, told = simulated(correlation, graded, 1000)
    assert 0.93 <= coverage <= 0.97
    assert ratio <= 1.015  # never worse, whatever the judge
    assert told == pytest.approx(ratio, abs=0.05)


def test_a_judge_saves_what_its_correlation_allows_and_no_more() -> None:
    """The limit of one judge with any number of judged replies is sqrt(1 - correlation²)."""
    for correlation in (0.6, 0.9):
        _, ratio, _ = simulated(correlation, 30, 600, others=2000)
        limit = np.sqrt(1 - correlation**2)
        assert limit - 0.03 < ratio < limit + 0.06


def test_a_judge_that_runs_against_people_has_no_say() -> None:
    found = powered_mean(PEOPLE, (6 - THERE)[:, None], ELSEWHERE[:, None])
    assert (found.weight, found.saved, found.code) == (0.0, 0.0, "raters_tell_nothing")
    assert found.mean == PEOPLE.mean()


def test_with_few_graded_or_nothing_else_judged_people_stand_alone() -> None:
    few = powered_mean(PEOPLE[:9], THERE[:9, None], ELSEWHERE[:, None])
    everything = powered_mean(PEOPLE, THERE[:, None], np.empty((0, 1)))
    assert (few.code, everything.code) == ("too_few_graded", "nothing_else_judged")


def study(seed: int = 3) -> tuple[list[Grade], RaterScores]:
    """Two candidates, 80 prompts, 25 of them graded; a judge that knows most of it."""
    chance = np.random.default_rng(seed)
    grades, scores = [], {}
    for prompt in range(80):
        hard = chance.normal(0, 0.7)
        for name, mean in (("good", 3.6), ("poor", 3.0)):
            truth = mean + hard + chance.normal(0, 0.7)
            scores[name, str(prompt)] = np.array([truth + chance.normal(0, 0.3), np.nan])
            if prompt < 25:
                grades.append(a_grade(name, int(np.clip(round(truth), 1, 5)), prompt))
    return grades, RaterScores(("judge:a", "quality"), scores)


@pytest.mark.parametrize("raters", [9, 10, 11, 30])
def test_more_raters_than_a_fit_can_bear_leave_people_s_grades_alone(raters: int) -> None:
    chance = np.random.default_rng(0)
    there, elsewhere = chance.normal(3, 1, (12, raters)), chance.normal(3, 1, (20, raters))
    found = powered_mean(PEOPLE, there, elsewhere)
    assert (found.mean, found.weight, found.code) == (PEOPLE.mean(), 0, "too_few_graded")
    assert found.low is not None


def test_means_and_the_difference_are_narrower_and_a_rater_without_scores_counts_for_nothing() -> (
    None
):
    grades, scores = study()
    means = {row.candidate: row.joined for row in joined_means(grades, scores)}
    (pair,) = joined_differences(grades, scores)
    assert list(means) == ["good", "poor"]
    assert (pair.a, pair.b, pair.joined.graded, pair.joined.judged) == ("good", "poor", 25, 55)
    assert pair.joined.saved > 0.2
    assert all(one.saved > 0.1 for one in means.values())


def test_without_raters_the_mean_is_peoples() -> None:
    grades, _ = study()
    (pair,) = joined_differences(grades, RaterScores())
    values = [
        x.grade - y.grade
        for x, y in zip(grades[::2], grades[1::2], strict=True)
        if x.grade and y.grade
    ]
    assert pair.joined.mean == pytest.approx(np.mean(values))
    assert pair.joined.code == "nothing_else_judged"


def test_the_effect_of_length_is_found_and_taken_out_of_the_difference() -> None:
    """Both are equally good; one writes twice as much, and a doubling is worth half a grade."""
    chance = np.random.default_rng(0)
    grades = []
    for prompt in range(200):
        for name, size in (("long", 80), ("short", 40)):
            doublings = chance.normal(0, 1)
            reply = "가" * max(1, round(size * 2**doublings))
            grade = 3 + 0.5 * (doublings + (name == "long")) + chance.normal(0, 0.3)
            grades.append(a_grade(name, int(np.clip(round(grade), 1, 5)), prompt, reply=reply))
    found = length_effect(grades)
    (pair,) = found.differences
    assert found.per_doubling == pytest.approx(0.5, abs=0.1)
    assert found.low is not None and found.low > 0.3
    assert found.share is not None and 0.5 < found.share < 0.9
    assert (pair.a, pair.b) == ("long", "short")
    assert pair.mean > 0.35
    assert abs(pair.adjusted) < 0.15


def test_where_lengths_never_differ_no_effect_is_told() -> None:
    grades = [a_grade(n, 3 + (n == "a"), p, reply="같은 길이") for p in range(8) for n in "ab"]
    assert length_effect(grades).code == "lengths_do_not_differ"
    assert length_effect(grades[:6]).code == "too_few_prompts"
