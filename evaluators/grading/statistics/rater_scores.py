"""What raters that are no people gave a run's replies: model judges and the composite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from evaluators.grading.gradable_replies import GradableRun
from evaluators.grading.statistics.comparison import label
from evaluators.grading.store.grade_records import reply_hash
from model_registry.records import ScoreRow, read_rows

#: A model's grades are named by it and are of people's scale, 1 to 5.
JUDGE = "judge:"

#: Of all other evaluators only the composite stands for a whole grade; it is of 0 to 1.
COMPOSITE = "quality"


@dataclass(frozen=True)
class RaterScores:
    """Every rater's score of every reply that people may grade, as raters give them."""

    raters: tuple[str, ...] = ()
    #: (candidate as `label` names it, prompt) → one score a rater; NaN is unknown.
    values: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def of(self, candidate: str, prompt: str) -> np.ndarray:
        """One reply's scores, NaN for each that is missing."""
        unknown = np.full(len(self.raters), np.nan)
        return self.values.get((candidate, prompt), unknown)

    def prompts(self, *candidates: str) -> list[str]:
        """The prompts to which a rater scored the replies of all these candidates."""
        first, *others = candidates
        return [
            prompt
            for name, prompt in self.values
            if name == first and all((other, prompt) in self.values for other in others)
        ]

    def apart(self, a: str, b: str) -> dict[str, float]:
        """By how much raters hold `a` for better than `b`, by prompt: the mean of all raters'
        differences, each about its mean and divided by its spread."""
        prompts = self.prompts(a, b) if self.raters else []
        found = np.array([self.of(a, prompt) - self.of(b, prompt) for prompt in prompts])
        if not len(found) or np.isnan(found).all():
            return {}
        found = (found - np.nanmean(found, axis=0)) / np.maximum(np.nanstd(found, axis=0), 1e-9)
        return dict(zip(prompts, np.nan_to_num(found).mean(axis=1).tolist(), strict=True))


NO_RATERS = RaterScores()


def scores_of_run(run: GradableRun) -> RaterScores:
    """The raters' scores that stand in a run's folder."""
    return rater_scores(run, read_rows(run.folder / "scores.jsonl", ScoreRow))


def is_rater(evaluator: str) -> bool:
    """Whether an evaluator gives a whole grade, as a person does."""
    return evaluator == COMPOSITE or evaluator.startswith(JUDGE)


def rater_scores(run: GradableRun, rows: Iterable[ScoreRow]) -> RaterScores:
    """The raters' scores of a run's gradable replies."""
    replies = {
        (reply.case, reply.prompt, reply.pass_, reply.tuned): reply
        for item in run.items
        for reply in item.replies
    }
    given: dict[str, dict[tuple[str, str], float]] = {}
    for row in rows:
        reply = replies.get((row.case, row.prompt, row.pass_, row.tuned))
        if reply is None or row.value is None or not is_rater(row.evaluator):
            continue
        if row.reply_hash in (None, reply_hash(reply.reply)):
            given.setdefault(row.evaluator, {})[label(reply), reply.prompt] = row.value
    raters = tuple(sorted(given))
    keys = dict.fromkeys(key for rater in raters for key in given[rater])
    return RaterScores(
        raters, {key: np.array([given[rater].get(key, np.nan) for rater in raters]) for key in keys}
    )
