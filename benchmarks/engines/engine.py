"""The Engine protocol, which runs cases, and the Watcher protocol, which shows progress."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.run.case import Case
from model_registry.records import Loss, Reply, Result, TaskSample

Event = tuple[Any, ...]  # what a worker tells: see `benchmarks.run.worker`
Listener = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """A listener that looks away."""


@dataclass(slots=True)
class CaseOutcome:
    """The outcome of a case, however it ended. `wall_seconds` is what the engine waited.

    The result's figures hold `start_method` and `start_seconds`, what the worker took to be there:
    a forked one a few hundredths of a second, a fresh one as long as its imports.
    """

    result: Result
    replies: list[Reply] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    wall_seconds: float = 0.0
    samples: list[TaskSample] = field(default_factory=list)


class Watcher:
    """Shows the progress of a run; subclasses override the events that they show."""

    def begin(self, cases: int, done: int) -> None:
        """So many cases, so many of them done in an earlier run."""

    def more(self, cases: int) -> None:
        """So many more cases, in place of failed ones."""

    def planned(self, cases: Sequence[Case]) -> None:
        """These will be done, by an engine that does several at once."""

    def waiting(self, why: str) -> None:
        """Nothing happens, for this reason; "" for that something does."""

    def case_begins(self, case: Case) -> None:
        """A case starts, on an engine that does one after the other."""

    def event(self, event: Event) -> None:
        """An event of the worker."""

    def case_event(self, case: str, where: str, event: Event) -> None:
        """An event of one of several workers, and the machine that it runs on."""
        self.event(event)

    def case_ends(self, result: Result, wall_seconds: float) -> None:
        """A case ended, in whatever way."""


class Engine(ABC):
    """Runs cases and always returns an outcome."""

    def start(self, device: str = "cpu") -> float:
        """Get ready; the seconds that took. Done by the first case otherwise."""
        return 0.0

    @abstractmethod
    def run(self, case: Case, listen: Listener = ignore_event) -> CaseOutcome:
        """Run one case, passing its events to `listen`; returns however it ends."""

    def run_all(
        self, cases: Sequence[Case], watcher: Watcher
    ) -> Iterator[tuple[Case, CaseOutcome]]:
        """Run all cases and yield each as it ends: one after another, unless an engine can do more.

        Raises:
            OhloraError: the machine can't go on.
        """
        for case in cases:
            watcher.case_begins(case)
            yield case, self.run(case, watcher.event)

    def close(self) -> None:  # noqa: B027 - an engine that holds nothing has nothing to add
        """Release what the engine holds. Safe to call twice."""
