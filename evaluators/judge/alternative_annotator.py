"""Whether a judge may stand in for a person: the alternative annotator test.

Each person is left out in turn, and the judge is compared with them: who of the two is nearer to
what the others gave? A judge passes who is at least as good as half of the people, less a margin.
Calderon, Reichart and Dror, The Alternative Annotator Test for LLM-as-a-Judge, 2025.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import numpy as np

#: What a person's work is worth more than a judge's: the paper's figure for experts' grades.
MARGIN = 0.2

FEWEST_PEOPLE = 3
FEWEST_ITEMS = 30

#: Of the people, the judge must be found no worse than this share.
PASSING_RATE = 0.5
SIGNIFICANCE = 0.05

#: Fewer prompts than this are tested by ranks: the t test wants more.
_FEW_PROMPTS = 30


@dataclass(frozen=True, slots=True)
class Item:
    """One reply: its prompt, each person's grade, and the judge's on the same scale."""

    prompt: Hashable
    people: Mapping[str, float]
    judge: float


@dataclass(frozen=True, slots=True)
class AgainstOne:
    """The judge compared with one person. `advantage` is how often it was as near or nearer."""

    person: str
    items: int
    advantage: float
    persons_advantage: float
    p: float
    passed: bool


@dataclass(frozen=True, slots=True)
class AlternativeAnnotator:
    """The outcome: `passed` is None where the test can't be made, and `code` says why."""

    passed: bool | None
    code: str
    winning_rate: float | None
    advantage: float | None  # the mean over people
    people: int
    items: int
    against: tuple[AgainstOne, ...] = ()


def alternative_annotator_test(
    items: Sequence[Item], *, margin: float = MARGIN
) -> AlternativeAnnotator:
    """The test over replies that at least two people graded, beside a judge.

    Prompts are the units: replies to one prompt are averaged before they are tested.
    """
    shared = [item for item in items if len(item.people) > 1]
    people = sorted({person for item in shared for person in item.people})
    if len(people) < FEWEST_PEOPLE:
        everybody = {person for item in items for person in item.people}
        code = "too_few_people" if len(everybody) < FEWEST_PEOPLE else "too_little_shared"
        return AlternativeAnnotator(None, code, None, None, len(everybody), len(shared))
    enough = {
        person: mine
        for person in people
        if len(mine := [item for item in shared if person in item.people]) >= FEWEST_ITEMS
    }
    if len(enough) < FEWEST_PEOPLE:
        return AlternativeAnnotator(None, "too_few_items", None, None, len(people), len(shared))
    against = [_against(person, mine, margin) for person, mine in enough.items()]
    found = benjamini_yekutieli([one.p for one in against])
    against = [replace(one, passed=p < SIGNIFICANCE) for one, p in zip(against, found, strict=True)]
    rate = fmean(one.passed for one in against)
    passed = rate >= PASSING_RATE
    return AlternativeAnnotator(
        passed,
        "may_stand_in" if passed else "not_as_good_as_people",
        rate,
        fmean(one.advantage for one in against),
        len(enough),
        len(shared),
        tuple(against),
    )


def _against(person: str, items: Sequence[Item], margin: float) -> AgainstOne:
    """One person left out: the judge and they are each compared with all others."""
    judge_wins, person_wins = [], []
    by_prompt: dict[Hashable, list[float]] = defaultdict(list)
    for item in items:
        others = [grade for name, grade in item.people.items() if name != person]
        judged = _distance(item.judge, others)
        graded = _distance(item.people[person], others)
        judge_wins.append(judged <= graded)
        person_wins.append(graded <= judged)
        by_prompt[item.prompt].append(float(person_wins[-1]) - float(judge_wins[-1]))
    lead = np.array([fmean(one) for one in by_prompt.values()])
    p = _chance_of_less(lead - margin)
    return AgainstOne(person, len(items), fmean(judge_wins), fmean(person_wins), p, passed=False)


def _distance(grade: float, others: Sequence[float]) -> float:
    """Root mean square difference, rounded so that equal ones tie."""
    return round(math.sqrt(fmean((grade - other) ** 2 for other in others)), 9)


def _chance_of_less(values: np.ndarray) -> float:
    """One-sided p of a mean of at least zero: Student's t, or Wilcoxon's ranks for few prompts."""
    if len(values) < 2:
        return 1.0
    if np.ptp(values) == 0:  # every prompt says the same: a sign test
        return float(0.5 ** len(values)) if values[0] < 0 else 1.0
    from scipy.stats import ttest_1samp, wilcoxon

    test = wilcoxon if len(values) < _FEW_PROMPTS else partial(ttest_1samp, popmean=0)
    return float(test(values, alternative="less").pvalue)


def benjamini_yekutieli(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values under any dependence (Benjamini and Yekutieli 2001)."""
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(p_values, method="by")]
