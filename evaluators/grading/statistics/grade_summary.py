"""The statistics of a run's grades as one JSON document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from evaluators.grading.gradable_replies import GradableRun
from evaluators.grading.statistics.agreement import agreement, blind_first_grades, grader_reports
from evaluators.grading.statistics.bradley_terry import (
    bradley_terry_ratings,
    from_grades,
    from_votes,
)
from evaluators.grading.statistics.comparison import differences, label, mean_grades
from evaluators.grading.statistics.position_effect import position_effect, side_effect
from evaluators.grading.store.grade_records import Grade, Grader, Vote
from evaluators.grading.store.grade_store import GradeStore
from model_registry.files.json_values import JsonDict


def summarize(
    grades: Sequence[Grade], votes: Sequence[Vote] = (), graders: dict[str, Grader] | None = None
) -> dict[str, object]:
    """Statistics of one run's grades (the last of each subject) and of votes.

    Keys: graders, grades, skips, means, differences, agreement, each_grader, strengths, position,
    distribution, flags, votes. Unknown figures are None with a reason beside them.
    """
    names = {key: one.name for key, one in (graders or {}).items()}
    people = [asdict(r) | {"name": names.get(r.grader, "")} for r in grader_reports(grades)]
    return {
        "graders": len({g.grader for g in grades if g.kind != "practice"}),
        "grades": sum(g.kind != "practice" and g.grade is not None for g in grades),
        "skips": sum(g.kind != "practice" and g.grade is None for g in grades),
        "means": [asdict(row) for row in mean_grades(grades)],
        "differences": [asdict(row) for row in differences(grades)],
        "agreement": asdict(agreement(grades)),
        "each_grader": people,
        "strengths": [asdict(row) for row in bradley_terry_ratings(from_grades(grades))],
        "position": asdict(position_effect(grades)),
        "distribution": distribution(grades),
        "flags": _flags(grades),
        "votes": {
            "count": len(votes),
            "strengths": [asdict(row) for row in bradley_terry_ratings(from_votes(votes))],
            "side": asdict(side_effect(votes)),
        },
    }


def distribution(grades: Sequence[Grade]) -> list[dict[str, object]]:
    """How often each candidate got each grade: rows of candidate, grade (5 to 1), count."""
    counts = Counter((label(g), g.grade) for g in blind_first_grades(grades))
    names = sorted({name for name, _ in counts})
    return [
        {"candidate": name, "grade": grade, "count": counts[name, grade]}
        for name in names
        for grade in (5, 4, 3, 2, 1)
    ]


def _flags(grades: Sequence[Grade]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for grade in grades:
        if grade.kind == "item" and grade.blind:
            found.setdefault(label(grade), Counter()).update(grade.flags)
    return {name: dict(counts) for name, counts in sorted(found.items()) if counts}


def summary_of(
    store: GradeStore, run: GradableRun, grades: Sequence[Grade] | None = None
) -> JsonDict:
    """The summary of one run in a store, with the votes between two of its candidates.

    `grades` are those of it that count; all, unless they are given.
    """
    known = set(run.candidates)
    votes = [vote for vote in store.votes() if {vote.left, vote.right} <= known]
    given = store.grades(run.name) if grades is None else grades
    return summarize(given, votes, store.graders())
