"""From a run folder to one decision: criteria from raw records, hard filters, one ranking.

Nothing is typed in: every value is computed from the rows of the run. What was not measured, or
failed, is missing; it is never 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.criterion_values import SAY_NOTHING_OF_REPLIES, samples_of, value_of
from benchmarks.run_folder import RunFolder
from benchmarks.run_records import RunRecords
from benchmarks.study import DecisionPlan
from benchmarks.study_files import parse_study
from evaluators.decision_table import NOTHING_SAID, Said, decide_on, read_table
from evaluators.ranking import Ranking, rank
from model_registry.errors import OhloraError
from model_registry.language import text


@dataclass(frozen=True, slots=True)
class Decision:
    """The ranking of a run and what it rests on."""

    ranking: Ranking
    rejected: tuple[tuple[str, str], ...]  # (candidate, reason), licence and failures included
    contract: str
    left_out: tuple[str, ...]  # criteria that were not weighed, and why
    plan: DecisionPlan

    def to_json(self) -> dict[str, Any]:
        """The document of `ohlora decide --json`."""
        ranking = self.ranking.to_json()
        return {
            "chosen": self.ranking.chosen,
            "reserve": self.ranking.reserve,
            "reason": {"en": self.ranking.reason_en, "ko": self.ranking.reason_ko},
            "ranking": ranking["rows"],
            "rejected": [{"name": name, "reason": reason} for name, reason in self.rejected],
            "contract": self.contract,
            "criteria_left_out": list(self.left_out),
            **{
                key: ranking[key]
                for key in ("normalization", "weights", "front", "flip", "without", "unused",
                            "draws", "seed")
            },
        }  # fmt: skip


def decide(folder: RunFolder, *, ignore_license: bool = False) -> Decision:
    """The decision of a run, by the criteria that its study declared.

    Raises:
        OhloraError: no run, no criteria, or results that must not be compared.
    """
    records = RunRecords.read(folder)
    study = parse_study(str(records.head["study_source"]), folder.head_path)
    if not study.decision.criteria:
        raise OhloraError(
            text(
                f"The study {study.name} compares: it declares no criteria, so nothing is chosen.",
                f"{study.name} 스터디는 비교만 합니다. 선언한 기준이 없어 고르지 않습니다.",
            )
        )
    criteria, left_out = _usable(study.decision, records)
    if not criteria:
        raise OhloraError(f"The study {study.name} declares no criteria that this run can answer.")
    plan = DecisionPlan(criteria, study.decision.normalization, study.decision.draws,
                        study.decision.seed)  # fmt: skip
    rejected = [] if ignore_license else list(_without_license(records.head))
    rejected += _without_result(records)
    out = {name for name, _ in rejected}
    values = {
        candidate["name"]: {c.name: value_of(c.name, candidate["name"], records) for c in criteria}
        for candidate in records.head["candidates"]
        if candidate["name"] not in out
    }
    ranking = rank(
        criteria,
        values,
        normalization=plan.normalization,
        draws=plan.draws,
        seed=plan.seed,
        samples=samples_of(values, records),
    )
    rejected += list(ranking.rejected)
    return Decision(ranking, tuple(rejected), records.head["contract_hash"], tuple(left_out), plan)


def decide_table(
    path: Path, *, ignore_license: bool = False, said: Said = NOTHING_SAID
) -> Decision:
    """The decision on a table of criteria, with no run behind it.

    Its contract is the hash of the table: what the figures were measured under, it can't say.

    Raises:
        BadFile, UnknownName: the table or the declaration beside it can't be read.
    """
    table = read_table(path, said)
    found = decide_on(table, ignore_license=ignore_license)
    contract = "table-" + hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    plan = DecisionPlan(table.criteria, table.normalization, table.draws, table.seed)
    return Decision(found.ranking, found.rejected, contract, (), plan)


def _usable(plan: DecisionPlan, records: RunRecords) -> tuple[tuple[Any, ...], list[str]]:
    """The criteria that this run can speak of, and the others with the reason."""
    if records.head["weights"] != "random":
        return plan.criteria, []
    kept = tuple(c for c in plan.criteria if c.name in SAY_NOTHING_OF_REPLIES)
    reason = text("random weights: replies mean nothing", "무작위 가중치: 답변에 뜻이 없음")
    return kept, [f"{c.label} ({reason})" for c in plan.criteria if c not in kept]


def _without_license(head: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    accepted = {override["candidate"] for override in head["overrides"]}
    for candidate in head["candidates"]:
        if candidate["license_free"] != "yes" and candidate["name"] not in accepted:
            yield (
                candidate["name"],
                text(
                    f"its licence {candidate['license']} is {candidate['license_free']}, not free",
                    f"라이선스 {candidate['license']}: 자유 아님 ({candidate['license_free']})",
                ),
            )


def _without_result(records: RunRecords) -> Iterable[tuple[str, str]]:
    """Candidates of which no case of some workload succeeded: they can't be used for it here."""
    for candidate in records.head["candidates"]:
        name = candidate["name"]
        if not records.results.get(name):
            yield name, text("none of its cases has been run yet", "아직 실행된 케이스가 없음")
            continue
        for workload in dict.fromkeys(result.workload for result in records.results.get(name, [])):
            cases = records.of(name, workload)
            if cases and not any(result.ok for result in cases):
                yield name, f"{workload}: {cases[0].status} ({cases[0].message})"
                break
