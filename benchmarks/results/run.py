"""A run, read once: everything that reports, tables and pages show comes from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.results.folder import RunFolder
from benchmarks.results.human_grades import grades_of, pooled_grades
from benchmarks.results.run_head import CandidateRow, PlannedCase, RunHead
from benchmarks.results.setting import PLAIN, Setting
from benchmarks.study.contract import differences
from benchmarks.study.study import Study
from benchmarks.study.study_files import parse_study
from benchmarks.workloads.workload import workload_called
from evaluators.grading.statistics.comparison import MeanGrade
from evaluators.grading.store.grade_records import Grade
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from model_registry.records import Loss, Reply, Result, ScoreRow, TaskSample, group_by
from model_registry.statuses import status_called


@dataclass(frozen=True, slots=True)
class TuningMethod:
    """One way in which a run's candidates were tuned: a workload and its settings."""

    workload: str
    setting: Setting

    @property
    def is_variant(self) -> bool:
        """Whether the study declares it by a name of its own."""
        return self.setting.variant is not None

    @property
    def label(self) -> str:
        """ "r16" for a LoRA of rank 16; for others what their settings say."""
        words = (workload_called(self.workload).prefix, self.setting.label)
        return " ".join(filter(None, words)) or self.workload


@dataclass(frozen=True)  # no slots: what is computed once is kept
class Run:
    """The records of a run."""

    path: Path
    head: RunHead
    results: tuple[Result, ...] = ()
    replies: tuple[Reply, ...] = ()
    losses: tuple[Loss, ...] = ()
    scores: tuple[ScoreRow, ...] = ()
    grades: tuple[Grade, ...] = ()
    samples: tuple[TaskSample, ...] = ()  # of benchmark tasks

    @classmethod
    def read(
        cls, folder: RunFolder, store: GradeStore | None = None, *, needs_head: bool = True
    ) -> Run:
        """All of a run; people's grades from `store`, else from the database that is set.

        A folder of replies that no study made has no head: without `needs_head` it is taken too.

        Raises:
            OhloraError: there is no run, or its results were made under different contracts.
        """
        results, replies = folder.results(), folder.replies()
        inferred = not needs_head and not folder.exists()
        head = RunHead.inferred(folder.path.name, results) if inferred else folder.head()
        for result in results:
            _same_contract(head, result)
        return cls(
            folder.path,
            head,
            tuple(results),
            tuple(replies),
            tuple(folder.losses()),
            tuple(folder.scores()),
            tuple(grades_of(folder.path, replies, store)),
            tuple(folder.task_samples()),
        )

    @cached_property
    def candidates(self) -> dict[str, CandidateRow]:
        """Those of the head by name."""
        return {candidate.name: candidate for candidate in self.head.candidates}

    @cached_property
    def by_candidate(self) -> dict[str, list[Result]]:
        """Results of each candidate, those without any included."""
        found: dict[str, list[Result]] = {name: [] for name in self.candidates}
        for result in self.results:
            found.setdefault(result.candidate, []).append(result)
        return found

    @cached_property
    def scores_by_candidate(self) -> dict[str, list[ScoreRow]]:
        """Scores of each candidate's replies."""
        found: dict[str, list[ScoreRow]] = {name: [] for name in self.candidates}
        for row in self.scores:
            found.setdefault(row.candidate, []).append(row)
        return found

    @cached_property
    def samples_by_case(self) -> dict[str, list[TaskSample]]:
        """Samples of benchmark tasks by their case."""
        return group_by(self.samples, lambda sample: sample.case)

    @cached_property
    def mean_grades(self) -> dict[str, MeanGrade]:
        """Each graded candidate's mean, before and after its tune together."""
        return {row.candidate: row for row in pooled_grades(self.grades)}

    @cached_property
    def study(self) -> Study:
        """The study as it was declared.

        Raises:
            BadFile: the text that the head keeps can't be read.
        """
        return parse_study(self.head.study_source, self.path / "run.json")

    @property
    def random_weights(self) -> bool:
        """Whether replies mean nothing."""
        return self.head.weights == "random"

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        """The prompts in the order they were asked."""
        return tuple(dict.fromkeys(reply.prompt for reply in self.replies))

    @cached_property
    def evaluators(self) -> frozenset[str]:
        """Who judged a reply of this run, or tried to."""
        return frozenset(row.evaluator for row in self.scores)

    @cached_property
    def unfinished(self) -> tuple[PlannedCase, ...]:
        """Cases that were planned and have no result, but for those that need not be done."""
        done = {result.case: result for result in self.results}
        return tuple(
            case for case in self.head.cases if case.id not in done and not _needless(case, done)
        )

    def of(self, name: str, workload: str) -> list[Result]:
        """A candidate's cases of one kind of work.

        Being asked as a backend tells what inference tells, by the same names.
        """
        cases = self.by_candidate.get(name, [])
        found = [case for case in cases if case.workload == workload]
        return found or [
            case
            for case in cases
            if workload_called(case.workload).like == workload and case.settings.get("rank") is None
        ]

    def compared(self, name: str, workload: str) -> dict[Setting, Result | None]:
        """One case for each planned setting, the lowest rank first; None where none is done yet.

        Of the cases of one work that differ in quantisation only, the plain one counts if it
        succeeded, else one that did: two are never averaged.
        """
        found: dict[Setting, list[Result]] = {each: [] for each in self._planned(name, workload)}
        for result in self.of(name, workload):
            found.setdefault(setting_of(result).work, []).append(result)
        return {
            work: min(found[work], key=_plain_first) if found[work] else None
            for work in sorted(found, key=lambda work: work.rank or 0)  # others as planned
        }

    def _planned(self, name: str, workload: str) -> Iterator[Setting]:
        for case in self.head.cases:
            if (case.candidate, case.workload) == (name, workload):
                yield case.setting.work

    def compared_scores(self, name: str) -> list[ScoreRow]:
        """A candidate's scores, without those of quantised cases that have a plain partner."""
        shown = [case.case for case in self.compared(name, "inference").values() if case]
        others = {case.case for case in self.of(name, "inference")} - set(shown)
        return [row for row in self.scores_by_candidate.get(name, []) if row.case not in others]

    def answering(self, name: str) -> Result | None:
        """The inference case that tables show: plain where that ran, else a quantised one."""
        return next(iter(self.compared(name, "inference").values()), None)

    @cached_property
    def tunes(self) -> tuple[TuningMethod, ...]:
        """The ways of tuning in this run, planned or done, the lowest rank first."""
        workloads = dict.fromkeys(
            [case.workload for case in self.head.cases]
            + [result.workload for result in self.results]
        )
        found = [
            TuningMethod(workload, work)
            for workload in workloads
            if workload_called(workload).tunes
            for name in self.by_candidate
            for work in self.compared(name, workload)
        ]
        return tuple(dict.fromkeys(found))

    def asks(self, name: str, tune: TuningMethod) -> bool:
        """Whether the study plans this way of tuning for this candidate."""
        return tune.setting in self.compared(name, tune.workload)

    def tuning(self, name: str, tune: TuningMethod) -> Result | None:
        """The case of one way of tuning."""
        return self.compared(name, tune.workload).get(tune.setting)

    def weights_of(self, name: str) -> str:
        """Where a candidate's weights came from; the least real source if there are several.

        "remote" and "replay" were answered elsewhere: this run's weights are not theirs.
        """
        kinds = {r.weights for r in self.by_candidate.get(name, []) if r.weights is not None}
        order = ("replay", "remote", "random", "bundled", *sorted(kinds))
        return next((kind for kind in order if kind in kinds), self.head.weights)


def setting_of(result: Result) -> Setting:
    """What distinguishes a result from others of its candidate and workload."""
    return Setting.of(result.settings)


def quantization(result: Result) -> str:
    """How a case's weights were quantised: "none", "int8", "nf4", "gptq"."""
    return setting_of(result).quantization


def may_fit_with_less_memory(result: Result) -> bool:
    """Whether a case failed in a way that needing less memory may cure."""
    return status_called(result.status).can_change


def _needless(case: PlannedCase, done: Mapping[str, Result]) -> bool:
    other = done.get(case.instead_of or "")
    return other is not None and not may_fit_with_less_memory(other)


def _plain_first(case: Result) -> tuple[bool, bool]:
    return not case.ok, quantization(case) != PLAIN


def _same_contract(head: RunHead, result: Result) -> None:
    if result.contract == head.contract_hash:
        return
    fields = differences(result.policy, head.contract) if result.policy else []
    differing = "; ".join(fields)
    raise OhloraError(
        f"{result.case} was measured under contract {result.contract}, this run's is "
        f"{head.contract_hash}: such figures are not ranked together. They differ in "
        f"{differing or 'a field that the result does not tell'}.",
        f"{result.case}은(는) 계약 {result.contract}에서 측정했고 이 실행의 계약은 "
        f"{head.contract_hash}입니다. 이런 수치는 함께 순위를 매기지 않습니다. 다른 항목: "
        f"{differing or '결과에 적혀 있지 않음'}.",
    )
