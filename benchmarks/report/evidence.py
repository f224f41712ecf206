"""All that a report says rests on this: the records of a run, and the decision, if there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.criterion_values import scores_of, value_of
from benchmarks.decision import Decision, decide
from benchmarks.human_grades import grades_of
from benchmarks.report.words import stand_in
from benchmarks.run_folder import RunFolder
from benchmarks.run_records import RunRecords, worth_another_try
from benchmarks.study_files import parse_study
from evaluators.criteria import Criterion
from evaluators.grading.store import Grade
from evaluators.ranking import RankedRow
from model_registry.errors import OhloraError
from model_registry.records import Loss, Reply, Result


@dataclass(frozen=True, slots=True)
class Tune:
    """One way in which the candidates of a run were tuned: a workload and its settings."""

    workload: str
    variant: str  # such as "rank=16"

    @property
    def is_variant(self) -> bool:
        """Whether the study declares it by a name of its own."""
        return self.variant.startswith("variant=")

    @property
    def label(self) -> str:
        """r16 for a LoRA of rank 16; for others what their settings say."""
        words = [] if self.workload == "fine-tune" else [self.workload]
        for part in filter(None, self.variant.split("/")):
            name, _, value = part.partition("=")
            words.append(f"r{value}" if name == "rank" else name if value == "True" else value)
        return " ".join(words) or self.workload


@dataclass(frozen=True)  # no slots: what is computed once is kept
class Evidence:
    """A run as its report reads it. `problem` says why there is no decision."""

    records: RunRecords
    decision: Decision | None
    problem: str = ""
    replies: tuple[Reply, ...] = ()
    losses: tuple[Loss, ...] = ()
    grades: tuple[Grade, ...] = ()
    unfiltered: str | None = None  # who would be chosen if licences did not matter

    @classmethod
    def read(cls, folder: RunFolder) -> Evidence:
        """A run and its decision. A run that can't be decided on still has a report.

        Raises:
            OhloraError: there is no run, or its figures must not stand beside each other.
        """
        records = RunRecords.read(folder)
        decision, problem, unfiltered = None, "", None
        try:
            decision = decide(folder)
            unfiltered = decide(folder, ignore_license=True).ranking.chosen
        except OhloraError as error:
            problem = str(error)
        replies, losses = tuple(folder.replies()), tuple(folder.losses())
        grades = tuple(grades_of(folder.path, replies))
        return cls(records, decision, problem, replies, losses, grades, unfiltered)

    @property
    def head(self) -> Mapping[str, Any]:
        return self.records.head

    @cached_property
    def candidates(self) -> dict[str, Mapping[str, Any]]:
        """The head's candidates by name: those of the ranking in its order, then the others."""
        rows = {row["name"]: row for row in self.head["candidates"]}
        ranked = [name for name in self.ranked if name in rows]
        return {name: rows[name] for name in dict.fromkeys([*ranked, *rows])}

    @cached_property
    def ranked(self) -> dict[str, RankedRow]:
        """The rows of the ranking by name."""
        return {row.name: row for row in self.decision.ranking.rows} if self.decision else {}

    @cached_property
    def rejected(self) -> dict[str, str]:
        """Why candidates of this run are not ranked."""
        return dict(self.decision.rejected) if self.decision else {}

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """All results, candidate by candidate."""
        return tuple(r for name in self.candidates for r in self.records.results.get(name, []))

    @cached_property
    def tunes(self) -> tuple[Tune, ...]:
        """The ways of tuning in this run, planned or done, the lowest rank first."""
        workloads = dict.fromkeys(
            [case.removeprefix(f"{name}/").split("/")[0]
             for name in self.candidates for case in self.head["cases"]
             if case.startswith(f"{name}/")]
            + [result.workload for result in self.results]
        )  # fmt: skip
        workloads.pop("inference", None)
        workloads.pop("ask", None)
        found = [
            Tune(workload, variant)
            for workload in workloads
            for name in self.candidates
            for variant in self.records.compared(name, workload)
        ]
        return tuple(dict.fromkeys(found))

    @cached_property
    def ranks(self) -> tuple[int, ...]:
        """The ranks at which there are replies after a tune."""
        return tuple(sorted({r.tuned for r in self.replies if r.tuned is not None}))

    @cached_property
    def declared(self) -> tuple[Criterion, ...]:
        """The criteria that the study declares; one without any compares and chooses nothing."""
        try:
            source = str(self.head["study_source"])
            return parse_study(source, Path("run.json")).decision.criteria
        except OhloraError:  # the decision has told what is wrong with it
            return ()

    @property
    def compares(self) -> bool:
        """Whether nothing is to be chosen."""
        return not self.declared

    @cached_property
    def unfinished(self) -> tuple[str, ...]:
        """Cases that were planned and have no result, but for those that need not be done."""
        done = {result.case: result for result in self.results}
        instead = self.head.get("instead_of", {})
        unneeded = {
            case
            for case, other in instead.items()
            if other in done and not worth_another_try(done[other])
        }
        return tuple(c for c in self.head["cases"] if c not in done and c not in unneeded)

    @cached_property
    def failures(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if not result.ok)

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        """The prompts in the order they were asked."""
        return tuple(dict.fromkeys(reply.prompt for reply in self.replies))

    def answering(self, name: str) -> Result | None:
        """The inference case that tables show: plain where that ran, else a quantised one."""
        return next(iter(self.records.compared(name, "inference").values()), None)

    def asks(self, name: str, tune: Tune) -> bool:
        """Whether the study asks this way of tuning of this candidate."""
        return tune.variant in self.records.compared(name, tune.workload)

    def tuning(self, name: str, tune: Tune) -> Result | None:
        """The case of one way of tuning, chosen likewise."""
        return self.records.compared(name, tune.workload).get(tune.variant)

    def tuned_at(self, name: str, rank: int) -> Result | None:
        """The case whose model gave the replies of this rank."""
        return next((case for case in self.records.results.get(name, [])
                     if case.settings.get("rank") == rank), None)  # fmt: skip

    def value(self, criterion: str, name: str) -> float | None:
        """A criterion's value, as the decision computes it."""
        return value_of(criterion, name, self.records)

    def scores(self, criterion: str, name: str) -> list[float]:
        """The scores behind a criterion that names an evaluator."""
        return scores_of(criterion, name, self.records)

    def stand_in(self, name: str) -> str:
        """The label without which a candidate's figures must not stand under its name."""
        kinds = {result.weights for result in self.records.results.get(name, [])} - {None}
        if kinds & {"remote", "replay"}:  # answered elsewhere: this run's weights are not theirs
            return stand_in("replay") if "replay" in kinds else ""
        # A case that failed before it loaded anything says nothing: then it is what the run took.
        found = kinds or {self.head["weights"]}
        return stand_in(next((kind for kind in ("random", "bundled") if kind in found), None))

    def shown(self, name: str) -> str:
        """A candidate's name with that label, for pictures and lists."""
        label = self.stand_in(name)
        return f"{name} [{label}]" if label and "bundled" not in name else name
