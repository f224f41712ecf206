"""Rows and sentences on raters beside people, joined means, length, and what to grade next.

The page, the report and the command line show the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.results.human_grades import read_gradable
from benchmarks.results.run import Run
from benchmarks.results.shown_rows import Rows
from evaluators.evaluator_registry import built_in_evaluators, evaluator_words
from evaluators.grading.gradable_replies import GradableRun, gradable_run
from evaluators.grading.scope.grading_scope import graded_part, scope_of
from evaluators.grading.statistics.next_grades import GradingPlan, grading_plan
from evaluators.grading.statistics.prediction_powered import PoweredMean
from evaluators.grading.statistics.rater_scores import RaterScores, rater_scores, scores_of_run
from evaluators.grading.store.grade_records import Grade
from evaluators.judge.grade_evidence import GradeEvidence, grade_evidence
from evaluators.judge.rater_report import Interval
from model_registry.messages.notes import Note

#: Prompts that are offered to be graded next.
OFFERED = 5


@dataclass(frozen=True)  # no slots: what is computed once is kept
class GradedRun:
    """A run's gradable replies, its grades, and what raters that are no people gave."""

    run: GradableRun
    grades: Sequence[Grade]
    scores: RaterScores

    @classmethod
    def of(cls, run: Run) -> GradedRun:
        """From the records of a run that was read."""
        gradable = gradable_run(run.path, run.replies)
        return cls(gradable, run.grades, rater_scores(gradable, run.scores))

    @classmethod
    def read(cls, folder: Path, grades: Sequence[Grade]) -> GradedRun:
        """From a run folder and the grades of it.

        Raises:
            OhloraError: it can't be read.
        """
        run = read_gradable(folder)
        return cls(run, grades, scores_of_run(run))

    @cached_property
    def evidence(self) -> GradeEvidence:
        """What people and raters say together."""
        return grade_evidence(self.grades, self.scores)

    def plan(self, count: int = OFFERED) -> GradingPlan:
        """What to grade next of what is in the scope."""
        asked = graded_part(self.run, scope_of(self.run))
        return grading_plan(asked, self.grades, self.scores, count=count)


def rater_rows(evidence: GradeEvidence) -> Rows:
    """Every rater that is no person: whether it may stand beside people, and why not."""
    return [
        {
            "rater": _rater_words(report.rater),
            "verdict": report.verdict.words,
            "alpha": _figure(report.alpha),
            "spearman": _figure(report.spearman),
            "replies": report.replies,
            "muted": not report.earned,
        }
        for report in evidence.raters
    ]


def _rater_words(rater: str) -> str:
    """One of our evaluators in the reader's language; a model, or somebody's own, by its name."""
    return evaluator_words(rater) if rater in built_in_evaluators() else rater


def _figure(found: Interval) -> str | None:
    """A figure with its interval, as people read it."""
    if found.value is None:
        return None
    unknown = found.low is None or found.high is None
    return f"{found.value:.2f}" + ("" if unknown else f" ({found.low:.2f}–{found.high:.2f})")


def joined_rows(evidence: GradeEvidence) -> Rows:
    """Means and differences of people's grades with raters', and differences at equal length.

    Where length has no effect that can be told from chance, nothing is adjusted for it.
    """
    adjusted = evidence.length.adjusted
    if not evidence.raters and not adjusted:
        return []
    return [
        *(_joined_row(row.candidate, row.joined) for row in evidence.means),
        *(
            _joined_row(f"{row.a} > {row.b}", row.joined, "+")
            | {"adjusted": adjusted.get((row.a, row.b))}
            for row in evidence.differences
        ),
    ]


def _joined_row(name: str, joined: PoweredMean, sign: str = "") -> dict[str, object]:
    low, high = joined.low, joined.high
    unknown = low is None or high is None
    return {
        "candidate": name,
        "mean": joined.mean,
        "interval": None if unknown else f"{low:{sign}.2f} … {high:{sign}.2f}",
        "saved": 100 * joined.saved,
        "remark": Note(f"joined_{joined.code}").words if joined.code else None,
    }


def next_rows(plan: GradingPlan) -> Rows:
    """The prompts that tell most, with the candidates whose replies belong together."""
    return [
        {
            "prompt": one.prompt,
            "candidates": ", ".join(one.candidates),
            "people": one.people,
            "reduction": one.variance_reduction,
        }
        for one in plan.grades
    ]


def length_sentences(evidence: GradeEvidence) -> Iterator[str]:
    """What length does to a grade; nothing where it can't be told."""
    length = evidence.length
    if length.per_doubling is not None:
        values = {
            "slope": f"{length.per_doubling:+.2f}",
            "low": f"{length.low:+.2f}",
            "high": f"{length.high:+.2f}",
            "share": f"{length.share or 0:.0%}",
        }
        yield Note("length_effect", values).words
