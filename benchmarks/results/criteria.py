"""The table of criteria: every figure of a candidate that a study may decide by.

A report, a terminal table, a JSON document and the page show what these functions give. What was
not measured, or failed, is None; it is never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from benchmarks.results.comparisons import task_scores
from benchmarks.results.run import Run
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonObject
from model_registry.language import text
from model_registry.records import Result

Number = float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One criterion: its value for a candidate, its names for people, its unit.

    `of_replies`: it judges what replies say, of which random weights say nothing. `evaluator` and
    `tuned` are of one that is the mean of an evaluator's scores, before or after the tune;
    `workload` is of one that cases of that work give.
    """

    value: Callable[[str, Run], Number]
    label_en: str
    label_ko: str
    unit: str = ""
    of_replies: bool = False
    evaluator: str | None = None
    tuned: bool = False
    workload: str | None = None

    @property
    def label(self) -> str:
        return text(self.label_en, self.label_ko)


def value_of(criterion: str, name: str, run: Run) -> Number:
    """One candidate's raw value of one criterion; None where it is missing.

    A criterion is one of `CRITERIA`, or the name of any evaluator that scored replies of the run:
    its mean before the tune, or after it with "_tuned" behind the name (missing where one of the
    candidate's tunes failed). "task:NAME" is a benchmark task's figure before the tune,
    "task:NAME_tuned" after it, "task:NAME_change" what changed.

    Raises:
        OhloraError: nothing computes such a criterion.
    """
    if criterion in CRITERIA:
        figure = CRITERIA[criterion]
        mute = figure.of_replies and run.random_weights  # what random weights say means nothing
        return None if mute else figure.value(name, run)
    if criterion.startswith(task_scores.PREFIX):
        return None if run.random_weights else task_scores.criterion_value(criterion, name, run)
    if not run.evaluators:  # no reply of any candidate was judged: whatever it asks for is missing
        return None
    if criterion.removesuffix("_tuned") not in run.evaluators:
        known = ", ".join(sorted({*CRITERIA, *run.evaluators}))
        raise OhloraError(
            f"No criterion is called {criterion}. There are: {known}.",
            f"{criterion}: 그런 기준이 없습니다. 고를 수 있는 이름: {known}.",
        )
    return None if run.random_weights else _mean_score(name, run, *_evaluator_of(criterion))


def failure_of(criterion: str, name: str, run: Run) -> str | None:
    """The status of a case that failed where this criterion is measured; None where none did."""
    if criterion.startswith(task_scores.PREFIX):
        return task_scores.criterion_failure(criterion, name, run)
    figure = CRITERIA.get(criterion)
    if figure is None or figure.evaluator is not None:
        _, tuned = _evaluator_of(criterion)
        return _failed_tune(name, run) if tuned else None
    return _first_failure(run.compared(name, figure.workload).values() if figure.workload else ())


def _failed_tune(name: str, run: Run) -> str | None:
    """The status of a tune that failed, so that no reply after it was judged; None of none."""
    return _first_failure(run.tuning(name, tune) for tune in run.tunes)


def _first_failure(cases: Iterable[Result | None]) -> str | None:
    return next((case.status for case in cases if case and not case.ok), None)


def scores_of(criterion: str, name: str, run: Run) -> list[float]:
    """One candidate's scores behind a criterion that names an evaluator; unjudged ones left out."""
    return [value for _, value in _judged(name, run, *_evaluator_of(criterion))]


def samples_of(values: JsonObject, run: Run) -> dict[str, dict[str, dict[str, Number]]]:
    """Scores by prompt, for criteria that are means over prompts: these are drawn anew."""
    samples: dict[str, dict[str, dict[str, Number]]] = {}
    declared = dict.fromkeys(criterion for found in values.values() for criterion in found)
    for criterion in declared:
        by_task = criterion.startswith(task_scores.PREFIX)
        if by_task or (criterion in CRITERIA and CRITERIA[criterion].evaluator is None):
            continue
        for name in values:
            by_prompt: dict[str, list[float]] = {}
            for prompt, value in _judged(name, run, *_evaluator_of(criterion)):
                by_prompt.setdefault(prompt, []).append(value)
            if by_prompt:
                means = {prompt: fmean(found) for prompt, found in by_prompt.items()}
                samples.setdefault(criterion, {})[name] = dict(means)
    return samples


def is_independent_of_replies(criterion: str) -> bool:
    """Whether a criterion means something for random weights, whose replies don't."""
    return criterion in CRITERIA and not CRITERIA[criterion].of_replies


def _evaluator_of(criterion: str) -> tuple[str, bool]:
    """The evaluator that a criterion names, and whether replies after the tune are meant."""
    figure = CRITERIA.get(criterion)
    if figure is not None and figure.evaluator is not None:
        return figure.evaluator, figure.tuned
    return criterion.removesuffix("_tuned"), criterion.endswith("_tuned")


def _judged(name: str, run: Run, evaluator: str, tuned: bool) -> Iterator[tuple[str, float]]:
    """(prompt, score) of one candidate's replies before or after the tune."""
    for row in run.compared_scores(name):
        if row.value is None or (row.tuned is not None) != tuned:
            continue
        if row.evaluator == evaluator:
            yield row.prompt, row.value


def _mean_score(name: str, run: Run, evaluator: str, tuned: bool) -> Number:
    if tuned and _failed_tune(name, run):  # the mean of the tunes that succeeded would flatter
        return None
    present = [value for _, value in _judged(name, run, evaluator, tuned)]
    return fmean(present) if present else None


def mean_of_all(values: Sequence[Number]) -> Number:
    """The mean where everything is there: a mean of the cases that succeeded would flatter."""
    present = [value for value in values if value is not None]
    return fmean(present) if present and len(present) == len(values) else None


def _mean_of_cases(name: str, run: Run, workload: str, of: Callable[[Result], Number]) -> Number:
    """The mean over the compared cases of a workload; missing where one failed or lacks it."""
    cases = run.compared(name, workload).values()
    return mean_of_all([of(case) if case and case.ok else None for case in cases])


def _fine_tune_bytes(name: str, run: Run) -> Number:
    """The largest rank's peak; missing where that rank failed or is not done yet."""
    planned = [case.setting for case in run.head.cases if case.candidate == name]
    ranks = {each.work: each.rank or 0 for each in planned}  # a variant's own work says no rank
    cases = run.compared(name, "fine-tune")
    largest = sorted(cases, key=lambda work: ranks.get(work, work.rank or 0))[-1:]
    found = cases[largest[0]] if largest else None
    return found.peak_bytes("training") if found and found.ok else None


def _validation_fall(case: Result) -> Number:
    before, after = (case.figures.get(f"validation_loss_{when}") for when in ("before", "after"))
    return None if before is None or after is None else before - after


def _of_candidate(field: str) -> Callable[[str, Run], Number]:
    """What the head of a run says of a candidate itself."""
    return lambda name, run: getattr(run.candidates.get(name), field, None)


def _human_grade(name: str, run: Run) -> Number:
    return run.mean_grades[name].mean if name in run.mean_grades else None


def _measured(
    workload: str, of: Callable[[Result], Number], label_en: str, label_ko: str, unit: str = "",
    *, of_replies: bool = False,
) -> Figure:  # fmt: skip
    """A figure that each case of a workload gives: their mean."""
    value = partial(_mean_of_cases, workload=workload, of=of)
    return Figure(value, label_en, label_ko, unit, of_replies, workload=workload)


def _figure(name: str) -> Callable[[Result], Number]:
    return lambda case: case.figures.get(name)


def _scored(evaluator: str, label_en: str, label_ko: str, *, tuned: bool) -> Figure:
    value = partial(_mean_score, evaluator=evaluator, tuned=tuned)
    return Figure(value, label_en, label_ko, of_replies=True, evaluator=evaluator, tuned=tuned)


#: Every criterion that is not simply an evaluator's name. A study may declare any of these.
CRITERIA: dict[str, Figure] = {
    "leaderboard": Figure(_of_candidate("leaderboard"), "leaderboard", "리더보드"),
    "tokens_per_100_characters": Figure(
        _of_candidate("tokens_per_100_characters"),
        "tokens for 100 characters", "100자당 토큰", "tokens",
    ),
    "fine_tune_seconds": _measured(
        "fine-tune", lambda case: case.seconds.get("training"),
        "tuning, mean of the ranks", "튜닝, 랭크 평균", "s",
    ),
    "fine_tune_bytes": Figure(
        _fine_tune_bytes, "tuning peak", "튜닝 최대 메모리", "bytes", workload="fine-tune"
    ),
    "inference_seconds": _measured(
        "inference", _figure("seconds_per_prompt"), "a reply", "답변 하나", "s"
    ),
    "inference_seconds_total": _measured(
        "inference", lambda case: case.seconds.get("inference"),
        "answering, all prompts in total", "답변, 전체 질문 합계", "s",
    ),
    "inference_bytes": _measured(
        "inference", lambda case: case.peak_bytes("inference"),
        "answering peak", "답변 최대 메모리", "bytes",
    ),
    "first_token_seconds": _measured(
        "inference", _figure("first_token_seconds"), "first token", "첫 토큰", "s"
    ),
    "tokens_per_second": _measured(
        "inference", _figure("tokens_per_second"), "tokens a second", "초당 토큰"
    ),
    "characters_per_second": _measured(
        "inference", _figure("characters_per_second"), "characters a second", "초당 글자",
        of_replies=True,
    ),
    "validation_loss": _measured(
        "fine-tune", _validation_fall, "fall of the validation loss", "검증 손실 감소",
        of_replies=True,
    ),
    "human_grade": Figure(_human_grade, "people's grade", "사람의 평가", of_replies=True),
    "quality": _scored("quality", "quality before the tune", "튜닝 전 품질", tuned=False),
    "quality_tuned": _scored("quality", "quality after the tune", "튜닝 후 품질", tuned=True),
    "facts": _scored("persona_facts", "facts after the tune", "튜닝 후 사실", tuned=True),
    "facts_untuned": _scored("persona_facts", "facts before the tune", "튜닝 전 사실",
                             tuned=False),
}  # fmt: skip
