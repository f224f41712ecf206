"""The JSON documents of `ohlora diagram parse|draw|score|recommend`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

from diagrams.diagram import DiagramRefused
from diagrams.draw import png, svg
from diagrams.parse import ParsedReply, parse
from diagrams.scoring.faithfulness import FaithfulnessDocument, faithfulness
from diagrams.scoring.geometry import measure
from diagrams.scoring.readability import readability
from diagrams.scoring.recommend import READABILITY_WEIGHT, recommend
from diagrams.scoring.taste import ScoredDiagram
from diagrams.source_texts import Source
from model_registry.errors import OhloraError
from model_registry.language import for_files, read_by

PICTURES = ("png", "svg")


class ScoredRow(TypedDict):
    """One reply's format, geometry, readability, and how far it is what was asked for."""

    source: str
    format_kept: bool
    complete: bool
    nodes: int
    geometry: dict[str, object] | None
    readability: float | None
    faithfulness: FaithfulnessDocument
    problems: list[str]


class ScoreDocument(TypedDict):
    """What `ohlora diagram score --json` prints."""

    rows: list[ScoredRow]
    format_kept: int
    of: int


class DrawnRow(TypedDict):
    """Where one reply's picture is; None where there is none."""

    source: str
    file: str | None
    problems: list[str]


class Recommended(TypedDict):
    """One of the best diagrams, with the scores that it was chosen by."""

    source: str
    final: float
    readability: float
    taste: float | None
    faithfulness: FaithfulnessDocument


class RecommendDocument(TypedDict):
    """What `ohlora diagram recommend --json` prints."""

    best: list[Recommended]
    left_out: list[dict[str, str]]
    notes: list[str]
    weights: dict[str, float]


@for_files()
def parse_document(sources: Sequence[Source]) -> dict[str, list[dict[str, object]]]:
    """{"rows": [{"source", "format_kept", "complete", "nodes", "left_out", "problems"}]}."""
    return {"rows": [_parsed_row(source) for source in sources]}


def _parsed_row(source: Source) -> dict[str, object]:
    parsed = parse(source.reply, source.prompt)
    return {
        "source": source.name,
        "format_kept": parsed.format_kept,
        "complete": parsed.complete,
        "nodes": [asdict(node) for node in parsed.diagram.nodes],
        "left_out": [asdict(line) for line in parsed.left_out],
        "problems": parsed.problems,
    }


@for_files()
def score_document(sources: Sequence[Source]) -> ScoreDocument:
    """One row for each source, and how many keep the format.

    `nodes` is a count. `geometry` and `readability` are null where there is nothing to draw or too
    much; `problems` says which.
    """
    parsed = [parse(source.reply, source.prompt) for source in sources]
    rows = [_score_row(source, reply) for source, reply in zip(sources, parsed, strict=True)]
    judged = [n for n, row in enumerate(rows) if row["geometry"] is not None]
    values = readability([parsed[n].diagram for n in judged])
    for n, value in zip(judged, values, strict=True):
        rows[n]["readability"] = value
    return {"rows": rows, "format_kept": sum(row["format_kept"] for row in rows), "of": len(rows)}


def _score_row(source: Source, parsed: ParsedReply) -> ScoredRow:
    problems, geometry = parsed.problems, None
    if parsed.diagram.nodes and not parsed.too_many:
        try:
            geometry = measure(parsed.diagram).as_json()
        except DiagramRefused as refused:
            problems = [*problems, str(refused)]
    return {
        "source": source.name,
        "format_kept": parsed.format_kept,
        "complete": parsed.complete,
        "nodes": len(parsed.diagram.nodes),
        "geometry": geometry,
        "readability": None,
        "faithfulness": faithfulness(parsed.diagram, source.asked).as_json(),
        "problems": problems,
    }


def draw_document(
    sources: Sequence[Source], out: Path, kind: str = "png"
) -> dict[str, list[DrawnRow]]:
    """Draw every source into the folder `out`; {"rows": [{"source", "file", "problems"}]}.

    Raises:
        OhloraError: no such kind of picture, or there is nothing that can be drawn at all.
    """
    if kind not in PICTURES:
        raise OhloraError(
            f"A diagram is drawn as png or svg, not as {kind}.",
            f"다이어그램은 png나 svg로 그립니다({kind}은(는) 안 됩니다).",
        )
    out.mkdir(parents=True, exist_ok=True)
    rows = [_draw_row(source, out, kind, place) for place, source in enumerate(sources, start=1)]
    if not any(row["file"] for row in rows):
        english, korean = (_last_problems(sources[:3], ko) for ko in (False, True))
        raise OhloraError(f"Nothing could be drawn. {english}", f"그릴 수 없습니다. {korean}")
    return {"rows": rows}


def _last_problems(sources: Sequence[Source], korean: bool) -> str:
    with read_by(korean):
        rows = [_draw_row(source, Path(), "svg", 0) for source in sources]  # there is none to draw
    return "; ".join(f"{row['source']}: {row['problems'][-1]}" for row in rows)


def _draw_row(source: Source, out: Path, kind: str, place: int) -> DrawnRow:
    parsed = parse(source.reply, source.prompt)
    problems, file = parsed.problems, None
    if parsed.diagram.nodes and not parsed.too_many:
        # The number keeps two files of one name in different folders apart.
        stem = Path(source.name.rpartition(":")[0] or source.name).stem
        path = out / f"{place:03d}-{stem}.{kind}"
        try:
            content = svg(parsed.diagram).encode() if kind == "svg" else png(parsed.diagram)
            path.write_bytes(content)
            file = str(path)
        except DiagramRefused as refused:
            problems = [*problems, refused.shown]
    return {"source": source.name, "file": file, "problems": problems}


def recommend_document(
    sources: Sequence[Source],
    keep: int = 3,
    scored: Sequence[ScoredDiagram] = (),
    readability_weight: float = READABILITY_WEIGHT,
) -> RecommendDocument:
    """{"best": [{"source", "final", "readability", "taste", "faithfulness"}], "left_out", …}."""
    diagrams = [parse(one.reply, one.prompt).diagram for one in sources]
    asked = [one.asked for one in sources]
    ranking = recommend(diagrams, keep, scored, readability_weight, asked=asked)
    return {
        "best": [
            {
                "source": sources[found.place].name,
                "final": found.final,
                "readability": found.readability,
                "taste": found.taste,
                "faithfulness": found.faithfulness.as_json(),
            }
            for found in ranking.best
        ],
        "left_out": [
            {"source": sources[place].name, "reason": reason}
            for place, reason in ranking.left_out.items()
        ],
        "notes": list(ranking.notes),
        "weights": {"readability": readability_weight, "taste": 1 - readability_weight},
    }
