"""Everything that the page shows of a run's results, computed at once as plain data.

It takes seconds where thousands of grades are compared: the page has it made in another process,
once for all who look. So it must be importable without the page, and travel as it is.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict
from pathlib import Path

from benchmarks.results.decision import Decision, decision_of
from benchmarks.results.folder import RunFolder
from benchmarks.results.rater_rows import (
    GradedRun,
    joined_rows,
    length_sentences,
    next_rows,
    rater_rows,
)
from benchmarks.results.run import Run
from benchmarks.results.shown_rows import decision_rows
from benchmarks.results.stand_ins import banner
from benchmarks.results.uses import licence_account
from evaluators.grading.grade_export import export_grades
from evaluators.grading.scope import grading_scope
from evaluators.grading.statistics.grade_summary import summary_of
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonDict
from model_registry.language import read_on_page, text

#: The files of a run that its results are made of.
FILES = (
    "run.json",
    "results.jsonl",
    "replies.jsonl",
    "scores.jsonl",
    "losses.jsonl",
    grading_scope.FILE,
)

#: Of the system's priorities, 0 being usual and 19 the last.
_LATER = 5

LANGUAGES = {"en": False, "ko": True}


def state_of(folder: Path, store: GradeStore) -> tuple[object, ...]:
    """What the document depends on: the run's files, and how many grades and votes there are.

    Rows of a database are only added, so that their number says whether something is new.
    """
    stamps = (path.stat() if path.exists() else None for path in map(folder.joinpath, FILES))
    files = [stamp and (stamp.st_mtime_ns, stamp.st_size) for stamp in stamps]
    return (*files, *store.counts(folder.resolve().name))


def results_document(folder: Path, store: GradeStore | str, files: Path) -> JsonDict:
    """The warning of stand-ins, the decision with its rows and uses, each in both languages, and
    the summary of the grades.

    `store` may be named by its address. The grades and the summary are written into `files` too,
    as grades.csv and summary.json.

    Raises:
        OhloraError: the run or the database can't be read.
    """
    opened: AbstractContextManager[GradeStore] = (
        closing(GradeStore.open(store)) if isinstance(store, str) else nullcontext(store)
    )
    with opened as grades:
        return _document(folder, grades, files)


def document_apart(folder: Path, store: str, files: Path) -> JsonDict:
    """The document, in a worker process that lets whoever else wants the processor go first.

    Raises:
        OhloraError: as `results_document`.
    """
    if sys.platform != "win32":
        os.setpriority(os.PRIO_PROCESS, 0, _LATER)
    try:
        return results_document(folder, store, files)
    except OhloraError as error:  # one that arrives whole, whatever its class needs to be made
        raise OhloraError(str(error), error.korean) from None


def _document(folder: Path, store: GradeStore, files: Path) -> JsonDict:
    run = Run.read(RunFolder(folder), store, needs_head=False)
    decision, _ = decision_of(run)
    graded = GradedRun.of(run)
    evidence, plan = graded.evidence, graded.plan()
    warned, rows, decided, uses, raters = {}, {}, {}, {}, {}
    for name, korean in LANGUAGES.items():
        with read_on_page(korean=korean):
            warned[name] = ". ".join(banner(run.head) or ())
            rows[name] = decision_rows(run, decision)
            decided[name] = _words_of(decision) if decision else ""
            uses[name] = "\n".join(licence_account(run, decision)) if decision else ""
            raters[name] = {
                "raters": rater_rows(evidence),
                "joined": joined_rows(evidence),
                "next": next_rows(plan),
                "said": [*length_sentences(evidence), *([plan.stop.note.words] * bool(run.grades))],
            }
    summary = summary_of(store, graded.run, run.grades) | {
        "joined": evidence.to_json(),
        "next": asdict(plan),
    }
    # A file says the same whoever asks for it.
    kept = json.dumps(
        {**summary, "decision": rows["en"]}, ensure_ascii=False, indent=2, default=str
    )
    (files / "summary.json").write_text(kept + "\n", encoding="utf-8-sig")
    export_grades(store, files / "grades.csv", folder.resolve().name)
    return {
        "warned": warned,
        "decision": rows,
        "decided": decided,
        "use": uses,
        "raters": raters,
        "summary": summary,
        "graded": bool(run.mean_grades),
    }


def _words_of(decision: Decision) -> str:
    """Who is chosen, who is the reserve, and why, on a line each."""
    ranking, none = decision.ranking, text("none", "없음")
    return "\n".join(
        (
            f"{text('Chosen', '선택')}: {ranking.chosen or none}",
            f"{text('Reserve', '예비')}: {ranking.reserve or none}",
            ranking.reason,
        )
    )
