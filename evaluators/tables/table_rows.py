"""Reads the rows of a table of candidates, each with a unique name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluators.tables.cell_values import Amount, Unreadable, read_cell
from evaluators.tables.column_words import WORDS
from evaluators.tables.table_columns import Row
from model_registry.errors import BadFile
from rows.table import read_table

_NO_ROWS = (
    "holds no candidates: a header and a row for each are needed",
    "후보가 없습니다. 머리글과 후보마다 한 행이 필요합니다",
)


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """The columns of a table but the one of names, and its rows.

    Raises:
        BadFile: with the line, where it is no table, or a name or column stands there twice.
    """
    if path.is_file() and not path.stat().st_size:
        raise BadFile(path, None, *_NO_ROWS)
    table = read_table(path)
    columns = list(table.columns)
    lines = [(record.line or 1, _texts(columns, record.cells)) for record in table.records]
    name_column = _name_column(path, columns, [cells for _, cells in lines])
    rows: dict[str, Row] = {}
    for line, cells in lines:
        name = " ".join(unicodedata.normalize("NFC", cells[name_column]).split())
        if not name:
            raise BadFile(path, line, "no name stands here", "이름이 비어 있습니다")
        if name.casefold() in WORDS["summaries"]:
            raise BadFile(
                path,
                line,
                f"{name} sums up the others and is no candidate: take it out",
                f"{name}은(는) 다른 행을 합한 것이라 후보가 아닙니다. 빼세요",
            )
        if name.casefold() in rows:
            raise BadFile(
                path,
                line,
                f"{name} stands here twice: give each candidate its own name",
                f"{name}이(가) 두 번 있습니다. 후보마다 다른 이름을 쓰세요",
            )
        rows[name.casefold()] = Row(line, name, cells)
    return [column for column in columns if column != name_column], list(rows.values())


def _texts(columns: Sequence[str], cells: Mapping[str, object]) -> dict[str, str]:
    found = {column: cells.get(column) for column in columns}
    return {column: "" if cell is None else str(cell) for column, cell in found.items()}


def _name_column(path: Path, header: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """Where the names stand: under a heading that says so, else in the first column of words."""
    for column in header:
        if column.lower() in WORDS["names"]:
            return column
    if rows and all(_is_a_number(cells[header[0]]) for cells in rows):
        raise BadFile(
            path,
            1,
            "has no column of names: put it first, or call it name, candidate or model",
            "이름 열이 없습니다. 첫 열에 두거나 name, candidate, model이라고 하세요",
        )
    return header[0]


def _is_a_number(cell: str) -> bool:
    try:
        return isinstance(read_cell(cell), Amount) and not re.search(r"[^\W\d_]", cell)
    except Unreadable:
        return False
