"""The benchmark workload: one task of lm-evaluation-harness, before a tune or after it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.run.case import Case
from benchmarks.study.task_index import check_installed
from benchmarks.study.variant import effective
from benchmarks.workloads.lm_harness import evaluate, numbers, open_task, quietly
from benchmarks.workloads.log import Figures, WorkLog
from benchmarks.workloads.workload import Opened, Outcome, loaded_here
from model_registry.errors import LoadError
from model_registry.records import TaskSample
from model_registry.weights.loading import LoadedModel
from model_registry.weights.lora import with_adapter

#: What documents of one text are known by: the first of these that they have.
_SHARED = (
    "cluster",
    "group_id",
    "passage_id",
    "passage",
    "paragraph",
    "article",
    "context",
    "지문",
)


def work(case: Case, opened: Opened, log: WorkLog) -> Outcome:
    """Evaluate the model as it is, or with the adapter that an earlier case left.

    A sample is kept for each document. The log takes phases "task_data" and "benchmark".

    Raises:
        LoadError: no adapter was left, or the task can't be asked.
    """
    check_installed()
    loaded, task = loaded_here(case, opened), str(case.settings["task"])
    if case.adapter is not None:
        _put_on(loaded, Path(case.adapter))
    folder = Path(case.tasks_folder) if case.tasks_folder else None
    contract = effective(case.contract, case.settings)
    with quietly(folder):
        with log.phase("task_data"):
            ready = open_task(task, folder, case.tasks_places)
        with log.phase("benchmark"):
            results = evaluate(loaded, ready, contract)
    samples = list(_samples(case, results["samples"]))
    for sample in samples:
        log.sample(sample)
    figures = figures_of(task, results, samples, ready.metrics)
    figures |= {"chat_template": contract.task_template, "thinking": "off"}
    return Outcome(steps=len(samples), tokens=0, figures=figures)


def _put_on(loaded: LoadedModel, adapter: Path) -> None:
    if not (adapter / "adapter_config.json").is_file():
        raise LoadError(
            "error",
            f"its tune left no adapter in {adapter}: nothing to measure",
            f"튜닝한 어댑터가 {adapter}에 없어 측정할 수 없습니다",
        )
    loaded.model = with_adapter(loaded.model, adapter).eval()


def figures_of(
    task: str, results: Figures, samples: Sequence[TaskSample], declared: Sequence[str] = ()
) -> Figures:
    """The figures of a task: as lm-evaluation-harness gives them, and what they rest on.

    `value` is the first metric that the task declares. Of a group that declares none it is the mean
    over all documents, where its members' first metric is the same one.
    """
    members = {name: numbers(results["results"][name]) for name in results["samples"]}
    metrics = numbers(results["results"].get(task, {}))
    main = _main_metric(metrics, members, declared)
    scored = [sample.scores[main] for sample in samples if main and main in sample.scores]
    mean = sum(scored) / len(scored) if scored else None
    named = task if task in results["higher_is_better"] else next(iter(members))
    higher: Figures = results["higher_is_better"].get(named) or {}
    return {
        "task": task,
        "metric": main,
        "value": metrics.get(main, mean) if main else None,
        "higher_is_better": higher.get(main.partition(",")[0]) if main else None,
        "metrics": metrics,
        "members": members if set(members) != {task} else {},
        "documents": len(samples),
        "documents_hash": _digest([sample.document_hash for sample in samples]),
        "versions": {name: str(results["versions"].get(name)) for name in members},
        "shots": {name: results["n-shot"].get(name) for name in members},
        "lm_eval": version("lm_eval"),
    }


def _main_metric(
    metrics: Mapping[str, float],
    members: Mapping[str, Mapping[str, float]],
    declared: Sequence[str],
) -> str | None:
    """The first that is declared and was measured; of a group without any, its members' common."""
    for name in declared:
        if found := next((each for each in metrics if each.startswith(f"{name},")), None):
            return found
    firsts = {next(iter(found), None) for found in members.values()}
    return next(iter(metrics), firsts.pop() if len(firsts) == 1 else None)


def _samples(case: Case, by_task: Mapping[str, Sequence[Figures]]) -> Iterator[TaskSample]:
    """One for each document; what several filters made of it stands in one row."""
    for task, rows in by_task.items():
        scores: dict[int, dict[str, float]] = {}
        documents: dict[int, Figures] = {}
        for row in rows:
            found = {f"{name},{row['filter']}": row[name] for name in row["metrics"]}
            scores.setdefault(row["doc_id"], {}).update(numbers(found))
            documents[row["doc_id"]] = row
        for number, row in documents.items():
            hashed = str(row["doc_hash"])[:16]
            cluster = _cluster(row["doc"]) or hashed
            yield TaskSample(
                case.id, case.candidate.name, task, number, hashed, cluster, scores[number]
            )


def _cluster(document: object) -> str | None:
    """What is shared by documents that ask of one text; None where nothing tells."""
    if not isinstance(document, Mapping):
        return None
    shared = (document.get(name) for name in _SHARED)
    found = next((str(value) for value in shared if value not in (None, "")), None)
    return None if found is None else _digest([found])


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
