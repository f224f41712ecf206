"""Records of a table: named cells, each record with its line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_registry.errors import BadFile
from model_registry.files.json_values import JsonObject
from rows.encoding import nfc


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its cells by column. `split` where the form itself names one (a sheet, a key)."""

    line: int | None
    cells: JsonObject
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """All records of a file, and how it was read."""

    path: Path
    format: str  # csv, jsonl, json, turns, chat text, xlsx, parquet
    encoding: str | None
    delimiter: str | None
    columns: tuple[str, ...]
    records: tuple[Record, ...]
    unread: tuple[str, ...] = ()  # sheets and lists that no rows were taken from


def column_names(path: Path, line: int, cells: Sequence[object]) -> list[str]:
    """The names of a header's columns; nameless ones are "".

    Raises:
        BadFile: one name stands twice.
    """
    names = [nfc(str(cell if cell is not None else "")).strip() for cell in cells]
    count = Counter(name.casefold() for name in names)
    for name in names:
        if name and count[name.casefold()] > 1:
            times = count[name.casefold()]
            raise BadFile(
                path,
                line,
                f"the column {name} stands there {times} times: rename one",
                f"열 이름 {name}이(가) {times}번 있습니다. 하나를 바꾸세요",
            )
    return names


def refuse_nameless(path: Path, line: int, names: Sequence[str], cells: Sequence[object]) -> None:
    """Refuse a row that holds something under no name; the first column may be a nameless index.

    Raises:
        BadFile: with the place of the cell.
    """
    for place, (name, cell) in enumerate(zip(names, cells, strict=False), start=1):
        if not name and place > 1 and cell is not None and str(cell).strip():
            raise BadFile(
                path,
                line,
                f"cell {place} stands under no name: name its column",
                f"{place}번째 칸에 열 이름이 없습니다. 이름을 적으세요",
            )
