"""What every part of a report is made from: a run and the decision on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from benchmarks.results.criteria import scores_of, value_of
from benchmarks.results.decision import Decision, decision_of
from benchmarks.results.folder import RunFolder
from benchmarks.results.rater_rows import GradedRun
from benchmarks.results.run import Run
from benchmarks.results.run_head import CandidateRow, RunHead
from benchmarks.results.stand_ins import stand_in
from evaluators.grading.store.grade_store import GradeStore
from evaluators.ranking.criterion_table import Criterion
from evaluators.ranking.ranking_result import RankedRow
from model_registry.errors import OhloraError
from model_registry.messages.notes import Note
from model_registry.records import Result


@dataclass(frozen=True)  # no slots: what is computed once is kept
class Evidence:
    """A run with its decision. `problem` says why there is no decision."""

    run: Run
    decision: Decision | None
    problem: str = ""
    unfiltered: str | None = None  # who would be chosen if licences did not matter

    @classmethod
    def read(cls, folder: RunFolder, store: GradeStore | None = None) -> Evidence:
        """Read a run and decide on it; grades come from `store`, else from the configured database.

        Raises:
            OhloraError: there is no run, or its figures must not stand beside each other.
        """
        return cls.of(Run.read(folder, store))

    @classmethod
    def of(cls, run: Run) -> Evidence:
        """Decide on a run that was read. A run that can't be decided on still has a report."""
        decision, problem = decision_of(run)
        anyone, _ = decision_of(run, ignore_license=True) if decision else (None, "")
        return cls(run, decision, problem, anyone.ranking.chosen if anyone else None)

    @property
    def head(self) -> RunHead:
        return self.run.head

    @cached_property
    def candidates(self) -> dict[str, CandidateRow]:
        """The head's candidates by name: those of the ranking in its order, then the others."""
        rows = self.run.candidates
        ranked = [name for name in self.ranked if name in rows]
        return {name: rows[name] for name in dict.fromkeys([*ranked, *rows])}

    @cached_property
    def ranked(self) -> dict[str, RankedRow]:
        """The rows of the ranking by name."""
        return {row.name: row for row in self.decision.ranking.rows} if self.decision else {}

    @cached_property
    def rejected(self) -> Mapping[str, Note]:
        """Why candidates of this run are not ranked."""
        return self.decision.reasons if self.decision else {}

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """All results, candidate by candidate."""
        return tuple(r for name in self.candidates for r in self.run.by_candidate[name])

    @cached_property
    def graded(self) -> GradedRun:
        """People's grades beside what raters that are no people gave."""
        return GradedRun.of(self.run)

    @cached_property
    def failures(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if not result.ok)

    @cached_property
    def declared(self) -> tuple[Criterion, ...]:
        """The criteria that the study declares; one without any compares and chooses nothing."""
        try:
            return self.run.study.decision.criteria
        except OhloraError:  # the decision has said what is wrong with it
            return ()

    @property
    def compares(self) -> bool:
        """Whether the study only compares and chooses nobody."""
        return not self.declared

    def value(self, criterion: str, name: str) -> float | None:
        """A criterion's value, as the decision computes it."""
        return value_of(criterion, name, self.run)

    def scores(self, criterion: str, name: str) -> list[float]:
        """The scores behind a criterion that names an evaluator."""
        return scores_of(criterion, name, self.run)

    def stand_in(self, name: str) -> str:
        """The label that a candidate's name must bear if its weights are not the real ones."""
        return stand_in(self.run.weights_of(name))

    def shown(self, name: str) -> str:
        """A candidate's name with that label, for pictures and lists."""
        label = self.stand_in(name)
        return f"{name} [{label}]" if label and "bundled" not in name else name
