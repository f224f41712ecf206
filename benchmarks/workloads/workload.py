"""The table of workloads: a workload is one entry of `workloads.toml` and one file that runs it.

Its file has a function `work(case, opened, log)`, which gives an Outcome. Plans, workers,
predictions and reports take what they must know of a workload from its entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.run.case import Case
from benchmarks.workloads.log import Figures, WorkLog
from benchmarks.workloads.phases import PHASES, TABLES
from model_registry.backends.backend import Backend
from model_registry.errors import LoadError
from model_registry.language import text
from model_registry.weights.loading import LoadedModel

#: What a case works on: a model that was loaded here, or the backend of one that was not.
Opened = LoadedModel | Backend


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a workload gives beside replies and losses: steps, tokens and figures of its own."""

    steps: int
    tokens: int
    figures: Figures


class PartlyDone(LoadError):
    """A case failed after part of its work; `outcome` is that part."""

    def __init__(self, status: str, message: str, korean: str, outcome: Outcome) -> None:
        super().__init__(status, message, korean)
        self.outcome = outcome


Work = Callable[[Case, Opened, WorkLog], Outcome]


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of work.

    Args:
        name: in ids, files and studies.
        work: does a case of it.
        main_phase: the phase that its time and its peak in every table are of.
        out_of_memory: the status of running out in a phase that does not say so itself.
        en, ko: what is done, for people: "tuning".
        asked_by: the key of [work] in a study that asks for it. Work that tunes takes ranks there,
            other work takes true.
        tunes: whether it trains, so that it needs rows to learn from.
        decides: whether a candidate is no choice where none of its cases of it succeeded.
        asks: whether it takes any backend; other work needs a model that is loaded here.
        like: the workload whose figures it gives too, by the same names.
        memory_kind: of its main phase, as `model_registry.memory.fit.Work` has it; None where
            nothing predicts it.
        prefix: stands before a setting's label where ways of tuning are listed.
    """

    name: str
    work: Work
    main_phase: str
    out_of_memory: str
    en: str
    ko: str
    asked_by: str
    tunes: bool = False
    asks: bool = False
    decides: bool = True
    like: str | None = None
    memory_kind: str | None = None
    prefix: str = ""

    @property
    def words(self) -> str:
        """What is done, for people."""
        return text(self.en, self.ko)


def _from(module: str) -> Work:
    """The `work` of a module that is imported when a case is done: it needs torch, and whoever
    reads a run does not."""

    def work(case: Case, opened: Opened, log: WorkLog) -> Outcome:
        done: Outcome = import_module(module).work(case, opened, log)
        return done

    return work


#: By name. A result of another version may name one that is not here: `workload_called` reads it.
WORKLOADS = {
    name: Workload(name, _from(row["module"]), **{key: row[key] for key in row if key != "module"})
    for name, row in TABLES["workloads"].items()
}


def workload_called(name: str) -> Workload:
    """The workload of that name; one that is not of ours is taken for a way of tuning."""
    return WORKLOADS.get(name) or Workload(
        name, _unknown, "training", "oom_training", name, name, "", tunes=True, prefix=name
    )


def _unknown(case: Case, opened: Opened, log: WorkLog) -> Outcome:
    raise LoadError(
        "error", f"no workload is called {case.workload}", f"{case.workload}: 그런 작업은 없습니다"
    )


def oom_status(stage: str, workload: str) -> str:
    """Which out of memory it is: while loading, answering or training."""
    phase = PHASES.get(stage)
    of_the_phase = phase.out_of_memory if phase else None
    return of_the_phase or workload_called(workload).out_of_memory


def loaded_here(case: Case, opened: Opened) -> LoadedModel:
    """The model of a case whose work needs one that is loaded here.

    Raises:
        LoadError: its candidate is asked through a backend.
    """
    if isinstance(opened, LoadedModel):
        return opened
    raise LoadError(
        "error",
        f"{case.candidate.name} is asked through its backend {case.candidate.backend}: only the "
        "workload ask can measure it (ask = true in [work])",
        f"{case.candidate.name}: 백엔드 {case.candidate.backend}(으)로 묻는 후보라서 ask "
        "작업으로만 측정할 수 있습니다([work]의 ask = true)",
    )
