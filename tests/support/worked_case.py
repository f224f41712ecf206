"""A case of a workload, done in this process on a model that was loaded or a backend."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from benchmarks.run.case import Case, Task
from benchmarks.study.contract import Contract
from benchmarks.workloads.log import WorkLog
from benchmarks.workloads.phases import TABLES
from benchmarks.workloads.workload import Opened, Outcome
from model_registry.candidate import Candidate
from model_registry.weights.loading import LoadedModel
from rows.row import Row
from tests.support.tiny_models import FREE


def worked(
    workload: str,
    opened: Opened,
    contract: Contract,
    log: WorkLog,
    *,
    train: Sequence[Row] = (),
    valid: Sequence[Row] = (),
    prompts: Sequence[Row] = (),
    keep: str | None = None,
    **settings: object,
) -> Outcome:
    """What a case gives, as a worker does it."""
    named = opened.candidate if isinstance(opened, LoadedModel) else Candidate("theirs", FREE)
    task = Task(tuple(train), tuple(valid), tuple(prompts))
    case = Case(named, workload, contract, task, settings, keep=keep)
    module = import_module(TABLES["workloads"][workload]["module"])
    return module.work(case, opened, log)
