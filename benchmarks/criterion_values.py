"""The value of each criterion, computed from the records of a run; None where it is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.run_records import RunRecords
from model_registry.errors import OhloraError

Number = float | None


def value_of(criterion: str, name: str, records: RunRecords) -> Number:
    """One candidate's raw value of one criterion; None where it is missing.

    A criterion is one of `VALUES`, or the name of any evaluator that scored replies of the run: its
    mean before the tune, or after it with "_tuned" behind the name.

    Raises:
        OhloraError: nothing computes such a criterion.
    """
    if criterion in VALUES:
        return VALUES[criterion](name, records)
    judged = _evaluators(records)
    if not judged:  # no reply of any candidate was judged: whatever it asks for is missing
        return None
    if criterion.removesuffix("_tuned") not in judged:
        known = ", ".join(sorted({*VALUES, *judged}))
        raise OhloraError(f"No criterion is called {criterion}. There are: {known}.")
    return _score(*_evaluator_of(criterion))(name, records)


def scores_of(criterion: str, name: str, records: RunRecords) -> list[float]:
    """One candidate's scores behind a criterion that names an evaluator; unjudged ones left out."""
    return [value for _, value in _judged(*_evaluator_of(criterion), name, records)]


def _judged(
    evaluator: str, tuned: bool, name: str, records: RunRecords
) -> Iterator[tuple[str, float]]:
    """(prompt, score) of one candidate's replies before or after the tune."""
    for row in records.compared_scores(name):
        if row.value is None or (row.tuned is not None) != tuned:
            continue
        if row.evaluator == evaluator:
            yield row.prompt, row.value


def _evaluators(records: RunRecords) -> set[str]:
    return {row.evaluator for rows in records.scores.values() for row in rows}


def _evaluator_of(criterion: str) -> tuple[str, bool]:
    """The evaluator that a criterion names, and whether replies after the tune are meant."""
    known = _SAMPLED.get(criterion)
    return known or (criterion.removesuffix("_tuned"), criterion.endswith("_tuned"))


def _leaderboard(name: str, records: RunRecords) -> Number:
    boards = {row["name"]: row["leaderboard"] for row in records.head["candidates"]}
    return boards.get(name)


def _mean(values: Sequence[Number]) -> Number:
    """The mean where everything is there: a mean of the cases that succeeded would flatter."""
    present = [value for value in values if value is not None]
    return fmean(present) if present and len(present) == len(values) else None


def _fine_tune_seconds(name: str, records: RunRecords) -> Number:
    cases = list(records.compared(name, "fine-tune").values())
    return _mean([case.seconds.get("training") if case and case.ok else None for case in cases])


def _fine_tune_bytes(name: str, records: RunRecords) -> Number:
    """The largest rank's peak; missing where that rank failed or is not done yet."""
    cases = list(records.compared(name, "fine-tune").values())
    last = cases[-1] if cases else None
    return last.peak_bytes("training") if last and last.ok else None


def _inference_figure(figure: str) -> Callable[[str, RunRecords], Number]:
    def value(name: str, records: RunRecords) -> Number:
        cases = records.compared(name, "inference").values()
        return _mean([case.figures.get(figure) if case and case.ok else None for case in cases])

    return value


def _inference_bytes(name: str, records: RunRecords) -> Number:
    cases = records.compared(name, "inference").values()
    return _mean([case.peak_bytes("inference") if case and case.ok else None for case in cases])


def _score(evaluator: str, tuned: bool) -> Callable[[str, RunRecords], Number]:
    """The mean score of an evaluator over the replies before or after the tune."""

    def value(name: str, records: RunRecords) -> Number:
        present = [value for _, value in _judged(evaluator, tuned, name, records)]
        return fmean(present) if present else None

    return value


def _validation_fall(name: str, records: RunRecords) -> Number:
    falls: list[Number] = []
    for case in records.compared(name, "fine-tune").values():
        figures = case.figures if case and case.ok else {}
        before, after = (figures.get(f"validation_loss_{when}") for when in ("before", "after"))
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
    "tokens_per_second": _inference_figure("tokens_per_second"),
    "characters_per_second": _inference_figure("characters_per_second"),
    "validation_loss": _validation_fall,
    "human_grade": _human_grade,
}

#: Criteria that are means of one evaluator's scores: (evaluator, after the tune).
_SAMPLED = {
    "quality": ("quality", False),
    "quality_tuned": ("quality", True),
    "facts": ("persona_facts", True),
    "facts_untuned": ("persona_facts", False),
}
VALUES |= {criterion: _score(*judged) for criterion, judged in _SAMPLED.items()}

#: Criteria that ask nothing of what replies say: those that random weights can speak of.
SAY_NOTHING_OF_REPLIES = frozenset({
    "leaderboard", "fine_tune_seconds", "fine_tune_bytes", "inference_seconds", "inference_bytes",
    "first_token_seconds", "tokens_per_second",
})  # fmt: skip


def samples_of(
    values: Mapping[str, Any], records: RunRecords
) -> dict[str, dict[str, dict[str, Number]]]:
    """Scores by prompt, for criteria that are means over prompts: these are drawn anew."""
    samples: dict[str, dict[str, dict[str, Number]]] = {}
    declared = dict.fromkeys(criterion for found in values.values() for criterion in found)
    for criterion in declared:
        if criterion in VALUES and criterion not in _SAMPLED:
            continue
        evaluator, tuned = _evaluator_of(criterion)
        for name in values:
            by_prompt: dict[str, list[float]] = {}
            for prompt, value in _judged(evaluator, tuned, name, records):
                by_prompt.setdefault(prompt, []).append(value)
            if by_prompt:
                means = {prompt: fmean(found) for prompt, found in by_prompt.items()}
                samples.setdefault(criterion, {})[name] = dict(means)
    return samples
