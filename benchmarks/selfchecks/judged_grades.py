"""What raters add to people's grades, simulated: `python -m benchmarks.selfchecks.judged_grades`.

A grade is the candidate's level, the prompt's difficulty, the reply's own worth and the person's
mood, rounded to one of five. A rater knows the first three and errs; half of its error is the same
for all replies to a prompt. Its correlation is the one that is usually told: with one person's
grade, over all replies. Thirty prompts are graded, four hundred more are only judged.

Printed are the standard errors by those of people's grades alone (as estimates scatter, not as they
say of themselves), and how often the 95 % intervals hold the truth.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from evaluators.grading.statistics.prediction_powered import PoweredMean, powered_mean

GRADED, JUDGED = 30, 400
LEVELS = (3.4, 3.0)  # of two candidates

#: Variances of a grade: from prompt to prompt, from reply to reply, from person to person.
PROMPT, REPLY, PERSON = 0.4, 0.3, 0.3

#: What rounding to five grades adds to a grade's variance: that of a uniform of width one.
ROUNDING = 1 / 12

SHARED_ERROR = 0.5  # the share of a rater's error that all replies to a prompt have in common


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who grades and who judges."""

    label: str
    correlations: tuple[float, ...]  # of each rater with one person's grade; 0 is pure noise
    people: int  # who grade each prompt


SCENARIOS = (
    Scenario("noise, one person a prompt", (0.0,), 1),
    Scenario("judge 0.6, one person a prompt", (0.6,), 1),
    Scenario("judge 0.6, three people a prompt", (0.6,), 3),
    Scenario("judge 0.6 and composite 0.5, one person", (0.6, 0.5), 1),
    Scenario("judge 0.6 and composite 0.5, three people", (0.6, 0.5), 3),
    Scenario("judge 0.8, one person a prompt", (0.8,), 1),
)


@dataclass(frozen=True, slots=True)
class Gain:
    """Of one scenario: standard errors by people's alone, and coverage."""

    mean_ratio: float
    mean_coverage: float
    difference_ratio: float
    difference_coverage: float


def simulate(
    scenario: Scenario, chance: np.random.Generator, prompts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Grades (prompts × 2), the mean of the people's, and scores (prompts × 2 × raters)."""
    levels = np.array(LEVELS)
    hard = chance.normal(0, PROMPT**0.5, (prompts, 1))
    worth = levels + hard + chance.normal(0, REPLY**0.5, (prompts, 2))
    moods = chance.normal(0, PERSON**0.5, (prompts, 2, scenario.people))
    grades = np.clip(np.rint(worth[..., None] + moods), 1, 5)
    scores = [_rater(worth, correlation, chance) for correlation in scenario.correlations]
    return grades.mean(axis=2), np.stack(scores, axis=2)


def _rater(worth: np.ndarray, correlation: float, chance: np.random.Generator) -> np.ndarray:
    """Scores whose correlation with one person's grade is as asked for."""
    shared = chance.normal(0, SHARED_ERROR**0.5, (len(worth), 1))
    error = shared + chance.normal(0, (1 - SHARED_ERROR) ** 0.5, worth.shape)
    if not correlation:
        return error
    levels = np.array(LEVELS)
    known = PROMPT + REPLY + levels.var()
    seen = known / (known + PERSON + ROUNDING) ** 0.5  # of the grade, where nothing errs
    scores: np.ndarray = worth + error * max((seen / correlation) ** 2 - known, 0.0) ** 0.5
    return scores


def gain(scenario: Scenario, runs: int, seed: int = 0) -> Gain:
    """Both ratios and coverages of one scenario."""
    chance = np.random.default_rng(seed)
    grades, _ = simulate(scenario, np.random.default_rng(seed + 1), 1_000_000)
    found: list[list[tuple[PoweredMean, float]]] = [[], []]
    for _ in range(runs):
        given, scores = simulate(scenario, chance, GRADED + JUDGED)
        pairs = (
            (given[:, 0], scores[:, 0]),
            (given[:, 0] - given[:, 1], scores[:, 0] - scores[:, 1]),
        )
        for kind, (people, raters) in enumerate(pairs):
            joined = powered_mean(people[:GRADED], raters[:GRADED], raters[GRADED:])
            found[kind].append((joined, float(people[:GRADED].mean())))
    truths = (float(grades[:, 0].mean()), float((grades[:, 0] - grades[:, 1]).mean()))
    figures = [_figures(found[kind], truths[kind]) for kind in (0, 1)]
    return Gain(*figures[0], *figures[1])


def _figures(found: list[tuple[PoweredMean, float]], truth: float) -> tuple[float, float]:
    ratio = np.std([one.mean for one, _ in found]) / np.std([alone for _, alone in found])
    inside = [
        one.low is not None and one.high is not None and one.low <= truth <= one.high
        for one, _ in found
    ]
    return float(ratio), float(np.mean(inside))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    given = parser.parse_args()
    print(f"{GRADED} prompts graded, {JUDGED} judged only, {given.runs} runs")
    print("one rater of correlation 0.6 can't save more than 1 - sqrt(1 - 0.36) = 20 % of a mean")
    print(f"{'':44}{'mean':>8}{'covers':>9}{'difference':>12}{'covers':>9}")
    for scenario in SCENARIOS:
        one = gain(scenario, given.runs)
        print(
            f"{scenario.label:44}{one.mean_ratio:8.3f}{one.mean_coverage:9.3f}"
            f"{one.difference_ratio:12.3f}{one.difference_coverage:9.3f}"
        )


if __name__ == "__main__":
    main()
