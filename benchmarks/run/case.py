"""A case: candidate × workload × settings, all that a worker needs to run it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.results.setting import Setting, case_id
from benchmarks.study.contract import Contract
from model_registry.candidate import Candidate
from model_registry.files.json_values import JsonObject
from model_registry.records import Result
from rows.row import Row, hash_texts


@dataclass(frozen=True, slots=True)
class Limits:
    """A worker's limits. Memory counts what it takes beyond its start; None is no limit."""

    memory_bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """The rows of a study: tuned on, held out, asked."""

    train: tuple[Row, ...] = ()
    valid: tuple[Row, ...] = ()
    prompts: tuple[Row, ...] = ()

    def hash(self) -> str:
        """A hash of all texts: results on others never compare."""
        return hash_texts(
            text
            for row in (*self.train, *self.valid, *self.prompts)
            for text in (*(turn["content"] for turn in row.before), row.prompt, row.reply)
        )


@dataclass(frozen=True, slots=True)
class Case:
    """Candidate × workload × settings. Its id is the key of its rows in every file of a run."""

    candidate: Candidate
    workload: str  # a name of benchmarks.workloads.workload.WORKLOADS
    contract: Contract
    task: Task = field(repr=False, default_factory=Task)
    settings: JsonObject = field(default_factory=dict)
    limits: Limits = Limits()
    keep: str | None = None  # folder for what the case makes, such as an adapter
    adapter: str | None = None  # folder that an earlier case keeps its adapter in, to measure it
    tasks_folder: str | None = None  # of benchmark tasks of one's own
    tasks_places: tuple[str, ...] = ()  # folders of lm-evaluation-harness that hold its tasks
    instead_of: str | None = None  # id of a case: this one is done only where that one failed
    plugins: tuple[str, ...] = ()  # plugin files, for backends that they offer

    @property
    def id(self) -> str:
        """Readable and unique within a run: gemma-2-2b-it/fine-tune/rank=16."""
        return case_id(self.candidate.name, self.workload, self.setting)

    @property
    def setting(self) -> Setting:
        """The settings, typed."""
        return Setting.of(self.settings)

    def result(self, status: str, **found: Any) -> Result:
        """A result of this case, under its contract; `found` are the other fields of `Result`."""
        return Result(
            case=self.id,
            candidate=self.candidate.name,
            workload=self.workload,
            settings=dict(self.settings),
            contract=self.contract.hash,
            policy=self.contract.shared(),
            status=status,
            **found,
        )
