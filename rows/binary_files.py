"""Reads Excel and parquet into records, by openpyxl and pyarrow."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path

from model_registry.errors import BadFile
from rows.record import Record, column_names, refuse_nameless
from rows.splits import split_of


def excel_records(path: Path, raw: bytes) -> tuple[list[Record], list[str]]:
    """The rows of a workbook's first sheet, or of all sheets that are named as splits.

    Returns:
        The records, and the names of the sheets that were not read.

    Raises:
        BadFile: it is no workbook.
    """
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
    except Exception as error:  # noqa: BLE001 - zipfile, XML and openpyxl's own, by no common name
        raise BadFile(
            path, None, f"is no Excel workbook ({error})", "Excel 파일이 아닙니다"
        ) from None
    filled = {name: rows for name, rows in sheets.items() if any(map(any, rows))}
    chosen: dict[str, str | None] = {name: split_of(name) for name in filled if split_of(name)}
    tables = [name for name, rows in filled.items() if sum(map(any, rows)) > 1] or list(filled)
    chosen = chosen or dict.fromkeys(tables[:1])  # not a cover with nothing but a title
    _refuse_formulas(path, raw, filled, chosen)
    records = [
        record for name, split in chosen.items() for record in _sheet(path, filled[name], split)
    ]
    return records, [name for name in filled if name not in chosen]


def _refuse_formulas(
    path: Path, raw: bytes, sheets: Mapping[str, Sequence[Sequence[object]]], chosen: Iterable[str]
) -> None:
    """Refuse formulas whose values were never computed: their cells would be read as empty."""
    from openpyxl import load_workbook

    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        parts = [name for name in packed.namelist() if name.startswith("xl/worksheets/")]
        if not any(re.search(rb"<f[ >]", packed.read(name)) for name in parts):
            return
    book = load_workbook(io.BytesIO(raw), read_only=True)
    for name in chosen:
        written = book[name].iter_rows(values_only=True)
        for line, (cells, values) in enumerate(zip(written, sheets[name], strict=False), start=1):
            for cell, value in zip(cells, values, strict=False):
                if value is None and isinstance(cell, str) and cell.startswith("="):
                    raise BadFile(
                        path,
                        line,
                        f"{cell} was never computed: open it in a spreadsheet and save it",
                        f"{cell}의 값이 계산되어 있지 않습니다. 스프레드시트에서 열어 저장하세요",
                    )


def _sheet(path: Path, rows: Sequence[Sequence[object]], split: str | None) -> list[Record]:
    filled = [(n, row) for n, row in enumerate(rows, start=1) if any(c is not None for c in row)]
    line, header = filled[0]
    names = column_names(path, line, header)
    for number, row in filled[1:]:
        refuse_nameless(path, number, names, row)
    return [
        Record(number, dict(zip(names, map(_as_text, row), strict=False)), split)
        for number, row in filled[1:]
    ]


def _as_text(value: object) -> str:
    """What a cell of a sheet shows: Excel keeps 3 as 3.0, and truth as a kind of its own."""
    from openpyxl.utils.escape import unescape

    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()  # Excel keeps every date as a moment
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return unescape(value) if isinstance(value, str) else str(value)  # _x000D_ is a \r


def parquet_records(path: Path, raw: bytes) -> list[Record]:
    """The rows of a parquet file; `line` is the number of the row.

    Raises:
        BadFile: it is no parquet file, or pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise BadFile(
            path,
            None,
            "parquet files need pyarrow: pip install pyarrow",
            "parquet 파일을 읽으려면 pyarrow가 필요합니다: pip install pyarrow",
        ) from None
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(raw))
    except (pyarrow.ArrowException, OSError) as error:
        raise BadFile(
            path,
            None,
            f"is no parquet file ({str(error).splitlines()[0]})",
            "parquet 파일이 아닙니다",
        ) from None
    names = column_names(path, 1, table.column_names)
    rows = table.rename_columns(names).to_pylist()
    return [Record(number, row) for number, row in enumerate(rows, start=1)]
