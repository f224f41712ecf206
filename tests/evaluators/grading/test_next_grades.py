"""Where the next grade tells most, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluators.grading.gradable_replies import GradableRun, gradable_run
from evaluators.grading.statistics.next_grades import GradingPlan, grading_plan, top_candidates
from evaluators.grading.statistics.rater_scores import RaterScores
from evaluators.grading.store.grade_records import Grade
from model_registry.records import Reply
from tests.evaluators.grading.test_grading_statistics import a_grade

NAMES = ("best", "next", "third", "fourth", "fifth", "last")
PROMPTS = [f"p{n}" for n in range(80)]


def run_of(*names: str) -> GradableRun:
    return gradable_run(
        Path("a run"),
        [
            Reply(name, name, prompt, f"{name} {prompt}", "greedy", None, 3, "stop")
            for prompt in PROMPTS
            for name in names
        ],
    )


@pytest.fixture(scope="module")
def run() -> GradableRun:
    return run_of(*NAMES)


@pytest.fixture(scope="module")
def two() -> GradableRun:
    return run_of("best", "next")


class World:
    """What one person would grade everything, and what a judge does."""

    def __init__(self, gap: float, seed: int) -> None:
        chance = np.random.default_rng(seed)
        means = np.array([3.5 + gap, 3.5, 3.1, 2.9, 2.7, 2.5])
        shape = (len(PROMPTS), len(NAMES))
        truth = means + chance.normal(0, 0.6, (shape[0], 1)) + chance.normal(0, 0.7, shape)
        self.grades = np.clip(np.rint(truth + chance.normal(0, 0.5, shape)), 1, 5)
        self.order = chance.permutation(len(PROMPTS))
        judged = truth + chance.normal(0, 0.9, shape)
        self.scores = RaterScores(
            ("judge:a",),
            {(name, prompt): judged[p, n : n + 1]
             for p, prompt in enumerate(PROMPTS) for n, name in enumerate(NAMES)},
        )  # fmt: skip

    def grade(self, prompt: str, name: str) -> Grade:
        value = self.grades[PROMPTS.index(prompt), NAMES.index(name)]
        return a_grade(name, int(value), prompt)

    def first(self, prompts: int) -> list[Grade]:
        """Everything of so many prompts in a random order."""
        return [self.grade(PROMPTS[p], name) for p in self.order[:prompts] for name in NAMES]


def graded_as_offered(world: World, run: GradableRun, budget: int) -> GradingPlan:
    """Six prompts in full, then what is offered, until the rule stops or the grades are used up."""
    grades = world.first(6)
    while True:
        plan = grading_plan(run, grades, world.scores)
        have = {(g.prompt, g.candidate) for g in grades}
        new = [
            [world.grade(one.prompt, name) for name in one.candidates
             if (one.prompt, name) not in have]
            for one in plan.grades
        ]  # fmt: skip
        more = next((one for one in new if one), [])
        if plan.stop.stops or not more or len(grades) + len(more) > budget:
            return plan
        grades += more


def graded_at_random(world: World, run: GradableRun, budget: int) -> GradingPlan:
    return grading_plan(run, world.first(budget // len(NAMES)), world.scores)


def separated(
    how: Callable[[World, GradableRun, int], GradingPlan], run: GradableRun, gap: float
) -> list[str]:
    """Who was found to be the best, in studies of 150 grades that separated anybody."""
    plans = [how(World(gap, seed), run, 150) for seed in range(16)]
    return [plan.stop.a for plan in plans if plan.stop.code == "separated"]


@pytest.mark.slow
def test_the_same_number_of_grades_separates_the_top_more_often_than_in_random_order(
    run: GradableRun,
) -> None:
    offered, drawn = (separated(how, run, 0.5) for how in (graded_as_offered, graded_at_random))
    assert offered.count("best") >= len(offered) - 1
    assert len(offered) >= len(drawn) + 5


@pytest.mark.slow
def test_looking_after_every_grade_seldom_separates_two_that_are_alike(run: GradableRun) -> None:
    assert len(separated(graded_as_offered, run, 0.0)) <= 2


def test_before_anybody_graded_every_candidate_is_offered(run: GradableRun) -> None:
    plan = grading_plan(run, [], count=3)
    assert (plan.stop.code, plan.stop.stops) == ("too_few", False)
    assert len({one.prompt for one in plan.grades}) == 3
    assert plan.grades[0].candidates == NAMES


def test_only_those_who_may_still_be_the_best_are_offered(run: GradableRun) -> None:
    world = World(0.1, 0)
    plan = grading_plan(run, world.first(20), world.scores, count=1)
    assert set(plan.grades[0].candidates) <= {"best", "next", "third"}
    assert len(plan.grades[0].candidates) >= 2
    assert plan.grades[0].variance_reduction > 0


def test_new_prompts_come_before_second_opinions_and_never_one_twice(run: GradableRun) -> None:
    world = World(0.1, 0)
    plan = grading_plan(run, world.first(20), count=80)
    people = [one.people for one in plan.grades]
    assert people == [0] * 60 + [1] * 20
    assert len({one.prompt for one in plan.grades}) == 80


def test_the_judge_says_which_prompts_the_graded_ones_do_not_stand_for(two: GradableRun) -> None:
    """Only prompts on which the judge prefers one were graded: the others are due."""
    guess = {prompt: (1.0 if n < 40 else -1.0) for n, prompt in enumerate(PROMPTS)}
    scores = RaterScores(
        ("judge:a",),
        {(name, p): np.array([guess[p] * (name == "best")]) for p in PROMPTS for name in NAMES},
    )
    world = World(0.1, 0)
    grades = [world.grade(p, name) for p in PROMPTS[:12] for name in ("best", "next")]
    due = [one.prompt for one in grading_plan(two, grades, scores, count=5).grades]
    assert all(guess[prompt] == -1 for prompt in due)


def test_a_clear_difference_stops_the_grading_and_a_tie_that_nothing_can_break_does_too(
    two: GradableRun,
) -> None:
    clear = [a_grade("best", 5 - n % 2, p) for n, p in enumerate(PROMPTS[:20])]
    clear += [a_grade("next", 2 + n % 3 // 2, p) for n, p in enumerate(PROMPTS[:20])]
    assert grading_plan(two, clear).stop.code == "separated"
    even = [a_grade("best", 3 + n % 2, p) for n, p in enumerate(PROMPTS[:70])]
    even += [a_grade("next", 4 - n % 2, p) for n, p in enumerate(PROMPTS[:70])]
    stop = grading_plan(two, even).stop
    assert (stop.code, stop.planned, stop.stops) == ("cannot_decide", 10, True)
    assert stop.chance is not None and stop.chance < 0.1


def test_the_rule_is_told_in_both_languages(run: GradableRun, monkeypatch) -> None:
    stop = grading_plan(run, World(0.3, 1).first(20)).stop
    monkeypatch.setenv("OHLORA_LANG", "en")
    assert stop.a in stop.note.words and "99 %" in stop.note.words
    monkeypatch.setenv("OHLORA_LANG", "ko")
    assert "평가" in stop.note.words


def test_the_best_so_far_leads_and_the_nearest_follow(run: GradableRun) -> None:
    grades = [
        a_grade(name, value + n % 2, p)
        for n, p in enumerate(PROMPTS[:20])
        for name, value in zip(NAMES, (4, 4, 2, 2, 1, 1), strict=True)
    ]
    assert set(top_candidates(run, grades)[:2]) == {"best", "next"}
    assert len(top_candidates(run, grades)) == 2


def test_a_candidate_that_nobody_has_compared_with_the_best_may_still_be_better(
    run: GradableRun,
) -> None:
    grades = [a_grade(n, v, p) for p in PROMPTS[:30] for n, v in (("best", 5), ("next", 2))]
    plan = grading_plan(run, grades, count=1)
    assert plan.stop.code == "too_few"
    assert not {"next"} & set(plan.grades[0].candidates)
