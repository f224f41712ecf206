"""The decision on a run or a table: criteria, hard filters, one ranking.

Nothing is typed in: every value is computed from the rows of the run. What was not measured, or
failed, is missing; it is never 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.results.criteria import failure_of, is_independent_of_replies, samples_of, value_of
from benchmarks.results.run import Run
from benchmarks.workloads.workload import workload_called
from evaluators.ranking.criterion_table import Criterion, Values
from evaluators.ranking.decision_declaration import Declaration
from evaluators.ranking.normalization import NORMALIZATIONS
from evaluators.ranking.rank_candidates import rank
from evaluators.ranking.ranking_result import Ranking
from evaluators.tables.decision_table import decide_on, read_table
from evaluators.tables.table_criteria import NO_COLUMN_OPTIONS, ColumnOptions
from model_registry.errors import OhloraError
from model_registry.messages.notes import Note
from model_registry.selection import why_not_for


@dataclass(frozen=True, slots=True)
class Decision:
    """The ranking of a run and what it rests on. Reasons are notes, worded when shown."""

    ranking: Ranking
    rejected: tuple[tuple[str, Note], ...]  # (candidate, reason), licence and failures included
    contract: str
    left_out: tuple[tuple[str, Note], ...]  # (criterion that was not weighed, reason)
    plan: Declaration
    use: str | None = None  # that the licences were judged for; None: that they be free

    @property
    def reasons(self) -> dict[str, Note]:
        """Why each rejected candidate is."""
        return dict(self.rejected)

    def to_json(self) -> dict[str, object]:
        """The document of `ohlora decide --json`, the same whatever language is read."""
        ranking = self.ranking.to_json()
        return {
            "chosen": self.ranking.chosen,
            "reserve": self.ranking.reserve,
            "reason": {"en": self.ranking.reason_en, "ko": self.ranking.reason_ko},
            "ranking": ranking["rows"],
            "rejected": [_with_reason(name, reason) for name, reason in self.rejected],
            "contract": self.contract,
            "use": self.use,
            "criteria_left_out": [_with_reason(name, reason) for name, reason in self.left_out],
            **{
                key: ranking[key]
                for key in ("normalization", "weights", "front", "flip", "without", "unused",
                            "draws", "seed")
            },
        }  # fmt: skip


def _with_reason(name: str, reason: Note) -> dict[str, object]:
    return {"name": name, "reason": reason.english, **reason.to_json()}


def decide(run: Run, *, ignore_license: bool = False, use: str | None = None) -> Decision:
    """The decision of a run, by the criteria that its study declared.

    Licences are judged for `use`, else for the use that the run was made for, else by whether
    they are free.

    Raises:
        OhloraError: the study declares no criteria, or none that this run can answer.
    """
    study = run.study
    if not study.decision.criteria:
        raise OhloraError(
            f"The study {study.name} compares: it declares no criteria, so nothing is chosen.",
            f"{study.name} 스터디는 비교만 합니다. 선언한 기준이 없어 고르지 않습니다.",
        )
    criteria, left_out = _usable(study.decision, run)
    if not criteria:
        raise OhloraError(
            f"The study {study.name} declares no criteria that this run can answer.",
            f"{study.name} 스터디가 선언한 기준 가운데 이 실행으로 답할 수 있는 것이 없습니다.",
        )
    plan = replace(study.decision, criteria=criteria)
    use = use or run.head.use
    rejected = [] if ignore_license else list(_without_license(run, use))
    rejected += _without_result(run)
    out = {name for name, _ in rejected}
    values = {
        name: {criterion.name: value_of(criterion.name, name, run) for criterion in criteria}
        for name in run.candidates
        if name not in out
    }
    ranking = rank(
        criteria,
        values,
        normalization=plan.normalization,
        draws=plan.draws,
        seed=plan.seed,
        samples=samples_of(values, run),
        failed=_failed(values, run),
    )
    rejected += list(ranking.rejected)
    contract = run.head.contract_hash
    return Decision(ranking, tuple(rejected), contract, tuple(left_out), plan, use)


def _failed(values: Values, run: Run) -> dict[str, dict[str, str]]:
    """Where a value is missing since a case failed: status by candidate and criterion."""
    return {
        name: {
            criterion: status
            for criterion, value in row.items()
            if value is None and (status := failure_of(criterion, name, run))
        }
        for name, row in values.items()
    }


def decision_of(run: Run, *, ignore_license: bool = False) -> tuple[Decision | None, str]:
    """The decision of a run, or why there is none: such a run is shown all the same."""
    try:
        return decide(run, ignore_license=ignore_license), ""
    except OhloraError as error:
        return None, error.shown


def winners_by_normalization(decision: Decision) -> dict[str, str | None]:
    """Who would be chosen under each normalisation; the declared one counts."""
    values = {row.name: row.values for row in decision.ranking.rows}
    return {
        name: decision.ranking.chosen
        if name == decision.ranking.normalization
        else rank(
            decision.plan.criteria,
            values,
            normalization=name,
            draws=decision.plan.draws,
            seed=decision.plan.seed,
        ).chosen
        for name in NORMALIZATIONS
    }


def decide_table(
    path: Path,
    *,
    ignore_license: bool = False,
    columns: ColumnOptions = NO_COLUMN_OPTIONS,
    use: str | None = None,
) -> Decision:
    """The decision on a table of criteria, without a run.

    Its contract is the hash of the table: what the figures were measured under, it can't say.

    Raises:
        BadFile, UnknownName: the table or the declaration beside it can't be read.
    """
    table = read_table(path, columns)
    found = decide_on(table, ignore_license=ignore_license, use=use)
    contract = "table-" + hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    plan = Declaration(table.criteria, table.normalization, table.draws, table.seed)
    return Decision(found.ranking, found.rejected, contract, (), plan, use)


def _usable(plan: Declaration, run: Run) -> tuple[tuple[Criterion, ...], list[tuple[str, Note]]]:
    """The criteria that this run can speak of, and the others with the reason."""
    if not run.random_weights:
        return plan.criteria, []
    kept = tuple(c for c in plan.criteria if is_independent_of_replies(c.name))
    return kept, [
        (c.name, Note("replies_mean_nothing", {"label_en": c.label_en, "label_ko": c.label_ko}))
        for c in plan.criteria
        if c not in kept
    ]


def _without_license(run: Run, use: str | None) -> Iterable[tuple[str, Note]]:
    accepted = {override.candidate for override in run.head.overrides}
    for candidate in run.head.candidates:
        if candidate.name in accepted:
            continue
        if use is not None:
            if why := why_not_for(candidate.license, use):
                yield candidate.name, why
        elif candidate.license_free != "yes":
            values = {"license": candidate.license, "free": candidate.license_free}
            yield candidate.name, Note("license_not_accepted", values)


def _without_result(run: Run) -> Iterable[tuple[str, Note]]:
    """Candidates of which no case of some workload succeeded: they can't be used for it here."""
    for name in run.candidates:
        results = run.by_candidate[name]
        if not results:
            yield name, Note("no_case_done")
            continue
        for workload in dict.fromkeys(result.workload for result in results):
            cases = run.of(name, workload) if workload_called(workload).decides else []
            if cases and not any(result.ok for result in cases):
                first = cases[0]
                yield (
                    name,
                    Note(
                        "nothing_worked",
                        {
                            "workload": workload,
                            "status": first.status,
                            "message": first.explanation or first.message,
                        },
                    ),
                )
                break
