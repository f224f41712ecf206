"""What people and raters together say of a run: each rater's worth, joined means, length.

Reports, the page and `ohlora grades agreement` show what this gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from evaluators.grading.statistics.joined_grades import (
    JoinedDifference,
    JoinedMean,
    joined_differences,
    joined_means,
)
from evaluators.grading.statistics.length_effect import LengthEffect, length_effect
from evaluators.grading.statistics.prediction_powered import PoweredMean
from evaluators.grading.statistics.rater_scores import RaterScores
from evaluators.grading.store.grade_records import Grade
from evaluators.judge.rater_report import RaterReport, rater_reports


@dataclass(frozen=True, slots=True)
class GradeEvidence:
    """People's grades beside raters' scores."""

    raters: tuple[RaterReport, ...]
    means: tuple[JoinedMean, ...]
    differences: tuple[JoinedDifference, ...]
    length: LengthEffect

    @property
    def earned(self) -> frozenset[str]:
        """The raters whose grades may be shown beside people's."""
        return frozenset(report.rater for report in self.raters if report.earned)

    def to_json(self) -> dict[str, object]:
        """As a document: the same whatever language is read."""
        return {
            "raters": [report.to_json() for report in self.raters],
            "means": [{"candidate": r.candidate, **_powered(r.joined)} for r in self.means],
            "differences": [{"a": r.a, "b": r.b, **_powered(r.joined)} for r in self.differences],
            "length": asdict(self.length),
        }


def grade_evidence(grades: Sequence[Grade], scores: RaterScores) -> GradeEvidence:
    """What a run's grades and its raters' scores say together."""
    return GradeEvidence(
        tuple(rater_reports(grades, scores)),
        tuple(joined_means(grades, scores)),
        tuple(joined_differences(grades, scores)),
        length_effect(grades),
    )


def _powered(joined: PoweredMean) -> dict[str, object]:
    return {**asdict(joined), "saved": joined.saved}
