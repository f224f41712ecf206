"""The value of each criterion, computed from the records of a run; None where it is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.run_records import RunRecords
from model_registry.errors import OhloraError

Number = float | None


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
    "quality": _score("quality", tuned=False),
    "quality_tuned": _score("quality", tuned=True),
    "facts": _score("persona_facts", tuned=True),
    "facts_untuned": _score("persona_facts", tuned=False),
    "validation_loss": _validation_fall,
    "human_grade": _human_grade,
}

_SAMPLED = {
    "quality": ("quality", False),
    "quality_tuned": ("quality", True),
    "facts": ("persona_facts", True),
    "facts_untuned": ("persona_facts", False),
}


def samples_of(
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
