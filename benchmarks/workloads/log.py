"""The interface through which a workload reports phases, progress, replies and losses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.run.measure import Measurement, measured
from model_registry.files.json_values import JsonDict
from model_registry.records import Loss, Reply, TaskSample


class WorkLog(Protocol):
    """Receives what a workload finds; the worker sends it on, tests keep it."""

    def phase(self, name: str) -> AbstractContextManager[Measurement]:
        """Time a phase and find its peak."""

    def progress(self, done: int, total: int) -> None:
        """Report how far the present phase is."""

    def reply(self, reply: Reply) -> None:
        """Keep a reply."""

    def loss(self, loss: Loss) -> None:
        """Keep a loss."""

    def sample(self, sample: TaskSample) -> None:
        """Keep what was measured on one document of a benchmark task."""


@dataclass(slots=True)
class MemoryLog:
    """A log in memory, for tests and for work in one's own process."""

    device: str = "cpu"
    phases: dict[str, Measurement] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    samples: list[TaskSample] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[Measurement]:
        with measured(self.device) as measurement:
            self.phases[name] = measurement
            yield measurement

    def progress(self, done: int, total: int) -> None:
        """Ignored."""

    def reply(self, reply: Reply) -> None:
        self.replies.append(reply)

    def loss(self, loss: Loss) -> None:
        self.losses.append(loss)

    def sample(self, sample: TaskSample) -> None:
        self.samples.append(sample)


Figures = JsonDict
