"""What people gave the replies of a run: grades from the grading database that belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from model_registry.records import Reply

if TYPE_CHECKING:
    from evaluators.grading.store import Grade


def grades_of(folder: Path, replies: Iterable[Reply]) -> list[Grade]:
    """The grades whose reply is in this run, with this very text; none where nobody graded.

    A database is only read if there is one: deciding must not make it.

    Raises:
        OhloraError: a database is named and does not answer.
    """
    from evaluators.grading.database import database_url
    from evaluators.grading.store import GradeStore, reply_hash

    url = database_url()
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return []
    # A run is known by its folder's name only, which another run may share.
    known = {(r.case, r.prompt, r.pass_, r.tuned, reply_hash(r.reply)) for r in replies}
    store = GradeStore.open(url)
    try:
        grades = store.grades(folder.resolve().name)
    finally:
        store.close()
    return [g for g in grades if (g.case, g.prompt, g.pass_, g.tuned, g.reply_hash) in known]


def mean_by_candidate(grades: Sequence[Grade]) -> dict[str, float]:
    """Each candidate's mean grade (1 to 5), prompts weighing alike, tuned and not together."""
    from evaluators.grading.comparison import mean_grades

    together = [replace(grade, tuned=None) for grade in grades]
    return {row.candidate: row.mean for row in mean_grades(together)}
