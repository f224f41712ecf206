"""Statistics against published examples, other libraries, and simulation."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import pytest
from scipy.stats import permutation_test

from evaluators.grading.statistics.agreement import (
    agreement,
    alpha_with_interval,
    grader_reports,
)
from evaluators.grading.statistics.bradley_terry import (
    PairwiseComparison,
    bradley_terry_ratings,
    from_grades,
    from_votes,
)
from evaluators.grading.statistics.comparison import (
    differences,
    holm,
    interval,
    mean_grades,
    prompts_needed,
    sign_flip,
)
from evaluators.grading.statistics.grade_summary import summarize
from evaluators.grading.statistics.position_effect import position_effect, side_effect
from evaluators.grading.store.grade_records import Grade, Vote

#: Krippendorff's own example: four observers, twelve units; his ordinal alpha is 0.815.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def a_grade(
    candidate: str,
    grade: int | None,
    prompt: object = "p",
    grader: str = "g",
    **changes: object,
) -> Grade:
    key = f"{grader} {prompt} {candidate} {changes.get('kind')}"
    values = {
        "key": key,
        "subject": key,
        "grader": grader,
        "run": "run",
        "case": candidate,
        "candidate": candidate,
        "prompt": str(prompt),
        "reply": f"{candidate} {prompt}",
        "grade": grade,
        "screen": f"{grader} {prompt}",
    }
    return Grade(**{**values, **changes})  # type: ignore[arg-type]


def alpha_of(units: list[list[int]]) -> float | None:
    """Of replies to one prompt."""
    return alpha_with_interval([units])[0]


def test_alpha_is_krippendorffs_own() -> None:
    units = [[g for g in unit if g] for unit in zip(*OBSERVERS, strict=True)]
    assert alpha_of(units) == pytest.approx(0.815, abs=0.0005)


def test_alpha_is_that_of_evalica_on_random_grades() -> None:
    evalica = pytest.importorskip("evalica")
    import pandas as pd

    rng = np.random.default_rng(1)
    for _ in range(20):
        grades = rng.integers(1, 6, size=(4, 15)).astype(float)
        grades[rng.random(grades.shape) < 0.3] = np.nan
        units = [[int(g) for g in unit if not math.isnan(g)] for unit in grades.T]
        expected = evalica.alpha(pd.DataFrame(grades), distance="ordinal").alpha
        assert alpha_of(units) == pytest.approx(expected, abs=1e-9)


def test_constant_grades_have_no_alpha_rather_than_a_perfect_one() -> None:
    grades = [a_grade("a", 3, p, g) for p in range(6) for g in "xyz"]
    result = agreement(grades)
    assert result.alpha is None
    assert "undefined" in result.reason
    assert alpha_of([[3, 3], [3, 3]]) is None


def test_one_grader_alone_has_no_agreement_and_is_told_so() -> None:
    result = agreement([a_grade("a", 3, p) for p in range(6)])
    assert (result.alpha, result.graders) == (None, 1)
    assert "two people" in result.reason


def test_the_interval_of_alpha_holds_it_and_narrows_with_prompts() -> None:
    def simulated(prompts: int) -> list[Grade]:
        rng = np.random.default_rng(prompts)
        truth = rng.integers(1, 6, size=prompts)
        return [
            a_grade("a", int(np.clip(t + rng.integers(-1, 2), 1, 5)), p, g)
            for p, t in enumerate(truth)
            for g in "xyz"
        ]

    few, many = agreement(simulated(15)), agreement(simulated(150))
    assert few.low < few.alpha < few.high
    assert many.high - many.low < (few.high - few.low) / 2


def test_the_interval_of_alpha_leaves_out_five_percent_of_the_draws() -> None:
    chance = np.random.default_rng(2)
    truth = chance.integers(1, 6, size=40)
    units = [[int(np.clip(t + chance.integers(-2, 3), 1, 5)) for _ in "xy"] for t in truth]
    grades = [
        a_grade("a", grade, prompt, grader)
        for prompt, unit in enumerate(units)
        for grader, grade in zip("xy", unit, strict=True)
    ]
    again = [alpha_of([units[i] for i in chance.integers(0, 40, 40)]) for _ in range(1500)]
    low, high = np.quantile([a for a in again if a is not None], [0.025, 0.975])
    found = agreement(grades, draws=1500)
    assert found.low == pytest.approx(low, abs=0.05)
    assert found.high == pytest.approx(high, abs=0.03)


def test_practice_skips_and_open_grades_count_for_nothing() -> None:
    grades = [
        a_grade("a", 5, kind="practice"),
        a_grade("a", None, "skipped"),
        a_grade("a", 1, "chat", blind=False),
        a_grade("a", 3, "counted"),
    ]
    (row,) = mean_grades(grades)
    assert (row.mean, row.grades) == (3, 1)


def test_a_grader_who_repeats_themselves_is_consistent_and_one_who_drifts_is_seen() -> None:
    steady = [a_grade("a", 3, p, "steady", made_at=f"{p:02}") for p in range(10)]
    drifting = [a_grade("a", 3 - (p > 4), p, "drifting", made_at=f"{p:02}") for p in range(10)]
    again = [
        a_grade("a", 3, 0, "steady", kind="repeat"),
        a_grade("a", 1, 0, "drifting", kind="repeat"),
    ]
    one, other = grader_reports([*steady, *drifting, *again])
    assert (one.same, one.mean_change) == (1.0, 0.0)
    assert (other.same, other.mean_change) == (0.0, 2.0)
    assert (one.severity, other.severity) == (0.5, -0.5)
    assert (one.drift, other.drift) == (1.0, -1.0)


def test_mean_grades_weigh_prompts_alike() -> None:
    grades = [a_grade("a", 1, "hard", g) for g in "wxyz"] + [a_grade("a", 5, "easy")]
    (row,) = mean_grades(grades)
    assert (row.mean, row.prompts, row.grades, row.low) == (3.0, 2, 5, None)


def test_tuned_and_untuned_are_graded_apart() -> None:
    rows = mean_grades([a_grade("a", 2), a_grade("a", 4, tuned=16)])
    assert [(r.candidate, r.mean) for r in rows] == [("a (r=16)", 4), ("a", 2)]


def test_holm_is_the_textbooks() -> None:
    assert holm([0.01, 0.04, None, 0.03, 0.005]) == pytest.approx([0.03, 0.06, None, 0.06, 0.02])
    assert holm([]) == []


def test_sign_flip_is_exact_for_few_prompts() -> None:
    assert sign_flip([1, 1, 1, 1, 1]) == pytest.approx(2 / 32)
    assert sign_flip([0, 0, 0]) == 1.0
    assert sign_flip([1, 2]) is None


@pytest.mark.parametrize("prompts", [3, 9, 13, 14, 25, 60])
def test_sign_flip_is_scipy_s_permutation_test_draw_by_draw(prompts: int) -> None:
    values = np.random.default_rng(prompts).integers(-6, 9, prompts) / 4  # sums without rounding
    peer = permutation_test(
        (values,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        rng=np.random.default_rng(0),
    )
    assert sign_flip(values.tolist()) == peer.pvalue


@pytest.mark.parametrize("prompts", [9, 25])
def test_equal_means_count_as_equal_however_they_were_rounded(prompts: int) -> None:
    whole = np.random.default_rng(0).integers(-9, 10, prompts)
    assert sign_flip((whole / 7).tolist()) == sign_flip(whole.tolist())
    assert sign_flip([0.1, 0.2, -0.3, 0.0]) == 1.0  # their sum is 5e-17


def test_sign_flip_agrees_with_the_t_test_on_many_prompts() -> None:
    from scipy.stats import ttest_1samp

    values = np.random.default_rng(3).normal(0.2, 1, size=80)
    assert sign_flip(values.tolist()) == pytest.approx(ttest_1samp(values, 0).pvalue, abs=0.02)


def test_a_clear_difference_is_separated_and_needs_no_more_prompts() -> None:
    rng = np.random.default_rng(0)
    grades = [
        a_grade(name, int(np.clip(base + rng.integers(-1, 2), 1, 5)), p, g)
        for p in range(25)
        for g in "xy"
        for name, base in (("good", 4), ("bad", 2))
    ]
    (row,) = differences(grades)
    assert (row.a, row.b, row.more) == ("good", "bad", 0)
    assert row.p_holm < 0.05
    assert row.low < row.mean < row.high


def test_two_alike_are_not_separated_and_the_reason_is_told() -> None:
    (row,) = differences([a_grade(n, 3, p) for p in range(10) for n in "ab"])
    assert (row.mean, row.more, row.p_holm) == (0, None, 1)
    assert row.reason == "no difference so far"


def test_grades_of_different_people_are_no_pair() -> None:
    assert differences([a_grade("a", 5, grader="x"), a_grade("b", 1, grader="y")]) == []


def grades_of_prompts(
    rng: np.random.Generator, runs: int, prompts: int, shift: float
) -> np.ndarray:
    """(runs × prompts): the mean of three graders' grades, prompts differing in difficulty."""
    difficulty = rng.normal(0, 0.7, size=(runs, prompts, 1))
    heard = 3.2 + shift + difficulty + rng.normal(0, 0.8, size=(runs, prompts, 3))
    return np.clip(np.rint(heard), 1, 5).mean(axis=2)


@pytest.mark.parametrize("prompts", [25, 100])
@pytest.mark.parametrize("kind", ["mean", "difference"])
def test_intervals_hold_the_truth_in_92_to_98_percent(prompts: int, kind: str) -> None:
    def values(runs: int, size: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        first = grades_of_prompts(rng, runs, size, 0.0)
        return first if kind == "mean" else first - grades_of_prompts(rng, runs, size, 0.4)

    truth = values(1, 2_000_000, seed=1).mean()
    inside = 0
    for number, row in enumerate(values(1000, prompts, seed=2)):
        low, high = interval(row.tolist(), draws=2000, seed=number)
        inside += low <= truth <= high
    print(f"{kind}, {prompts} prompts: {inside / 10:.1f} % of 1,000 intervals hold the truth")
    assert 920 <= inside <= 980


@pytest.mark.parametrize(("pilot", "effect"), [(25, 0.25), (100, 0.15)])
def test_the_stop_rule_is_right_within_a_factor_of_one_and_a_half(
    pilot: int, effect: float
) -> None:
    rng = np.random.default_rng(pilot)
    truth = next(n for n in range(10, 2000, 2) if power_at(n, effect) >= 0.8)
    told = []
    for _ in range(1000):
        values = rng.normal(effect, 1, size=pilot)
        more, _ = prompts_needed(values.tolist())
        told.append(math.inf if more is None else more + pilot)
    print(f"pilot {pilot}: {truth} prompts are needed, the median told is {median(told)}")
    assert truth / 1.5 <= median(told) <= truth * 1.5


def power_at(n: int, effect: float) -> float:
    """The true power of the paired t test with n pairs, by the noncentral t distribution."""
    from scipy.stats import nct, t

    return float(nct.sf(t.ppf(0.975, n - 1), n - 1, effect * math.sqrt(n)))


def test_as_many_more_prompts_as_told_do_separate_the_two() -> None:
    """From pilots of 25 with an effect that is right on average, 80 % should separate."""
    rng = np.random.default_rng(5)
    pilot = rng.normal(0, 1, size=25)
    pilot = (pilot - pilot.mean()) / pilot.std(ddof=1) + 0.3
    more, _ = prompts_needed(pilot.tolist())
    separated = 0
    for _ in range(1000):
        values = rng.normal(0.3, 1, size=25 + more)
        low, _ = interval(values.tolist(), draws=1000)
        separated += low > 0
    assert 740 <= separated <= 860


def test_the_stop_rule_says_when_it_can_not_tell() -> None:
    assert prompts_needed([1, 0]) == (None, "too few prompts to tell")
    assert prompts_needed([0.0] * 10) == (None, "no difference so far")
    assert prompts_needed([1.0] * 10) == (0, "")
    more, reason = prompts_needed([1.0, -1.0] * 10 + [0.001])
    assert more is None and "too close" in reason


def test_strengths_are_those_of_evalica_where_nobody_wins_always() -> None:
    evalica = pytest.importorskip("evalica")
    rng = np.random.default_rng(0)
    skill = {"a": 1.0, "b": 0.3, "c": -0.5}
    met = [
        PairwiseComparison(
            x, y, float(rng.random() < 1 / (1 + math.exp(skill[y] - skill[x]))), str(i)
        )
        for i in range(400)
        for x, y in (("a", "b"), ("b", "c"), ("a", "c"))
    ]
    ours = {s.candidate: s.chance for s in bradley_terry_ratings(met, draws=10)}
    winners = [evalica.Winner.X if c.won else evalica.Winner.Y for c in met]
    theirs = evalica.bradley_terry([c.a for c in met], [c.b for c in met], winners).scores
    logs = np.log(theirs)
    logs -= logs.mean()
    for name, log in logs.items():
        assert ours[name] == pytest.approx(1 / (1 + math.exp(-log)), abs=0.01)


def test_who_never_lost_stays_finite_and_is_marked() -> None:
    best, worst = bradley_terry_ratings(
        [PairwiseComparison("a", "b", 1.0, str(i)) for i in range(6)]
    )
    assert (best.candidate, best.note, worst.note) == ("a", "never lost", "never won")
    assert 0.6 < best.chance < 1
    assert best.chance + worst.chance == pytest.approx(1)


def test_ties_alone_make_equals() -> None:
    rows = bradley_terry_ratings([PairwiseComparison("a", "b", 0.5, str(i)) for i in range(6)])
    assert [r.chance for r in rows] == pytest.approx([0.5, 0.5])


def test_grades_and_votes_become_comparisons() -> None:
    grades = [a_grade("a", 5), a_grade("b", 2), a_grade("c", 2)]
    assert [(c.a, c.b, c.won) for c in from_grades(grades)] == [
        ("a", "b", 1.0),
        ("a", "c", 1.0),
        ("b", "c", 0.5),
    ]
    choices = ("left", "right", "both_good", "both_bad")
    votes = [Vote(c, "g", "p", "a", "b", "1", "2", c, {}) for c in choices]
    assert [c.won for c in from_votes(votes)] == [1.0, 0.0, 0.5, 0.5]
    assert bradley_terry_ratings([]) == []


@pytest.mark.parametrize(("bonus", "found"), [(0, False), (2, True)])
def test_a_bonus_for_the_first_place_is_found_and_none_is_not(bonus: int, found: bool) -> None:
    rng = np.random.default_rng(1)
    grades = []
    for prompt in range(60):
        shown = ["a", "b", "c"][: 2 + (prompt % 3 > 0)]  # screens of two replies, too
        for place, name in enumerate(rng.permutation(shown)):
            value = {"a": 3, "b": 2, "c": 2}[name] + rng.integers(-1, 2) + bonus * (place == 0)
            grades.append(a_grade(name, int(np.clip(value, 1, 5)), prompt, position=place))
    effect = position_effect(grades, draws=300)
    assert (effect.p < 0.05) == found
    assert (effect.slope < -0.3) == found


def test_a_side_that_always_wins_is_found() -> None:
    votes = [Vote(str(i), "g", "p", "a", "b", "1", "2", "left", {}) for i in range(10)]
    assert side_effect(votes).p == pytest.approx(2 / 2**10)
    assert side_effect([]).left_share is None


def test_the_summary_is_plain_json_even_without_grades() -> None:
    import json

    empty = json.loads(json.dumps(summarize([])))
    assert empty["agreement"]["alpha"] is None
    assert empty["means"] == []
    grades = [a_grade(n, g, p, w) for p in range(6) for w in "xy" for n, g in (("a", 5), ("b", 2))]
    full = json.loads(json.dumps(summarize(grades)))
    assert full["means"][0]["candidate"] == "a"
    assert full["grades"] == 24
    assert full["distribution"][0] == {"candidate": "a", "grade": 5, "count": 12}


@pytest.mark.parametrize("wins", [1, 4, 10])
def test_who_won_every_time_is_held_back_by_a_tenth_of_a_win_beforehand(wins: int) -> None:
    """0.1 wins each way before anybody met: odds of (n + 0.2) : 0.2 between two candidates."""
    one, other = bradley_terry_ratings(
        [PairwiseComparison("a", "b", 1.0, f"p{n}") for n in range(wins)]
    )
    odds = one.chance / (1 - one.chance) / (other.chance / (1 - other.chance))
    assert odds == pytest.approx((wins + 0.2) / 0.2, rel=1e-3)


def test_the_interval_of_a_strength_leaves_out_five_percent_of_the_draws() -> None:
    """200 prompts won by halves: the wins drawn are binomial, with quantiles 86 and 114."""
    met = [PairwiseComparison("a", "b", float(n % 2), f"p{n}") for n in range(200)]
    row = bradley_terry_ratings(met, draws=1500)[0]

    def won(chance: float) -> float:
        """Of 200, how many the strength stands for: the odds of two equals, squared."""
        odds = (chance / (1 - chance)) ** 2
        return 200 * odds / (1 + odds)

    assert row.low is not None and row.high is not None
    assert won(row.low) == pytest.approx(86, abs=1.2)
    assert won(row.high) == pytest.approx(114, abs=1.2)


def test_the_interval_of_few_prompts_is_wider_than_the_plain_percentiles() -> None:
    """All 3,125 draws of five prompts: the tails are those of t with 4 degrees of freedom."""
    values = [1.0, 2.0, 2.5, 4.0, 5.0]
    every = np.array(np.meshgrid(*[values] * 5)).reshape(5, -1).mean(axis=0)
    plain = np.quantile(every, [0.025, 0.975])
    tail = 0.000954  # of the normal distribution at 2.7764 × sqrt(5 / 4)
    wide = np.quantile(every, [tail, 1 - tail])
    found = interval(values)
    assert found == pytest.approx(tuple(wide), abs=0.21)  # the means lie 0.1 to 0.2 apart
    assert found[1] - found[0] > 1.3 * (plain[1] - plain[0])


def test_the_interval_is_widened_by_what_the_bootstrap_makes_too_narrow() -> None:
    """Eight prompts: the tail is that of t with 7 degrees of freedom times sqrt(8 / 7)."""
    values = np.random.default_rng(8).uniform(1, 5, 8)
    drawn = values[np.random.default_rng(99).integers(0, 8, size=(200_000, 8))].mean(axis=1)
    right, narrow = 0.00573, 0.00902  # with and without the square root
    low, high = interval(list(values), draws=200_000)
    least, near = np.quantile(drawn, [right, narrow])
    assert abs(low - least) < 0.2 * (near - least)
    near, most = np.quantile(drawn, [1 - narrow, 1 - right])
    assert abs(high - most) < 0.2 * (most - near)


def test_the_stop_rule_asks_for_more_where_several_pairs_are_tested() -> None:
    chance = np.random.default_rng(5)
    means = {"a": 3.2, "b": 3.0, "c": 2.9}
    grades = [
        a_grade(name, int(np.clip(round(mean + chance.normal(0, 1)), 1, 5)), prompt)
        for prompt in range(40)
        for name, mean in means.items()
    ]
    told = [row for row in differences(grades) if row.more]
    assert told
    for row in told:
        by_name = {(g.candidate, g.prompt): g.grade or 0 for g in grades}
        values = [by_name[row.a, str(p)] - by_name[row.b, str(p)] for p in range(40)]
        assert row.more == prompts_needed(values, significance=0.05 / 3)[0]
        assert row.more != prompts_needed(values)[0]


def test_a_repeat_seen_with_names_and_two_or_three_grades_tell_nothing_of_a_grader() -> None:
    grades = [a_grade("a", 3, p, g) for p in range(4) for g in "xy"]
    seen = [a_grade("a", 5, 0, "x", kind="repeat", blind=False)]
    report = next(r for r in grader_reports([*grades, *seen]) if r.grader == "x")
    assert (report.repeats, report.same, report.mean_change) == (0, None, None)
    assert report.compared == 4
    assert report.drift is None  # two grades in each half are no trend


def standardised(effect: float, prompts: int) -> list[float]:
    """Differences of so many prompts with this mean and a standard deviation of 1."""
    values = np.arange(prompts, dtype=float)
    return list((values - values.mean()) / values.std(ddof=1) + effect)


@pytest.mark.parametrize(("effect", "needed"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_the_stop_rule_tells_what_tables_of_the_paired_t_test_do(
    effect: float, needed: int
) -> None:
    """Cohen's small, middle and large effects at 5 % and a power of 80 %."""
    assert prompts_needed(standardised(effect, 8)) == (needed - 8, "")


def test_above_a_hundred_times_the_prompts_so_far_no_number_is_told() -> None:
    assert prompts_needed(standardised(0.089, 10)) == (983, "")
    more, reason = prompts_needed(standardised(0.088, 10))
    assert more is None
    assert "more than 1000 prompts" in reason
    assert prompts_needed(standardised(0.5, 6))[0] == 28
    assert prompts_needed(standardised(0.5, 5)) == (None, "too few prompts to tell")


def test_a_strength_has_an_interval_from_five_prompts_on() -> None:
    met = [PairwiseComparison("a", "b", float(n % 2), f"p{n}") for n in range(5)]
    assert all(row.low is not None for row in bradley_terry_ratings(met))
    assert all(row.low is None and row.high is None for row in bradley_terry_ratings(met[:4]))
