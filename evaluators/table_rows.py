"""The rows of a table of candidates: each with a name of its own, every cell under a column."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from pathlib import Path

from evaluators.cells import Amount, Unreadable, read_cell
from evaluators.table_columns import Row
from model_registry.errors import BadFile
from rows.encoding import decode

NAME_COLUMNS = (
    "name",
    "candidate",
    "model",
    "이름",
    "후보",
    "모델",
    "모델명",
    "candidates",
    "models",
)


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """The columns of a table but the one of names, and its rows.

    Raises:
        BadFile: with the line, where it is no table, or a name or column stands there twice.
    """
    header, lines = _lines(path)
    _check_header(path, header)
    name_column = _name_column(path, header, [cells for _, cells in lines])
    rows: dict[str, Row] = {}
    for line, cells in lines:
        if len(cells) != len(header):
            more = "more" if len(cells) > len(header) else "fewer"
            raise BadFile(
                path, line,
                f"has {len(cells)} cells, {more} than the {len(header)} columns: is a comma "
                "inside a cell not quoted?",
            )  # fmt: skip
        name = " ".join(unicodedata.normalize("NFC", cells[name_column]).split())
        if not name:
            raise BadFile(path, line, "no name stands here")
        if name.casefold() in rows:
            raise BadFile(path, line, f"{name} stands here twice: give each candidate its own name")
        rows[name.casefold()] = Row(line, name, dict(zip(header, cells, strict=True)))
    if not rows:
        raise BadFile(path, None, "holds no candidates: a header and a row for each are needed")
    return [c for i, c in enumerate(header) if i != name_column and c], list(rows.values())


def _lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and each row's first line with its cells; blank lines are none."""
    content, _ = decode(path)
    header = content.lstrip("\r\n").split("\n", 1)[0]
    reader = csv.reader(
        io.StringIO(content, newline=""), delimiter=max(",\t;", key=header.count), strict=True
    )
    found, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadFile(path, line, f"is no CSV ({error}): is a quote not closed?") from error
    if not found:
        raise BadFile(path, None, "holds no candidates: a header and a row for each are needed")
    names = [" ".join(unicodedata.normalize("NFC", name).split()) for name in found[0][1]]
    return names, found[1:]


def _check_header(path: Path, header: list[str]) -> None:
    for column in header:
        if column and header.count(column) > 1:
            raise BadFile(path, 1, f"has two columns called {column}: rename one of them")


def _name_column(path: Path, header: list[str], rows: list[list[str]]) -> int:
    """Where the names stand: under a heading that says so, else in the first column of words."""
    for i, column in enumerate(header):
        if column.lower() in NAME_COLUMNS:
            return i
    if rows and all(_is_a_number(cells[0]) for cells in rows if cells):
        raise BadFile(
            path,
            1,
            f"has no column of names: call it {', '.join(NAME_COLUMNS[:3])}, or put it first",
        )
    return 0


def _is_a_number(cell: str) -> bool:
    try:
        return isinstance(read_cell(cell), Amount) and not re.search(r"[^\W\d_]", cell)
    except Unreadable:
        return False
