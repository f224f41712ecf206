"""Bradley–Terry ratings from votes, and from grades of one prompt by one person.

Regularised: with few votes somebody has won every time, and the plain estimate runs to infinity.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from evaluators.grading.statistics.comparison import grades_by_screen
from evaluators.grading.store.grade_records import Grade, Vote

#: Wins that every candidate is given against every other beforehand; keeps estimates finite.
PRIOR_WINS = 0.1


@dataclass(frozen=True, slots=True)
class PairwiseComparison:
    """One comparison of two candidates: 1 if `a` won, 0 if `b` did, 0.5 for a tie."""

    a: str
    b: str
    won: float
    prompt: str


@dataclass(frozen=True, slots=True)
class BradleyTerryRating:
    """A candidate's chance to win against an average one, with a 95 % interval over prompts."""

    candidate: str
    chance: float
    low: float | None
    high: float | None
    wins: int
    ties: int
    losses: int
    note: str = ""


def from_votes(votes: Iterable[Vote]) -> list[PairwiseComparison]:
    """Each vote as a comparison; both good and both bad are ties."""
    won = {"left": 1.0, "right": 0.0}
    return [PairwiseComparison(v.left, v.right, won.get(v.choice, 0.5), v.prompt) for v in votes]


def from_grades(grades: Iterable[Grade]) -> list[PairwiseComparison]:
    """Every pair of replies that one person graded to one prompt."""
    return [
        PairwiseComparison(
            a, b, 0.5 if given[a] == given[b] else float(given[a] > given[b]), prompt
        )
        for (_, prompt), given in grades_by_screen(grades).items()
        for a, b in combinations(sorted(given), 2)
    ]


def bradley_terry_ratings(
    comparisons: Sequence[PairwiseComparison], *, draws: int = 200, seed: int = 0
) -> list[BradleyTerryRating]:
    """The ratings of all candidates, the highest first."""
    names = sorted({name for c in comparisons for name in (c.a, c.b)})
    if len(names) < 2:
        return []
    place = {name: i for i, name in enumerate(names)}
    counts: dict[str, Counter[float]] = {name: Counter() for name in names}
    by_prompt: dict[str, np.ndarray] = defaultdict(lambda: np.zeros((len(names), len(names))))
    for one in comparisons:
        a, b = place[one.a], place[one.b]
        by_prompt[one.prompt][a, b] += one.won
        by_prompt[one.prompt][b, a] += 1 - one.won
        counts[one.a][one.won] += 1
        counts[one.b][1 - one.won] += 1
    wins = np.stack(list(by_prompt.values()))
    chances = _chances(wins.sum(axis=0))
    lows, highs = _intervals(wins, draws, seed)
    rows = [
        BradleyTerryRating(name, float(chances[i]), lows[i], highs[i], *_record(counts[name]))
        for name, i in place.items()
    ]
    return sorted(rows, key=lambda row: -row.chance)


def _chances(wins: np.ndarray) -> np.ndarray:
    """Chance of each candidate against one of average strength, from a matrix of wins."""
    import choix

    logs = choix.ilsr_pairwise_dense(wins, alpha=PRIOR_WINS)
    return np.asarray(1 / (1 + np.exp(-logs)))


def _intervals(
    wins: np.ndarray, draws: int, seed: int
) -> tuple[Sequence[float | None], Sequence[float | None]]:
    prompts, size, _ = wins.shape
    if prompts < 5:
        return [None] * size, [None] * size
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=draws)
    drawn = np.stack([_chances(np.tensordot(w, wins, axes=1)) for w in weights])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return low.tolist(), high.tolist()


def _record(results: Counter[float]) -> tuple[int, int, int, str]:
    """Wins, ties, losses, and a warning where the strength rests on the prior."""
    won, tied, lost = (results[value] for value in (1.0, 0.5, 0.0))
    note = ""
    if not tied and not (won and lost):
        note = "never lost" if won else "never won"
    return won, tied, lost, note
