"""One grader's progress in a run: done, skipped, finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from evaluators.grading.assignment import awaits_more, screens_of, still_asked
from evaluators.grading.gradable_replies import GradableRun
from evaluators.grading.scope.grading_scope import GradingScope, graded_part, scope_of
from evaluators.grading.statistics.agreement import grader_reports
from evaluators.grading.store.grade_records import Grade, Grader, Screen, grades_that_count
from evaluators.grading.store.grade_store import GradeStore


@dataclass(frozen=True)  # no slots: what is computed once is kept
class GraderProgress:
    """One grader's screens in a run and every grade given on them, revisions too."""

    screens: Sequence[Screen]
    history: Sequence[Grade]
    results_shown: bool = False  # to those who have finished

    @cached_property
    def latest(self) -> dict[str, Grade]:
        """The last grade by subject, shown when the grader comes back."""
        return {grade.subject: grade for grade in self.history}

    @cached_property
    def done(self) -> set[str]:
        """The screens that were handed in, graded or skipped."""
        return {grade.screen or "" for grade in self.history}

    @property
    def skipped(self) -> list[int]:
        """The numbers of screens, practice apart, that were last skipped."""
        open_ = {g.screen for g in self.latest.values() if g.grade is None}
        return [
            place
            for place, screen in enumerate(self.screens)
            if screen.kind != "practice" and screen.id in open_
        ]

    @property
    def next(self) -> int | None:
        """The number of the first screen not handed in; None after the last."""
        return next((i for i, s in enumerate(self.screens) if s.id not in self.done), None)

    @property
    def finished(self) -> bool:
        """Whether every requested grade was given. A skipped one was not."""
        asked = [screen for screen in self.screens if screen.kind != "practice"]
        return bool(asked) and self.next is None and not self.skipped


def progress_of(
    store: GradeStore, run: GradableRun, grader: str, scope: GradingScope | None = None
) -> GraderProgress:
    """A grader's progress in a run's scope; their screens are planned at the first call."""
    history = store.grades(run.name, grader=grader, history=True)
    done = {grade.screen or "" for grade in history}
    shown = store.management.visibility(run.name) != "nothing"
    return GraderProgress(screens_of(store, run, grader, scope, done), history, shown)


def has_finished(store: GradeStore, run: GradableRun, grader: Grader) -> bool:
    """Whether a grader gave every grade that a run asks them for. Nothing is planned by this."""
    scope = scope_of(run)
    kept = store.screens(grader.id, run.name)
    if not kept or not scope.admits(grader.name):
        return False
    history = store.grades(run.name, grader=grader.id, history=True)
    done = {grade.screen or "" for grade in history}
    work = GraderProgress(still_asked(kept, run, scope, done), history)
    asked = graded_part(run, scope)
    return work.finished and not awaits_more(store, asked, scope, grader.id, kept, done)


def completion_summary(grader: Grader, work: GraderProgress) -> dict[str, object]:
    """What a grader sees at the end: how much, how long, how consistent the repeats were.

    A card that stood for several replies was graded once, and counts once here.
    """
    given = [g for g in work.latest.values() if g.kind != "practice"]
    cards = {(g.screen, g.position): g.grade for g in given if g.grade is not None}
    reports = [r for r in grader_reports(grades_that_count(work.history)) if r.grader == grader.id]
    seconds = {g.screen: g.seconds for g in given if g.seconds is not None}
    return {
        "finished": True,
        "name": grader.name,
        "number": len(work.screens),
        "screens": sum(s.kind != "practice" for s in work.screens),
        "grades": len(cards),
        "skips": len(work.skipped),
        "skipped": work.skipped,
        "results_open": work.results_shown,  # now, or when what was skipped is graded
        "minutes": round(sum(seconds.values()) / 60, 1) if seconds else None,
        "distribution": [sum(g == value for g in cards.values()) for value in (5, 4, 3, 2, 1)],
        "same": reports[0].same if reports else None,
        "repeats": reports[0].repeats if reports else 0,
        "since": min((g.made_at for g in given), default=None),
    }
