"""Consoles of the commands: standard output and error, JSON, columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len

from commands.shared.streams import Plain, write_document
from model_registry.messages.terminal_text import escaped

out = Plain()
err = Plain(stderr=True)
plugin_files: list[Path] = []  # named with --plugin, for whichever command runs


def print_json(document: object) -> None:
    """One document on standard output, Korean readable where it can be shown."""
    readable, ascii_only = (
        json.dumps(document, ensure_ascii=ascii_only, indent=2, default=str)
        for ascii_only in (False, True)
    )
    write_document(escaped(readable), ascii_only)


def print_columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Aligned columns, Korean taking two cells; rich's own table takes longer than all the rest."""
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = []
        for i, cell in enumerate(row):
            blank = " " * (widths[i] - cell_len(cell))
            cells.append(blank + cell if i in right else cell + blank)
        print("  ".join(cells).rstrip())
