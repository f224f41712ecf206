"""`ohlora data`: shows how the user's rows are read, before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from commands.shared.console import out, print_json
from commands.shared.options import Json
from model_registry.language import text
from rows.reading import read_data
from rows.reading_report import EXAMPLES, document, left_out_note, read_notes, without_overlap
from rows.row import Row, Rows

SHOWN = 300  # characters of an example's text


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """What `ohlora data` is asked for."""

    file: Annotated[Path, typer.Argument(metavar="FILE")]
    as_json: Json = False


def data(options: DataOptions) -> None:
    """Form, encoding, columns, rows of each split, what was left out and why, and examples."""
    rows = read_data(options.file)
    if options.as_json:
        print_json(document(rows))
        return
    notes = [*read_notes(rows), *map(left_out_note, without_overlap(rows)[1])]
    lines = [note.words for note in notes] + list(_counted(rows))
    for line in lines:
        out.print(escape(line), highlight=False, soft_wrap=True)
    for row in rows.rows[:EXAMPLES]:
        _print_example(row)


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
