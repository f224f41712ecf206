"""The `ohlora score` document: the scores of replies that stand in any table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluators.evaluator import Evaluator
from evaluators.registry import judge_replies, load_evaluators
from evaluators.reply_table import read_replies
from model_registry.records import Reply

QUALITY = "quality"  # the composite, shown beside the prompt and not among the scores


def score_csv(
    path: Path | str,
    prompt_column: str = "prompt",
    reply_column: str = "reply",
    reference_column: str | None = None,
    evaluators: Mapping[str, Evaluator] | None = None,
) -> dict[str, Any]:
    """The scores of the replies in a CSV file, by all evaluators or the ones given.

    Raises:
        BadFile: the file is missing, is no such table, or its Korean is broken.
        UnknownName: it has no such column.
    """
    replies = read_replies(path, prompt_column, reply_column, reference_column)
    return score_replies(replies, load_evaluators() if evaluators is None else evaluators)


def score_replies(replies: Sequence[Reply], evaluators: Mapping[str, Evaluator]) -> dict[str, Any]:
    """Rows with their scores, the mean of each evaluator's present values, and its seconds."""
    scores, seconds = judge_replies(evaluators, replies)
    width = len(evaluators)
    rows: list[dict[str, Any]] = []
    for index, reply in enumerate(replies):
        judged: dict[str, Any] = {
            row.evaluator: {"value": row.value, "reason": row.reason}
            for row in scores[index * width : (index + 1) * width]
        }
        quality = judged.pop(QUALITY, {"value": None, "reason": "not asked for"})
        rows.append(
            {
                "prompt": reply.prompt,
                "reply": reply.reply,
                "quality": quality["value"],
                "quality_reason": quality["reason"],
                "scores": judged,
            }
        )
    mean = {QUALITY: mean_of(row["quality"] for row in rows)}
    for name in evaluators:
        if name != QUALITY:
            mean[name] = mean_of(row["scores"][name]["value"] for row in rows)
    return {"rows": rows, "mean": mean, "seconds": seconds}


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of the present values, None where there is none."""
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None
