"""`ohlora diagram`: parse, draw, score and recommend diagrams that models wrote."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from commands.shared.console import out, print_columns, print_json
from commands.shared.option_class import argument, option
from commands.shared.options import Json, choice, ranged
from diagrams.documents import draw_document, parse_document, recommend_document, score_document
from diagrams.source_texts import Source, read_scored, read_sources
from model_registry.files.output import check_folder
from model_registry.language import for_files, text


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagramOptions:
    """Which texts; of a table, which columns."""

    files: Annotated[list[Path], argument("Texts, or CSV files.", "글 또는 CSV.")]
    reply_column: Annotated[str | None, option("Of a CSV file.", "CSV 파일의 답변 열.")] = None
    prompt_column: Annotated[str | None, option("Of a CSV file.", "CSV 파일의 질문 열.")] = None

    request: Annotated[
        str | None,
        option("What was asked for, without a column.", "요청한 내용(질문 열이 없을 때)."),
    ] = None

    def sources(self) -> list[Source]:
        """The texts, read."""
        return read_sources(self.files, self.reply_column, self.prompt_column, self.request)


def parse(options: DiagramOptions) -> None:
    """Nodes, whether the format was kept, and what was left out; always JSON."""
    print_json(parse_document(options.sources()))


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagramDrawOptions(DiagramOptions):
    """What `ohlora diagram draw` is asked for."""

    out_dir: Annotated[Path, option("Folder.", "결과 폴더.", "--out")]
    kind: Annotated[
        str, option("png or svg.", "png 또는 svg.", "--format", callback=choice(("png", "svg")))
    ] = "png"
    as_json: Json = False


def draw(options: DiagramDrawOptions) -> None:
    """One picture for each text, on a fresh canvas."""
    check_folder(options.out_dir)
    with for_files() if options.as_json else nullcontext():
        document = draw_document(options.sources(), options.out_dir, options.kind)
    if options.as_json:
        print_json(document)
        return
    for row in document["rows"]:
        print(row["file"] or f"{row['source']}: {'; '.join(row['problems'])}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagramScoreOptions(DiagramOptions):
    """What `ohlora diagram score` is asked for."""

    as_json: Json = False


def score(options: DiagramScoreOptions) -> None:
    """Format kept, geometry, readability, and whether it is what was asked for."""
    document = score_document(options.sources())
    if options.as_json:
        print_json(document)
        return
    heads = (
        text("text", "글"),
        text("format", "형식"),
        text("nodes", "노드"),
        text("readable", "가독성"),
        text("as asked", "요청과 일치"),
    )
    rows = [
        (
            row["source"],
            "✓" if row["format_kept"] else "✗",
            str(row["nodes"]),
            _rounded(row["readability"]),
            _rounded(row["faithfulness"]["value"]),
        )
        for row in document["rows"]
    ]
    print_columns([heads, *rows], right=(2, 3, 4))
    kept, of = document["format_kept"], document["of"]
    out.print(text(f"format kept: {kept} of {of}", f"형식 유지: {of}개 중 {kept}개"))


def _rounded(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagramRecommendOptions(DiagramOptions):
    """What `ohlora diagram recommend` is asked for."""

    keep: Annotated[int, option("How many.", "고를 개수.", callback=ranged("keep"))] = 3
    scored: Annotated[
        Path | None,
        option(
            "CSV of diagram (its text) and score (0 to 5): a taste.",
            "diagram(다이어그램 글), score(0~5) 열의 CSV: 취향.",
        ),
    ] = None
    readability_weight: Annotated[
        float,
        option(
            "Of readability beside taste, 0 to 1.",
            "취향과 견준 가독성의 비중, 0~1.",
            callback=ranged("readability_weight"),
        ),
    ] = 0.5
    as_json: Json = False


def recommend(options: DiagramRecommendOptions) -> None:
    """By readability, the taste of whoever scored some, and what was asked for."""
    sources = options.sources()
    taste = read_scored(options.scored) if options.scored else ()
    with for_files() if options.as_json else nullcontext():
        document = recommend_document(sources, options.keep, taste, options.readability_weight)
    if options.as_json:
        print_json(document)
        return
    for place, row in enumerate(document["best"], start=1):
        kept = f"{text('as asked', '요청과 일치')} {_rounded(row['faithfulness']['value'])}"
        print(f"{place}  {row['final']:.2f}  {kept}  {row['source']}")
    for note in document["notes"]:
        print(note)
