"""Plans benchmark tasks: a case for each task of each candidate, before its tune and after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.run.case import Case, Limits
from benchmarks.study.contract import Contract
from benchmarks.study.study import Work
from benchmarks.study.task_index import MISSING, check_installed, task_hashes
from benchmarks.study.variant import Variant
from benchmarks.workloads.lm_harness import quietly
from model_registry.candidate import Candidate
from model_registry.errors import OhloraError
from model_registry.messages.notes import Note


@dataclass(frozen=True, slots=True)
class AskedTasks:
    """The tasks of a run by name, each with the hash of what it asks."""

    hash_of: dict[str, str]
    folder: Path | None = None
    places: tuple[str, ...] = ()  # the harness's own folders that hold them

    def hashes(self) -> str:
        """As the contract holds them."""
        return ", ".join(f"{name}:{found}" for name, found in self.hash_of.items())

    def notes(self, contract: Contract) -> Iterator[Note]:
        """How the tasks are asked, and which are not there."""
        missing = [name for name, found in self.hash_of.items() if found == MISSING]
        if missing:
            yield Note("tasks_missing", {"tasks": ", ".join(missing)})
        if self.hash_of:
            chat = "on" if contract.task_template else "off"
            values = {
                "tasks": ", ".join(self.hash_of),
                "template": chat,
                "limit": contract.task_limit,
            }
            yield Note("tasks_limited" if contract.task_limit else "tasks_asked", values)


def tasks_asked(work: Work, tasks: Sequence[str], folder: Path | None) -> AskedTasks:
    """The tasks that were named, else the study's.

    Raises:
        OhloraError: lm-evaluation-harness is not installed, or there is no such folder.
    """
    names = tuple(dict.fromkeys(tasks)) or work.tasks
    where = folder or (Path(work.tasks_folder) if work.tasks_folder else None)
    if not names:
        return AskedTasks({})
    check_installed()
    if where is not None and not where.is_dir():
        raise OhloraError(
            f"There is no folder of tasks {where}.", f"과제 폴더 {where}이(가) 없습니다."
        )
    where = where.resolve() if where else None
    with quietly():
        hashes, places = task_hashes(names, where)
    return AskedTasks(hashes, where, places)


def adapter_folder(out: Path, candidate: Candidate, rank: int) -> str:
    """Where a tune at a rank keeps its adapter."""
    return str(out / "adapters" / candidate.name / f"r{rank}")


def variant_folder(out: Path, candidate: Candidate, variant: Variant) -> str | None:
    """Where a variant keeps its adapter; None of full tuning, which has none."""
    folder = out / "adapters" / candidate.name / "variants" / variant.name
    return str(folder) if variant.tuning == "lora" else None


def task_cases(
    asked: AskedTasks,
    candidates: Sequence[Candidate],
    contract: Contract,
    tunes: Mapping[int, dict[str, object]],
    limits: Limits,
    out: Path,
) -> tuple[Case, ...]:
    """A case for each candidate and task, and one more for each of its tunes, by rank.

    Before the tunes the base is asked as they have it, quantised where they are: what changed is
    then what was learned or forgotten, and not what quantising cost.
    """
    folder = str(asked.folder) if asked.folder else None
    first = next(iter(tunes.values()), {})
    base = {name: value for name, value in first.items() if name == "quantization"}
    return tuple(
        Case(
            candidate,
            "benchmark",
            contract,
            settings={**settings, "task": task},
            limits=limits,
            adapter=None if rank is None else adapter_folder(out, candidate, rank),
            tasks_folder=folder,
            tasks_places=asked.places,
        )
        for candidate in candidates
        for rank, settings in ((None, base), *tunes.items())
        for task in asked.hash_of
    )
