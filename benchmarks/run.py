"""Runs a plan: case after case into a run folder, resumable, and then judges the replies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from benchmarks.case import Case
from benchmarks.engines.local import CaseOutcome, Listener
from benchmarks.plan import Plan
from benchmarks.prediction import with_prediction
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import worth_another_try
from evaluators.evaluator import EachReply
from evaluators.persona import fact_check
from evaluators.registry import judge_replies, load_evaluators
from model_registry.records import Result


class Engine(Protocol):
    """Something that does a case and always gives an outcome."""

    def run(self, case: Case, listen: Listener) -> CaseOutcome:
        """Do one case, telling its events to `listen`."""


@runtime_checkable
class ParallelEngine(Engine, Protocol):
    """One that does several cases at once."""

    def run_all(
        self, cases: Sequence[Case], watcher: Watcher
    ) -> Iterator[tuple[Case, CaseOutcome]]:
        """Do all cases and give each as it ends."""


class Watcher(Protocol):
    """Who shows how far a run is."""

    def begin(self, cases: int, done: int) -> None:
        """So many cases, so many of them done in an earlier run."""

    def more(self, cases: int) -> None:
        """So many more cases, in place of failed ones."""

    def case_begins(self, case: Case) -> None:
        """A case starts."""

    def event(self, event: tuple[object, ...]) -> None:
        """Something that the worker told."""

    def case_ends(self, result: Result, wall_seconds: float) -> None:
        """A case ended, in whatever way."""


def run_plan(
    plan: Plan, folder: RunFolder, engine: Engine, watcher: Watcher, *, resume: bool = False
) -> list[Result]:
    """Do all cases that have no result yet; the results of all.

    Raises:
        OhloraError: the folder holds another run, or one and `resume` is off.
    """
    folder.begin(plan, resume=resume)
    finished = {result.case for result in folder.results()}
    todo = [case for case in plan.cases if case.id not in finished]
    certain = sum(case.instead_of is None for case in plan.cases)
    done = len(plan.cases) - len(todo)
    watcher.begin(max(certain, done), done)
    for conditional in (False, True):  # those in place of failed ones come when that is known
        chosen = [case for case in todo if (case.instead_of is not None) == conditional]
        if conditional:
            failed = {result.case for result in folder.results() if worth_another_try(result)}
            chosen = [case for case in chosen if case.instead_of in failed]
            if chosen:
                watcher.more(len(chosen))
        for case, outcome in _outcomes(engine, chosen, watcher):
            result = with_prediction(case, outcome.result)
            folder.add_case(result, outcome.replies, outcome.losses)
            watcher.case_ends(result, outcome.wall_seconds)
    wanted = {case.id for case in plan.cases}
    return [result for result in folder.results() if result.case in wanted]


def _outcomes(
    engine: Engine, todo: Sequence[Case], watcher: Watcher
) -> Iterator[tuple[Case, CaseOutcome]]:
    """Each case as it ends: in order, or as an engine of many machines gives them."""
    if isinstance(engine, ParallelEngine):
        yield from engine.run_all(todo, watcher)
        return
    for case in todo:
        watcher.case_begins(case)
        yield case, engine.run(case, watcher.event)


def judge_run(folder: RunFolder, plugin_files: Iterable[Path | str] = ()) -> dict[str, float]:
    """Score all replies that have no score yet; the seconds that each evaluator took.

    Replies of a case are judged together, because some evaluators compare them.
    """
    evaluators = load_evaluators(plugin_files)
    facts = dict(folder.head().facts)
    # The built-in one knows our own persona; a run asks for the facts of its own data.
    evaluators["persona_facts"] = EachReply("persona_facts", partial(fact_check, facts=facts))
    judged = {(row.case, row.evaluator) for row in folder.scores()}
    replies = folder.replies()
    seconds: dict[str, float] = {}
    cases = list(dict.fromkeys(reply.case for reply in replies))
    for case in cases:
        missing = {name: e for name, e in evaluators.items() if (case, name) not in judged}
        if not missing:
            continue
        rows, took = judge_replies(missing, [reply for reply in replies if reply.case == case])
        folder.add_scores(rows)
        for name, spent in took.items():
            seconds[name] = seconds.get(name, 0.0) + spent
    return seconds
