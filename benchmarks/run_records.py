"""The records of a run by candidate, as the decision and the report look at them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contract import differences
from benchmarks.human_grades import grades_of, mean_by_candidate
from benchmarks.run_folder import RunFolder
from model_registry.errors import OhloraError
from model_registry.records import Result, ScoreRow


@dataclass(frozen=True, slots=True)
class RunRecords:
    """What a decision looks at, by candidate."""

    head: Mapping[str, Any]
    results: Mapping[str, list[Result]]
    scores: Mapping[str, list[ScoreRow]]
    grades: Mapping[str, float] = field(default_factory=dict)  # people's, 1 to 5

    @classmethod
    def read(cls, folder: RunFolder) -> RunRecords:
        """All records of a run.

        Raises:
            OhloraError: there is no run, or its results were made under different contracts.
        """
        head = folder.head()
        names = [candidate["name"] for candidate in head["candidates"]]
        results: dict[str, list[Result]] = {name: [] for name in names}
        for result in folder.results():
            _same_contract(head, result)
            results.setdefault(result.candidate, []).append(result)
        scores: dict[str, list[ScoreRow]] = {name: [] for name in names}
        for row in folder.scores():
            scores.setdefault(row.candidate, []).append(row)
        grades = mean_by_candidate(grades_of(folder.path, folder.replies()))
        return cls(head, results, scores, grades)

    def of(self, name: str, workload: str) -> list[Result]:
        """A candidate's cases of one kind of work.

        Being asked as a backend tells what inference tells, by the same names.
        """
        cases = self.results.get(name, [])
        found = [case for case in cases if case.workload == workload]
        if not found and workload == "inference":
            found = [c for c in cases if c.workload == "ask" and "rank" not in c.settings]
        return found

    def compared(self, name: str, workload: str) -> dict[str, Result | None]:
        """One case for each planned setting, the lowest rank first; None where none is done yet.

        Of the variants of one setting that differ in quantisation only, the plain one counts if
        it succeeded, else one that did: two variants are never averaged.
        """
        found: dict[str, list[Result]] = {each: [] for each in self.planned(name, workload)}
        for result in self.of(name, workload):
            found.setdefault(variant_of(result.settings), []).append(result)
        return {
            variant: min(found[variant], key=_plain_first) if found[variant] else None
            for variant in sorted(found, key=_rank_of)  # those without one as they were planned
        }

    def compared_scores(self, name: str) -> list[ScoreRow]:
        """A candidate's scores but for those of a quantised case that stands beside a plain one."""
        shown = [case.case for case in self.compared(name, "inference").values() if case]
        others = {case.case for case in self.of(name, "inference")} - set(shown)
        return [row for row in self.scores.get(name, []) if row.case not in others]

    def planned(self, name: str, workload: str) -> Iterable[str]:
        """The variants of the planned cases, as their ids tell them."""
        for case in self.head["cases"]:
            if case == f"{name}/{workload}" or case.startswith(f"{name}/{workload}/"):
                tail = case.removeprefix(f"{name}/{workload}").removeprefix("/")
                parts = [part.partition("=") for part in tail.split("/")]
                named = bool(tail) and not all(sign for _, sign, _ in parts)
                settings = {key: value for key, sign, value in parts if sign}
                yield variant_of({"variant": tail} if named else settings)


def variant_of(settings: Mapping[str, Any]) -> str:
    """What tells a case from others of its candidate and workload: rank=16; not quantisation.

    A variant of the study goes by its name, which stands for all that it sets.
    """
    if "variant" in settings:
        return f"variant={settings['variant']}"
    kept = {name: value for name, value in settings.items() if name != "quantization"}
    return "/".join(f"{name}={kept[name]}" for name in sorted(kept))


def _rank_of(variant: str) -> int:
    rank = re.search(r"(?:^|/)rank=(\d+)", variant)
    return int(rank.group(1)) if rank else 0


#: Ends that another way of running could change; what can't be had stays so.
_CAN_CHANGE = {"timeout", "killed", "unsupported_device", "error"}


def worth_another_try(result: Result) -> bool:
    """Whether a case failed in a way in which needing less memory may help."""
    return result.status.startswith("oom") or result.status in _CAN_CHANGE


def _plain_first(case: Result) -> tuple[bool, bool]:
    return not case.ok, quantization(case) != "none"


def quantization(result: Result) -> str:
    """How a case's weights were quantised: "none", "int8", "nf4", "gptq"."""
    return str(result.settings.get("quantization") or "none")


def _same_contract(head: Mapping[str, Any], result: Result) -> None:
    if result.contract == head["contract_hash"]:
        return
    fields = differences(result.policy, head["contract"]) if result.policy else []
    raise OhloraError(
        f"{result.case} was measured under contract {result.contract}, this run's is "
        f"{head['contract_hash']}: such figures are not ranked together. They differ in "
        f"{'; '.join(fields) or 'a field that the result does not tell'}."
    )
