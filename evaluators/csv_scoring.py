"""`ohlora score`: scores the replies of any table, model by model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

from evaluators.checks.instructions import INSTRUCTIONS, INSTRUCTIONS_LOOSE, with_declared
from evaluators.evaluator import Evaluator
from evaluators.evaluator_registry import judge_replies, load_evaluators
from evaluators.tables.reply_table import ReplyTable, read_reply_table
from model_registry.files.json_values import JsonDict
from model_registry.records import Reply
from rows.overlap import matching_rows
from rows.row import Row

QUALITY = "quality"  # the composite, shown beside the prompt and not among the scores


class ScoredValue(TypedDict):
    """One evaluator's score of one reply."""

    value: float | None
    reason: str


class ScoredRow(TypedDict):
    """One reply with its scores; `tuned_on` tells whether a model was tuned on its prompt."""

    model: str
    prompt: str
    reply: str
    quality: float | None
    quality_reason: str
    scores: dict[str, ScoredValue]
    tuned_on: NotRequired[bool]


class ModelMeans(TypedDict):
    """How many replies a model gave, and the means of their scores by evaluator."""

    replies: int
    mean: dict[str, float | None]


class TunedOn(TypedDict):
    """How many prompts a model was tuned on, and the means without them."""

    prompts: int
    mean_without: dict[str, float | None] | None


class ScoreDocument(TypedDict):
    """What `ohlora score --json` prints; seconds are by evaluator, `read` is of a file."""

    rows: list[ScoredRow]
    mean: dict[str, float | None]
    models: dict[str, ModelMeans]
    seconds: dict[str, float]
    tuned_on: NotRequired[TunedOn]
    read: NotRequired[JsonDict]


def score_csv(
    path: Path | str,
    prompt_column: str | None = None,
    reply_column: str | Sequence[str] | None = None,
    reference_column: str | None = None,
    evaluators: Mapping[str, Evaluator] | None = None,
    *,
    model_column: str | None = None,
    tuned_on: Sequence[Row] = (),
) -> ScoreDocument:
    """The scores of the replies in a file, by all evaluators or the ones given.

    Beside what `score_replies` gives: `read`, how the file was read, and `tuned_on` where rows
    that a model was tuned on are given.

    Raises:
        BadFile: the file is missing, is no such table, or its Korean is broken.
        UnknownName: it has no such column.
    """
    chosen = [reply_column] if isinstance(reply_column, str) else list(reply_column or ())
    table = read_reply_table(path, prompt_column, chosen, reference_column, model_column)
    judges = dict(load_evaluators() if evaluators is None else evaluators)
    if table.checks:
        own = {made.name: made for made in (INSTRUCTIONS, INSTRUCTIONS_LOOSE)}
        judges |= {name: with_declared(own[name], table.checks) for name in own if name in judges}
    document = score_replies(table.replies, judges)
    if not table.models:
        document["models"] = {}
    if tuned_on:
        document["tuned_on"] = _mark_tuned_on(document, table.replies, tuned_on)
    document["read"] = _how_read(table)
    return document


def score_replies(replies: Sequence[Reply], evaluators: Mapping[str, Evaluator]) -> ScoreDocument:
    """Rows with their scores, means of each evaluator's present values by model, its seconds."""
    scores, seconds = judge_replies(evaluators, replies)
    width = len(evaluators)
    rows: list[ScoredRow] = []
    for index, reply in enumerate(replies):
        judged: dict[str, ScoredValue] = {
            row.evaluator: {"value": row.value, "reason": row.reason}
            for row in scores[index * width : (index + 1) * width]
        }
        quality = judged.pop(QUALITY, {"value": None, "reason": "not asked for"})
        rows.append(
            {
                "model": reply.candidate,
                "prompt": reply.prompt,
                "reply": reply.reply,
                "quality": quality["value"],
                "quality_reason": quality["reason"],
                "scores": judged,
            }
        )
    models: dict[str, ModelMeans] = {
        name: {"replies": len(own), "mean": _means(own)}
        for name in dict.fromkeys(row["model"] for row in rows)
        if (own := [row for row in rows if row["model"] == name])
    }
    mean = _means(rows) if rows else dict.fromkeys((QUALITY, *evaluators))
    return {"rows": rows, "mean": mean, "models": models, "seconds": seconds}


def _means(rows: Sequence[ScoredRow]) -> dict[str, float | None]:
    mean = {QUALITY: mean_of(row["quality"] for row in rows)}
    for name in rows[0]["scores"] if rows else ():
        mean[name] = mean_of(row["scores"][name]["value"] for row in rows)
    return mean


def _mark_tuned_on(
    document: ScoreDocument, replies: Sequence[Reply], tuned_on: Sequence[Row]
) -> TunedOn:
    """Which rows asked what a model was tuned on (or nearly), and the means without them."""
    asked = [Row(reply.prompt, reply.reply) for reply in replies]
    for row, twin in zip(document["rows"], matching_rows(asked, tuned_on), strict=True):
        row["tuned_on"] = twin is not None
    others = [row for row in document["rows"] if not row["tuned_on"]]
    known = {row["prompt"] for row in document["rows"] if row["tuned_on"]}
    return {"prompts": len(known), "mean_without": _means(others) if others else None}


def _how_read(table: ReplyTable) -> JsonDict:
    return {
        "format": table.table.format,
        "encoding": table.table.encoding,
        "delimiter": table.table.delimiter,
        "columns": {role: list(names) for role, names in table.columns.items()},
        "unused_columns": table.unused,
        "words": table.words(),
    }


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of the present values, None where there is none."""
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None
