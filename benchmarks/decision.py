"""From a run folder to one decision: criteria from raw records, hard filters, one ranking.

Nothing is typed in: every value is computed from the rows of the run. What was not measured, or
failed, is missing; it is never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from benchmarks.run_folder import RunFolder
from benchmarks.study import DecisionPlan, parse_study
from evaluators.ranking import Ranking, rank
from model_registry.errors import OhloraError
from model_registry.language import text
from model_registry.records import Result, ScoreRow

#: Criteria that ask what replies say: with random weights they mean nothing.
ABOUT_REPLIES = frozenset({"quality", "quality_tuned", "facts", "human_grade", "validation_loss"})

Number = float | None


@dataclass(frozen=True, slots=True)
class RunRecords:
    """What a decision looks at, by candidate."""

    head: Mapping[str, Any]
    results: Mapping[str, list[Result]]
    scores: Mapping[str, list[ScoreRow]]
    grades: Mapping[str, Number] = field(default_factory=dict)

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
        return cls(head, results, scores)

    def of(self, name: str, workload: str) -> list[Result]:
        return [result for result in self.results.get(name, []) if result.workload == workload]


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
        samples=_samples(values, records),
    )
    rejected += list(ranking.rejected)
    return Decision(ranking, tuple(rejected), records.head["contract_hash"], tuple(left_out), plan)


def _same_contract(head: Mapping[str, Any], result: Result) -> None:
    if result.contract != head["contract_hash"]:
        raise OhloraError(
            f"{result.case} was measured under contract {result.contract}, this run's is "
            f"{head['contract_hash']}: such figures are not ranked together."
        )


def _usable(plan: DecisionPlan, records: RunRecords) -> tuple[tuple[Any, ...], list[str]]:
    """The criteria that this run can speak of, and the others with the reason."""
    if records.head["weights"] != "random":
        return plan.criteria, []
    kept = tuple(c for c in plan.criteria if c.name not in ABOUT_REPLIES)
    reason = text("random weights: replies mean nothing", "무작위 가중치: 답변에 뜻이 없음")
    return kept, [f"{c.label} ({reason})" for c in plan.criteria if c.name in ABOUT_REPLIES]


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
        for workload in dict.fromkeys(result.workload for result in records.results.get(name, [])):
            cases = records.of(name, workload)
            if cases and not any(result.ok for result in cases):
                yield name, f"{workload}: {cases[0].status} ({cases[0].message})"
                break


def value_of(criterion: str, name: str, records: RunRecords) -> Number:
    """One candidate's raw value of one criterion; None where it is missing.

    Raises:
        OhloraError: nothing here computes such a criterion.
    """
    if criterion not in VALUES:
        known = ", ".join(sorted(VALUES))
        raise OhloraError(f"No criterion is called {criterion}. There are: {known}.")
    return VALUES[criterion](name, records)


def _leaderboard(name: str, records: RunRecords) -> Number:
    boards = {row["name"]: row["leaderboard"] for row in records.head["candidates"]}
    return boards.get(name)


def _mean(values: Sequence[Number]) -> Number:
    """The mean where everything is there: a mean of the cases that succeeded would flatter."""
    present = [value for value in values if value is not None]
    return fmean(present) if present and len(present) == len(values) else None


def _fine_tune_seconds(name: str, records: RunRecords) -> Number:
    cases = records.of(name, "fine-tune")
    return _mean([case.seconds.get("training") if case.ok else None for case in cases])


def _fine_tune_bytes(name: str, records: RunRecords) -> Number:
    """The largest rank's peak; missing where that rank failed."""
    cases = sorted(records.of(name, "fine-tune"), key=lambda case: case.settings.get("rank", 0))
    return cases[-1].peak_bytes("training") if cases and cases[-1].ok else None


def _inference_figure(figure: str) -> Callable[[str, RunRecords], Number]:
    def value(name: str, records: RunRecords) -> Number:
        return _mean([c.figures.get(figure) for c in records.of(name, "inference") if c.ok])

    return value


def _inference_bytes(name: str, records: RunRecords) -> Number:
    return _mean([c.peak_bytes("inference") for c in records.of(name, "inference") if c.ok])


def _score(evaluator: str, *, tuned: bool) -> Callable[[str, RunRecords], Number]:
    """The mean score of an evaluator over the replies before or after the tune."""

    def value(name: str, records: RunRecords) -> Number:
        present = [
            row.value
            for row in records.scores.get(name, [])
            if row.evaluator == evaluator
            and (row.tuned is not None) == tuned
            and row.value is not None
        ]
        return fmean(present) if present else None

    return value


def _validation_fall(name: str, records: RunRecords) -> Number:
    falls = []
    for case in records.of(name, "fine-tune"):
        before = case.figures.get("validation_loss_before")
        after = case.figures.get("validation_loss_after")
        falls.append(None if before is None or after is None else before - after)
    return _mean(falls)


def _human_grade(name: str, records: RunRecords) -> Number:
    return records.grades.get(name)


#: How each criterion's value is found. A study may declare any of these.
VALUES: dict[str, Callable[[str, RunRecords], Number]] = {
    "leaderboard": _leaderboard,
    "fine_tune_seconds": _fine_tune_seconds,
    "fine_tune_bytes": _fine_tune_bytes,
    "inference_seconds": _inference_figure("seconds_per_prompt"),
    "inference_bytes": _inference_bytes,
    "first_token_seconds": _inference_figure("first_token_seconds"),
    "quality": _score("quality", tuned=False),
    "quality_tuned": _score("quality", tuned=True),
    "facts": _score("persona_facts", tuned=True),
    "validation_loss": _validation_fall,
    "human_grade": _human_grade,
}

_SAMPLED = {
    "quality": ("quality", False),
    "quality_tuned": ("quality", True),
    "facts": ("persona_facts", True),
}


def _samples(
    values: Mapping[str, Any], records: RunRecords
) -> dict[str, dict[str, dict[str, Number]]]:
    """Scores by prompt, for criteria that are means over prompts: these are drawn anew."""
    samples: dict[str, dict[str, dict[str, Number]]] = {}
    for criterion, (evaluator, tuned) in _SAMPLED.items():
        for name in values:
            by_prompt: dict[str, list[float]] = {}
            for row in records.scores.get(name, []):
                matches = row.evaluator == evaluator and (row.tuned is not None) == tuned
                if matches and row.value is not None:
                    by_prompt.setdefault(row.prompt, []).append(row.value)
            if by_prompt:
                means = {prompt: fmean(found) for prompt, found in by_prompt.items()}
                samples.setdefault(criterion, {})[name] = dict(means)
    return samples
