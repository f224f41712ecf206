"""What people grade of a run, and their grades, from the grading database."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from benchmarks.results.folder import RunFolder
from evaluators.grading.gradable_replies import GradableRun, NoReplies, read_run
from evaluators.grading.statistics.comparison import MeanGrade, mean_grades
from evaluators.grading.store.database import has_database
from evaluators.grading.store.grade_records import Grade, reply_hash
from evaluators.grading.store.grade_store import GradeStore
from model_registry.records import Reply


def read_gradable(folder: Path) -> GradableRun:
    """The gradable part of a run; where there is none, the study's own command is the cure.

    Raises:
        OhloraError: there is no run folder, it holds no replies, or a file of it can't be read.
    """
    try:
        return read_run(folder)
    except NoReplies:
        run = RunFolder(folder)
        if not run.exists():
            raise
        raise NoReplies(folder, _command_again(run)) from None


def _command_again(run: RunFolder) -> str:
    """The command that makes a run's missing replies: what failed is done again, too."""
    head = run.head()
    failed = any(not result.ok for result in run.results())
    given = [head.study, "--out", str(run.path), "--weights", head.weights]
    return shlex.join(["ohlora", "run", *given, "--retry-failed" if failed else "--resume"])


def grades_of(
    folder: Path, replies: Iterable[Reply], store: GradeStore | None = None
) -> list[Grade]:
    """The grades of this run's replies, matched by their exact text.

    A database is only read if there is one: deciding must not make it.

    Raises:
        OhloraError: a database is named and does not answer.
    """
    # A run is known by its folder's name only, which another run may share.
    known = {(r.case, r.prompt, r.pass_, r.tuned, reply_hash(r.reply)) for r in replies}
    grades = stored_grades(folder.resolve().name, store)
    return [g for g in grades if (g.case, g.prompt, g.pass_, g.tuned, g.reply_hash) in known]


def stored_grades(run: str, store: GradeStore | None = None) -> list[Grade]:
    """All grades under a run's name; none where there is no database, which is not made."""
    if store is not None:
        return store.grades(run)
    if not has_database():
        return []
    with closing(GradeStore.open()) as store:
        return store.grades(run)


def pooled_grades(grades: Sequence[Grade]) -> list[MeanGrade]:
    """Each candidate's mean grade, prompts weighing alike, before and after its tune together."""
    return mean_grades([replace(grade, tuned=None) for grade in grades])
