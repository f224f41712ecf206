"""Figures of benchmark tasks: before a tune, after it, and the paired difference of the two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.results.run import Run, setting_of
from model_registry.errors import OhloraError
from model_registry.records import Result

PREFIX = "task:"
_TUNED, _CHANGE = "_tuned", "_change"
FEWEST_CLUSTERS = 3


@dataclass(frozen=True, slots=True)
class TaskEstimate:
    """A mean over documents with its 95 % interval over clusters; None where those are too few."""

    mean: float
    low: float | None
    high: float | None
    documents: int
    clusters: int


def tasks_of(run: Run) -> tuple[str, ...]:
    """The benchmark tasks of a run, planned or done, in their order."""
    planned = [case.setting for case in run.head.cases if case.workload == "benchmark"]
    done = [setting_of(result) for result in run.results if result.workload == "benchmark"]
    return tuple(dict.fromkeys(str(dict(each.others)["task"]) for each in [*planned, *done]))


def task_ranks(run: Run) -> tuple[int, ...]:
    """The ranks after whose tune tasks are asked again."""
    cases = [case.setting for case in run.head.cases if case.workload == "benchmark"]
    return tuple(dict.fromkeys(each.rank for each in cases if each.rank is not None))


def task_case(run: Run, name: str, task: str, rank: int | None = None) -> Result | None:
    """A candidate's case of a task, before the tune or after it; None where it is not done.

    The last one: a run that was begun when bases were asked unquantised and gone on with has both.
    """
    asked = ("benchmark", task, rank)
    for result in reversed(run.by_candidate.get(name, [])):
        if (result.workload, result.settings.get("task"), result.settings.get("rank")) == asked:
            return result
    return None


def task_value(run: Run, name: str, task: str, rank: int | None = None) -> float | None:
    """What lm-evaluation-harness found; None where the case failed or has no single figure."""
    case = task_case(run, name, task, rank)
    value = case.figures.get("value") if case is not None and case.ok else None
    return None if value is None else float(value)


def task_estimate(run: Run, name: str, task: str, rank: int | None = None) -> TaskEstimate | None:
    """The mean over documents with its interval; None where it is not what the figure is.

    An F1, or a mean that weighs subjects alike, is no mean over documents: it has no interval here.
    """
    value, scores = task_value(run, name, task, rank), _scores(run, name, task, rank)
    if value is None or not scores:
        return None
    found = cluster_mean([score for score, _ in scores.values()], [c for _, c in scores.values()])
    return found if math.isclose(found.mean, value, abs_tol=1e-6) else None


def task_change(run: Run, name: str, task: str, rank: int) -> TaskEstimate | None:
    """After the tune minus before it, on the same documents: what was learned or forgotten.

    None where a case failed, no document was asked both times, or a figure is no mean over
    documents: what changed is then the difference of the two figures, without an interval.
    """
    if any(task_estimate(run, name, task, each) is None for each in (None, rank)):
        return None
    before, after = (_scores(run, name, task, each) for each in (None, rank))
    both = [key for key in before if key in after]
    if not both:
        return None
    differences = [after[key][0] - before[key][0] for key in both]
    return cluster_mean(differences, [before[key][1] for key in both])


def _scores(
    run: Run, name: str, task: str, rank: int | None
) -> Mapping[tuple[str, int, str], tuple[float, str]]:
    """(task, document, its hash) → score in the main metric, cluster."""
    case = task_case(run, name, task, rank)
    metric = case.figures.get("metric") if case is not None and case.ok else None
    if case is None or metric is None:
        return {}
    return {
        (each.task, each.document, each.document_hash): (each.scores[metric], each.cluster)
        for each in run.samples_by_case.get(case.case, [])
        if metric in each.scores
    }


def cluster_mean(values: Sequence[float], clusters: Sequence[str]) -> TaskEstimate:
    """The mean of `values` and its 95 % interval, where values of one cluster go together.

    The standard error is the cluster-robust one of a mean, sqrt(G / (G - 1) Σ_g (Σ_i (x_i - x̄))²)
    / n (Liang and Zeger, 1986), the interval Student's with G - 1 degrees of freedom.
    """
    mean, n = fmean(values), len(values)
    sums: dict[str, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value - mean
    groups = len(sums)
    if groups < FEWEST_CLUSTERS:
        return TaskEstimate(mean, None, None, n, groups)
    from scipy.stats import t

    error = math.sqrt(groups / (groups - 1) * sum(each**2 for each in sums.values())) / n
    reach = float(t.ppf(0.975, groups - 1)) * error
    return TaskEstimate(mean, mean - reach, mean + reach, n, groups)


def criterion_value(criterion: str, name: str, run: Run) -> float | None:
    """The value of "task:NAME", "task:NAME_tuned" or "task:NAME_change" for a candidate.

    After the tune it is the mean of the ranks, and missing where a rank's case failed.

    Raises:
        OhloraError: the run has tasks, and this is none of them.
    """
    task, kind = _parsed(criterion, run)
    before = task_value(run, name, task)
    if not kind:
        return before
    tuned = [task_value(run, name, task, rank) for rank in task_ranks(run)]
    known = [value for value in tuned if value is not None]
    after = fmean(known) if known and len(known) == len(tuned) else None
    if kind == _TUNED:
        return after
    return None if before is None or after is None else after - before


def criterion_failure(criterion: str, name: str, run: Run) -> str | None:
    """The status of the case that failed where a criterion of tasks is measured."""
    task, kind = _parsed(criterion, run)
    ranks = [None] if not kind else [None, *task_ranks(run)]
    cases = (task_case(run, name, task, rank) for rank in ranks)
    return next((case.status for case in cases if case is not None and not case.ok), None)


def _parsed(criterion: str, run: Run) -> tuple[str, str]:
    """The task of a criterion, and which of its figures is meant."""
    asked, known = criterion.removeprefix(PREFIX), tasks_of(run)
    if asked in known or not known:
        return asked, ""
    for kind in (_TUNED, _CHANGE):
        if asked.endswith(kind) and asked.removesuffix(kind) in known:
            return asked.removesuffix(kind), kind
    raise OhloraError(
        f"No task of this run is called {asked}. There are: {', '.join(known)}.",
        f"이 실행에는 과제 {asked}이(가) 없습니다. 고를 수 있는 과제: {', '.join(known)}.",
    )
