"""`ohlora data`: shows how the user's rows are read, before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.markup import escape

from commands.shared.console import out, print_json
from commands.shared.economy_words import print_lengths
from commands.shared.option_class import argument, option
from commands.shared.options import TURNS, CatalogName, Json, ranged
from commands.shared.user_registry import registry
from model_registry.candidate import Candidate
from model_registry.errors import OhloraError
from model_registry.files.names import names_in
from model_registry.language import text
from model_registry.naming.resolve import find_candidates
from model_registry.prompting.token_economy import (
    RenderedRow,
    economies,
    has_tokenizer_here,
    rendered,
    tokenizer_of,
)
from rows.reading import read_data
from rows.reading_report import EXAMPLES, document, left_out_note, read_notes, without_overlap
from rows.row import Row, Rows

SHOWN = 300  # characters of an example's text
SHORTLIST = "korean-2026"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """What `ohlora data` is asked for."""

    file: Annotated[
        Path,
        argument("A file, or a folder of splits.", "파일 또는 분할 폴더.", metavar="FILE"),
    ]
    candidates: Annotated[
        str | None,
        option(
            "Count tokens for these: A,B,C (tokenizers are fetched, no weights).",
            "토큰을 셀 후보: A,B,C (토크나이저만 받고 가중치는 받지 않음).",
        ),
    ] = None
    catalog: CatalogName = None
    max_length: Annotated[
        int,
        option(
            "Tokens that a row may have.",
            "한 행의 최대 토큰 수.",
            callback=ranged("max_length"),
        ),
    ] = 512
    turns: Annotated[str, TURNS] = "every"
    as_json: Json = False


def data(options: DataOptions) -> None:
    """Form, encoding, columns, splits, what was left out, lengths by candidate, and examples."""
    rows = read_data(options.file, options.turns)
    chosen = _chosen(options)
    answered = [row for row in rows.rows if row.reply]
    found = economies(chosen, answered, fetch=bool(options.candidates or options.catalog))
    shown = _rendered(chosen, answered[:EXAMPLES])
    if options.as_json:
        lengths = [each.to_json(options.max_length) for each in found]
        print_json(document(rows) | {"candidates": lengths, "rendered": _rendered_json(shown)})
        return
    notes = [*read_notes(rows), *map(left_out_note, without_overlap(rows)[1])]
    lines = [note.words for note in notes] + list(_counted(rows))
    for line in lines:
        print(line)
    if found:
        print_lengths(found, options.max_length)
    else:
        _tell_how_to_count()
    if shown is None:
        for row in rows.rows[:EXAMPLES]:
            _print_example(row)
    else:
        _print_rendered(*shown)


def _chosen(options: DataOptions) -> list[Candidate]:
    """Those that were named, else those of the shortlist whose tokenizers are here already."""
    known = registry()
    if names := names_in(options.candidates):
        return find_candidates(names, known, options.catalog)
    local = [
        c for c in known.candidates(options.catalog or SHORTLIST) if c.backend == "transformers"
    ]
    return local if options.catalog else [c for c in local if has_tokenizer_here(c)]


def _tell_how_to_count() -> None:
    print(
        text(
            "Lengths in tokens: --candidates kanana-2-3b-instruct,Midm-2.0-Mini-Instruct (or "
            "--catalog) counts them; only tokenizers are fetched.",
            "토큰 길이: --candidates kanana-2-3b-instruct,Midm-2.0-Mini-Instruct 또는 --catalog를 "
            "붙이면 토크나이저만 받아 셉니다.",
        )
    )


_Shown = tuple[Candidate, list[RenderedRow]]


def _rendered(chosen: Sequence[Candidate], rows: Sequence[Row]) -> _Shown | None:
    """The first rows in the form of the first candidate whose tokenizer could be had."""
    for candidate in chosen:
        if not has_tokenizer_here(candidate):  # what could be fetched is here by now
            continue
        try:
            tokenizer = tokenizer_of(candidate, online=False)
            return candidate, [rendered(candidate, tokenizer, row) for row in rows]
        except OhloraError:
            continue
    return None


def _rendered_json(shown: _Shown | None) -> dict[str, object] | None:
    if shown is None:
        return None
    parts = [
        {"before": row.before, "labelled": row.labelled, "behind": row.behind} for row in shown[1]
    ]
    return {"name": shown[0].name, "rows": parts}


def _print_rendered(candidate: Candidate, rows: Sequence[RenderedRow]) -> None:
    print(
        text(
            f"\nAs {candidate.name} is tuned on them; learned is what stands in ⟦ ⟧:",
            f"\n{candidate.name}의 학습 형식이며, ⟦ ⟧ 안만 학습합니다:",
        )
    )
    for row in rows:
        before = row.before if len(row.before) <= SHOWN else "…" + row.before[-SHOWN:]
        line = f"{escape(before)}[bold green]⟦{escape(row.labelled)}⟧[/]{escape(row.behind)}"
        out.print(line + "\n", highlight=False, soft_wrap=True)


def _counted(rows: Rows) -> list[str]:
    """What stands there more than once, and how many rows have something before their prompt."""
    found = document(rows)
    lines = []
    if count := found["duplicates"]["count"]:
        where = ", ".join(map(str, found["duplicates"]["lines"]))
        lines.append(
            text(
                f"{count} rows stand there before already (lines {where}…)",
                f"앞에 나온 것과 같은 행 {count}개 ({where}번째 줄…)",
            )
        )
    if found["with_system"] or found["with_earlier_turns"]:
        system, turns = found["with_system"], found["with_earlier_turns"]
        lines.append(
            text(
                f"{system} rows have a system message, {turns} have earlier turns",
                f"시스템 메시지가 있는 행 {system}개, 이전 대화가 있는 행 {turns}개",
            )
        )
    return lines


def _print_example(row: Row) -> None:
    out.print(f"\n[bold]{row.split}[/]", highlight=False)
    for turn in [*row.messages, {"role": "assistant", "content": row.reply or "—"}]:
        content = turn["content"]
        shown = content if len(content) <= SHOWN else content[: SHOWN - 1] + "…"
        out.print(f"  [dim]{turn['role']}[/] {escape(shown)}", highlight=False, soft_wrap=True)
