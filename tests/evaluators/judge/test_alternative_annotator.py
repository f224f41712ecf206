"""A judge must earn its place beside people."""

from __future__ import annotations

import numpy as np
import pytest

from evaluators.grading.statistics.rater_scores import RaterScores
from evaluators.judge.alternative_annotator import (
    Item,
    alternative_annotator_test,
    benjamini_yekutieli,
)
from evaluators.judge.rater_report import RaterReport, rater_reports
from tests.evaluators.grading.test_grading_statistics import a_grade


def items(noise: float, people: str = "xyz", count: int = 60, seed: int = 0) -> list[Item]:
    """People who differ from the truth by half a grade, and a judge who does by `noise`."""
    chance = np.random.default_rng(seed)
    truth = chance.uniform(1, 5, count)
    return [
        Item(
            place,
            {name: float(np.clip(np.rint(t + chance.normal(0, 0.5)), 1, 5)) for name in people},
            float(np.clip(np.rint(t + chance.normal(0, noise)), 1, 5)),
        )
        for place, t in enumerate(truth)
    ]


def test_a_judge_as_good_as_people_may_stand_in_and_a_random_one_may_not() -> None:
    good, bad = (alternative_annotator_test(items(noise, count=150)) for noise in (0.3, 3))
    assert (good.passed, good.code, good.winning_rate) == (True, "may_stand_in", 1.0)
    assert (bad.passed, bad.code, bad.winning_rate) == (False, "not_as_good_as_people", 0.0)
    assert good.advantage is not None and bad.advantage is not None
    assert good.advantage > 0.8 > bad.advantage


def test_the_margin_decides_of_a_judge_that_is_a_little_worse_than_people() -> None:
    many = items(0.75, count=300)
    assert alternative_annotator_test(many, margin=0.3).passed
    assert not alternative_annotator_test(many, margin=0.0).passed


def test_each_advantage_is_counted_as_the_paper_defines_it() -> None:
    """Two items by hand: nearer to the others in one, tied in the other."""
    by_hand = [
        Item("p", {"x": 5, "y": 3, "z": 3}, 3),  # x is 2 away from the others, the judge 0
        Item("q", {"x": 4, "y": 4, "z": 4}, 4),  # a tie counts for both
    ] * 30
    against = {one.person: one for one in alternative_annotator_test(by_hand).against}
    assert (against["x"].advantage, against["x"].persons_advantage) == (1.0, 0.5)
    assert (against["y"].advantage, against["y"].persons_advantage) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("people", "count", "code"),
    [("xy", 60, "too_few_people"), ("xyz", 29, "too_few_items"), ("xyz", 30, "may_stand_in")],
)
def test_three_people_and_thirty_replies_are_needed_and_that_is_said(
    people: str, count: int, code: str
) -> None:
    assert alternative_annotator_test(items(0.1, people, count)).code == code


def test_three_people_who_graded_nothing_in_common_can_t_be_compared() -> None:
    alone = [Item(n, {"xyz"[n % 3]: 3.0}, 3.0) for n in range(90)]
    assert alternative_annotator_test(alone).code == "too_little_shared"


def test_replies_to_one_prompt_are_one_observation() -> None:
    """Thirty copies of three prompts are three prompts: too few to be sure of anything."""
    few = [Item(n % 3, {"x": 3.0, "y": 3.0, "z": 3.0 + n % 2}, 3.0) for n in range(90)]
    assert not alternative_annotator_test(few).passed


def test_the_false_discovery_rate_is_benjamini_and_yekutieli_s() -> None:
    """By hand: p × n × (1 + 1/2 + 1/3) / rank, made monotone."""
    found = benjamini_yekutieli([0.01, 0.04, 0.03])
    assert found == pytest.approx([0.055, 0.0733333, 0.0733333])


def reports(judge: str, score: float | None) -> RaterReport:
    """Three people's grades of 40 replies, and a judge who gives one score, or what they gave."""
    chance = np.random.default_rng(1)
    grades = [a_grade("a", int(g), p, who) for p in range(40) for who in "xyz"
              for g in [chance.integers(1, 6)]]  # fmt: skip
    given = {("a", g.prompt): np.array([float(g.grade or 0) if score is None else score])
             for g in grades}  # fmt: skip
    return rater_reports(grades, RaterScores((judge,), given))[0]


def test_a_judge_that_likes_everything_is_called_saturated_whatever_the_test_says() -> None:
    kind, dull = reports("judge:kind", 5.0), reports("judge:dull", 3.0)
    assert (kind.code, kind.earned, kind.top_share) == ("all_top_grades", False, 1.0)
    assert (dull.code, dull.earned) == ("one_grade_only", False)
    assert reports("quality", 0.97).code == "all_top_grades"  # 0 to 1: 1 + 4 × 0.97 is a five


def test_a_composite_is_put_on_peoples_scale_by_its_order() -> None:
    chance = np.random.default_rng(2)
    truth = np.repeat([1, 2, 3, 4, 5], 12)
    grades = [a_grade("a", int(t), p, who) for p, t in enumerate(truth) for who in "xyz"]
    squeezed = {("a", str(p)): np.array([0.4 + t / 100 + chance.uniform(0, 1e-4)])
                for p, t in enumerate(truth)}  # fmt: skip
    (report,) = rater_reports(grades, RaterScores(("quality",), squeezed))
    assert report.alpha.value == pytest.approx(1.0)
    assert report.spearman.value == pytest.approx(0.98, abs=0.02)
    assert report.spearman.low is not None and report.spearman.low > 0.9
    assert report.near == 1.0
