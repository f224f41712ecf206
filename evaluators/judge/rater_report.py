"""Agreement of LLM judges and automatic scores with human graders, saturation, the test.

A model's grades are shown beside people's only once it has earned that. A composite of 0 to 1 is
put on the five grades by its order: it gives each grade as often as people did.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median

import numpy as np

from evaluators.grading.statistics.agreement import alpha_with_interval, blind_first_grades
from evaluators.grading.statistics.comparison import label
from evaluators.grading.statistics.rater_scores import JUDGE, RaterScores
from evaluators.grading.store.grade_records import Grade
from evaluators.judge.alternative_annotator import (
    FEWEST_ITEMS,
    AlternativeAnnotator,
    Item,
    alternative_annotator_test,
)
from model_registry.messages.notes import Note

#: From this share of one grade on, a rater tells replies no longer apart.
SATURATED = 0.9

TOP = 5
DRAWS = 500


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval over prompts; None where it can't be told."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class RaterReport:
    """One rater beside people, over the replies that both graded.

    `alpha` is Krippendorff's of the rater and people's median, `spearman` over replies; `near` the
    share at most one grade apart. `top_share` and `same_share` are over all its grades.
    """

    rater: str
    replies: int
    alpha: Interval
    spearman: Interval
    near: float | None
    rated: int  # all replies that it graded
    top_share: float
    same_share: float
    test: AlternativeAnnotator

    @property
    def code(self) -> str:
        """The verdict: may_stand_in, or why not."""
        if self.rated >= FEWEST_ITEMS and self.same_share >= SATURATED:
            return "all_top_grades" if self.top_share >= SATURATED else "one_grade_only"
        return self.test.code

    @property
    def earned(self) -> bool:
        """Whether its grades may be shown beside people's."""
        return self.code == "may_stand_in"

    @property
    def verdict(self) -> Note:
        """The verdict in words."""
        share = self.top_share if self.code == "all_top_grades" else self.same_share
        return Note(
            f"rater_{self.code}",
            {
                "people": self.test.people,
                "items": self.test.items,
                "share": f"{share:.0%}",
                "won": sum(one.passed for one in self.test.against),
                "advantage": f"{self.test.advantage or 0:.0%}",
            },
        )

    def to_json(self) -> dict[str, object]:
        """As a document, the verdict included."""
        return {**asdict(self), "code": self.code, "earned": self.earned}


def rater_reports(grades: Sequence[Grade], scores: RaterScores) -> list[RaterReport]:
    """Every rater of a run beside its people."""
    people: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for grade in blind_first_grades(grades):
        people[label(grade), grade.prompt][grade.grader] = grade.grade or 0
    return [
        rater_report(
            rater,
            {
                key: float(row[place])
                for key, row in scores.values.items()
                if row[place] == row[place]
            },
            people,
        )
        for place, rater in enumerate(scores.raters)
    ]


def rater_report(
    rater: str,
    given: Mapping[tuple[str, str], float],
    people: Mapping[tuple[str, str], Mapping[str, int]],
) -> RaterReport:
    """One rater's scores and people's grades, both by (candidate, prompt)."""
    own = {key: _grade(rater, value) for key, value in given.items()}
    counts = Counter(own.values())
    both = [key for key in given if people.get(key)]
    graded = _as_grades(rater, given, people, both)
    pairs: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for key in both:
        pairs[key[1]].append((round(graded[key]), round(median(people[key].values()))))
    every = [pair for one in pairs.values() for pair in one]
    return RaterReport(
        rater,
        len(both),
        Interval(*alpha_with_interval(pairs.values(), draws=DRAWS)),
        _spearman(given, people, both),
        fmean(abs(a - b) <= 1 for a, b in every) if every else None,
        len(own),
        counts[TOP] / max(len(own), 1),
        max(counts.values(), default=0) / max(len(own), 1),
        alternative_annotator_test([Item(key[1], people[key], graded[key]) for key in both]),
    )


def _grade(rater: str, value: float) -> int:
    """A score as one of five grades, by its own scale."""
    return round(value if rater.startswith(JUDGE) else 1 + 4 * value)


def _as_grades(
    rater: str,
    given: Mapping[tuple[str, str], float],
    people: Mapping[tuple[str, str], Mapping[str, int]],
    keys: Sequence[tuple[str, str]],
) -> dict[tuple[str, str], float]:
    """A rater's scores on people's scale: a judge's as they are, a composite's by their order."""
    if rater.startswith(JUDGE) or not keys:
        return {key: given[key] for key in keys}
    from scipy.stats import rankdata

    places = (rankdata([given[key] for key in keys]) - 0.5) / len(keys)
    everybody = [grade for key in keys for grade in people[key].values()]
    grades = np.quantile(everybody, places, method="inverted_cdf")
    return dict(zip(keys, grades.tolist(), strict=True))


def _spearman(
    given: Mapping[tuple[str, str], float],
    people: Mapping[tuple[str, str], Mapping[str, int]],
    keys: Sequence[tuple[str, str]],
) -> Interval:
    """Over replies, people's mean against the score; prompts are drawn for the interval."""
    if len(keys) < FEWEST_ITEMS:
        return Interval()
    from scipy.stats import rankdata

    pairs = np.array([(given[key], fmean(people[key].values())) for key in keys])
    ranks = np.column_stack([rankdata(pairs[:, 0]), rankdata(pairs[:, 1])])
    if not ranks.std(axis=0).all():
        return Interval()
    by_prompt = defaultdict(list)
    for place, key in enumerate(keys):
        by_prompt[key[1]].append(place)
    value = float(np.corrcoef(ranks.T)[0, 1])
    return Interval(value, *_interval_over(list(by_prompt.values()), ranks))


def _interval_over(
    prompts: Sequence[Sequence[int]], ranks: np.ndarray
) -> tuple[float, float] | tuple[None, None]:
    """The correlation of ranks with whole prompts drawn, from their sums of products."""
    if len(prompts) < 5:
        return None, None
    rows = np.column_stack([np.ones(len(ranks)), ranks])
    moments = np.stack([rows[list(one)].T @ rows[list(one)] for one in prompts])
    chance = np.random.default_rng(0)
    weights = chance.multinomial(len(prompts), np.full(len(prompts), 1 / len(prompts)), size=DRAWS)
    drawn = np.tensordot(weights, moments, axes=1)
    mean = drawn[:, 0, 1:] / drawn[:, :1, 0]
    around = drawn[:, 1:, 1:] / drawn[:, :1, :1] - mean[:, :, None] * mean[:, None, :]
    scale = np.sqrt(around[:, 0, 0] * around[:, 1, 1])
    found = around[:, 0, 1][scale > 0] / scale[scale > 0]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
