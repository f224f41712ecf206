"""A whole study of tiny models on disk: catalog, rows and study file, ready to be planned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.run.case import Case, Task
from benchmarks.study.contract import Contract
from benchmarks.study.plan import Options, Plan
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import read_study
from benchmarks.workloads.log import WorkLog
from benchmarks.workloads.phases import TABLES
from benchmarks.workloads.workload import Opened, Outcome
from model_registry.candidate import Candidate
from model_registry.registry import Registry
from model_registry.weights.loading import LoadedModel
from rows.row import Row
from tests.support.tiny_models import FREE

CATALOG = """
[licenses."Apache-2.0"]
free = "yes"
"""
ENTRY = """
[[candidates]]
name = "{name}"
path = "{path}"
license = "Apache-2.0"
languages = ["ko"]
parameters = 50_000
"""
STUDY = """
name = "small"
title = {{ en = "A small study", ko = "작은 연구" }}

[candidates]
catalog = "{catalog}"

[data]
path = "{data}"
tuned_on = [0, 4]

[work]
ranks = [2, 4]

[contract]
epochs = 1
max_new_tokens = 4
warm_up = 1

[[decision.criteria]]
name = "quality"
label_en = "Quality"
label_ko = "품질"
"""


def write_rows(folder: Path, train: int = 8, valid: int = 3, test: int = 3) -> Path:
    """train.jsonl, valid.jsonl and test.jsonl of so many rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("valid", valid), ("test", test)):
        rows = [{"prompt": f"{split} {n}?", "reply": f"답 {n}"} for n in range(count)]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return folder


def write_study(folder: Path, model: Path, names: tuple[str, ...] = ("one", "two")) -> Path:
    """The study's file; its catalog and rows lie beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    catalog = folder / "catalog.toml"
    entries = [ENTRY.format(name=name, path=model) for name in names]
    catalog.write_text(CATALOG + "".join(entries), encoding="utf-8")
    study = folder / "study.toml"
    rows = write_rows(folder / "rows")
    study.write_text(STUDY.format(catalog=catalog, data=rows), encoding="utf-8")
    return study


def plan_study(study: Path, out: Path, **options) -> Plan:
    """The plan of a study, with the weights that its catalog's folders hold."""
    options = {"weights": "path", "device": "cpu"} | options
    return make_plan(read_study(study), Registry(), Options(**options), out)


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
