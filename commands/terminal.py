"""What all commands share: where they write, their common options, JSON and columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from model_registry.language import text

if TYPE_CHECKING:
    from model_registry.registry import Registry

out = Console()
err = Console(stderr=True)
plugin_files: list[Path] = []  # named with --plugin, for whichever command runs

Json = Annotated[
    bool,
    typer.Option("--json", help=text("Print one JSON document.", "JSON 문서 하나를 출력합니다.")),
]
CatalogName = Annotated[
    str | None,
    typer.Option(help=text("A catalog's name, or a file.", "카탈로그 이름 또는 파일.")),
]
Weights = Annotated[
    str, typer.Option(help=text("auto, hub, bundled or random.", "auto, hub, bundled 또는 random."))
]
Device = Annotated[str, typer.Option(help=text("auto, cpu or cuda.", "auto, cpu 또는 cuda."))]
Dtype = Annotated[
    str,
    typer.Option(
        help=text(
            "Precision: auto, float32, bfloat16 or float16.",
            "정밀도: auto, float32, bfloat16 또는 float16.",
        )
    ),
]

DEVICES = ("auto", "cpu", "cuda")


def registry() -> Registry:
    """Candidates and backends, those of the user's plugins included."""
    from model_registry.registry import Registry

    return Registry(plugin_files)


def print_json(document: Any) -> None:
    """One document on standard output, Korean readable."""
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def print_columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Aligned columns, Korean taking two cells; rich's own table takes longer than all the rest."""
    from rich.cells import cell_len

    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = []
        for i, cell in enumerate(row):
            blank = " " * (widths[i] - cell_len(cell))
            cells.append(blank + cell if i in right else cell + blank)
        print("  ".join(cells).rstrip())


def one_of(value: str, known: Sequence[str], option: str) -> str:
    """The value, if it is known; wrong usage otherwise."""
    if value not in known:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}", param_hint=option)
    return value
