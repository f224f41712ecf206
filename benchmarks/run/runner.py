"""Runs a plan: every unfinished case into the run folder, then judges the replies."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.engines.engine import Engine, Watcher
from benchmarks.results.folder import RunFolder, was_interrupted
from benchmarks.results.run import may_fit_with_less_memory
from benchmarks.run.case import Case
from benchmarks.run.prediction import with_prediction
from benchmarks.study.plan import Plan
from evaluators.checks.instructions import INSTRUCTIONS, INSTRUCTIONS_LOOSE, with_declared
from evaluators.checks.persona import fact_check
from evaluators.evaluator import Composite, EachReply, Evaluator
from evaluators.evaluator_registry import judge_replies, load_evaluators, version_of
from evaluators.quality import BY_REGISTER, QUALITY
from evaluators.time_limit import patience
from model_registry.language import for_files
from model_registry.records import Reply, Result, ScoreRow, group_by, reply_hash


def run_plan(
    plan: Plan,
    folder: RunFolder,
    engine: Engine,
    watcher: Watcher,
    *,
    resume: bool = False,
    retry_failed: bool = False,
) -> list[Result]:
    """Do all cases that are not finished; the results of all.

    A case that was ended from outside is not finished. One that failed by itself is, but for
    `retry_failed`, which goes on with a run as `resume` does.

    Raises:
        OhloraError: the folder holds another run, or one and `resume` is off; another process
            runs here; the machine can't go on.
        OSError: nothing more can be written. What was finished before is kept.
    """
    with folder.kept():
        folder.begin(plan, resume=resume or retry_failed)
        todo = folder.unfinished(plan, retry_failed=retry_failed)
        certain = sum(case.instead_of is None for case in plan.cases)
        done = len(plan.cases) - len(todo)
        watcher.begin(max(certain, done), done)
        planned = [case for case in todo if case.instead_of is None]
        _do(engine, folder, watcher, [case for case in planned if case.adapter is None])
        _do(engine, folder, watcher, [case for case in planned if case.adapter is not None])
        failed = _failed(folder)
        others = [case for case in todo if case.instead_of in failed]
        if others:
            watcher.more(len(others))
        _do(engine, folder, watcher, others)
    wanted = {case.id for case in plan.cases}
    return [result for result in folder.results() if result.case in wanted]


def _do(engine: Engine, folder: RunFolder, watcher: Watcher, cases: Sequence[Case]) -> None:
    for case, outcome in engine.run_all(cases, watcher):
        result = with_prediction(case, outcome.result)
        folder.add_case(result, outcome.replies, outcome.losses, outcome.samples)
        watcher.case_ends(result, outcome.wall_seconds)


def _failed(folder: RunFolder) -> set[str]:
    """The cases in place of which others are done: they failed by themselves."""
    return {
        result.case
        for result in folder.results()
        if may_fit_with_less_memory(result) and not was_interrupted(result)
    }


@for_files()
def judge_run(folder: RunFolder, plugin_files: Iterable[Path | str] = ()) -> dict[str, float]:
    """Score all replies that have no score yet; the seconds that each evaluator took.

    Replies of a case are judged together, because some evaluators compare them. Where a composite's
    formula has changed since, it and its parts are judged anew: the newer rows count.
    """
    evaluators = load_evaluators(plugin_files)
    head = folder.head()
    facts = dict(head.facts)
    # The built-in ones know our own data; a run asks for the facts and checks of its own.
    evaluators["persona_facts"] = EachReply("persona_facts", partial(fact_check, facts=facts))
    for evaluator in (INSTRUCTIONS, INSTRUCTIONS_LOOSE) if head.checks else ():
        evaluators[evaluator.name] = with_declared(evaluator, head.checks)
    if QUALITY.name in evaluators:
        evaluators[QUALITY.name] = BY_REGISTER.get(head.register, QUALITY)
    seconds: dict[str, float] = {}
    with folder.kept():
        judged = {row.key: row for row in folder.scores()}
        for replies in group_by(folder.replies(), lambda reply: reply.case).values():
            missing = _missing(evaluators, replies, judged)
            if not missing:
                continue
            rows, took = judge_replies(missing, replies)
            folder.add_scores(rows)
            for name, spent in took.items():
                seconds[name] = seconds.get(name, 0.0) + spent
                if spent >= patience(len(replies)):  # once is enough: the next run asks it again
                    del evaluators[name]
    return seconds


def _missing(
    evaluators: Mapping[str, Evaluator],
    replies: Sequence[Reply],
    judged: Mapping[tuple[Hashable, ...], ScoreRow],
) -> dict[str, Evaluator]:
    """Those that have not seen these replies; of a composite its parts too, which it needs anyway:
    what stands beside it is what it was made of."""
    missing = {n for n, each in evaluators.items() if not _is_judged(each, replies, judged)}
    composites = [e for n, e in evaluators.items() if n in missing and isinstance(e, Composite)]
    missing |= {part.name for each in composites for part in each.parts}
    return {name: each for name, each in evaluators.items() if name in missing}


def _is_judged(
    evaluator: Evaluator,
    replies: Iterable[Reply],
    judged: Mapping[tuple[Hashable, ...], ScoreRow],
) -> bool:
    """Whether an evaluator has seen these replies as they stand: a case may be done again."""
    version = version_of(evaluator)
    rows = ((judged.get((*reply.key, evaluator.name)), reply) for reply in replies)
    return all(
        row is not None
        and row.version == version
        and row.reply_hash in (None, reply_hash(reply.reply))
        for row, reply in rows
    )
