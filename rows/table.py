"""Reads a file of any usual format into records, each with its line.

The one reader of tables: rows to learn, prompts to ask, replies to judge and grades all come
through here. Cells are as they stand in the file; names of columns are NFC, without blanks around.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_registry.errors import BadFile
from rows.binary_files import excel_records, parquet_records
from rows.encoding import decode, read_bytes
from rows.json_records import json_lines, json_records
from rows.record import Record, Table, column_names, refuse_nameless

DELIMITERS = ",;\t"
_JSON_LINES = (".jsonl", ".ndjson")
#: Endings of files that hold rows, for folders; packed ones too.
ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx", ".txt", ".gz", ".zip")
_AS_SHEET = ("save it as .xlsx or as CSV UTF-8", ".xlsx나 CSV UTF-8로 저장하세요")
_AS_CSV = ("save its table as CSV UTF-8", "표를 CSV UTF-8로 저장하세요")
_AS_PARQUET = (
    'write it with frame.to_parquet("rows.parquet")',
    'frame.to_parquet("rows.parquet")로 저장하세요',
)
_NO_TABLE = {
    ".xls": _AS_SHEET,
    ".ods": _AS_SHEET,
    ".arrow": (
        'write it with dataset.to_json("rows.jsonl")',
        'dataset.to_json("rows.jsonl")으로 저장하세요',
    ),
    ".feather": _AS_PARQUET,
    ".pkl": _AS_PARQUET,
    ".docx": _AS_CSV,
    ".hwp": _AS_CSV,
    ".hwpx": _AS_CSV,
    ".pdf": _AS_CSV,
}
_EMPTY = ("is empty: it holds no rows", "비어 있습니다. 행이 없습니다")


def read_table(path: Path | str, *, empty: bool = False) -> Table:
    """The records of a file, whatever its form; `empty` is for files that may hold none.

    Raises:
        BadFile: it can't be read, is in no known form, or holds no rows; with the line.
    """
    path = Path(path)
    raw, suffix = read_bytes(path)
    if suffix in _NO_TABLE:
        cure, korean = _NO_TABLE[suffix]
        raise BadFile(
            path,
            None,
            f"{suffix} is not read: {cure}",
            f"{suffix} 파일은 읽지 못합니다. {korean}",
        )
    table = _from_binary(path, raw, suffix) or _from_text(path, *decode(path, raw), suffix)
    if not table.records and not empty:
        raise BadFile(path, None, *_EMPTY)
    return table


def _from_binary(path: Path, raw: bytes, suffix: str) -> Table | None:
    """Excel and parquet, known by their first bytes too: many are called .csv."""
    if suffix == ".xlsx" or (raw[:2] == b"PK" and b"xl/workbook.xml" in raw):
        records, unread = excel_records(path, raw)
        return _table(path, "xlsx", None, None, records, unread)
    if suffix == ".parquet" or raw[:4] == b"PAR1":
        return _table(path, "parquet", None, None, parquet_records(path, raw))
    return None


def _from_text(path: Path, text: str, encoding: str, suffix: str) -> Table:
    first = text.lstrip()[:1]
    if suffix in _JSON_LINES and first != "[":
        return _table(path, "jsonl", encoding, None, json_lines(path, text))
    if suffix in (".json", *_JSON_LINES) or (suffix not in (".csv", ".tsv") and first in "[{"):
        if not first:
            raise BadFile(path, None, *_EMPTY)
        form, records, unread = json_records(path, text)
        return _table(path, form, encoding, None, records, unread)
    if text.lstrip().startswith(("<|im_start|>", "<|begin_of_text|>", "<bos>", "<start_of_turn>")):
        return _table(path, "chat text", encoding, None, [Record(1, {"text": text})])
    delimiter, records = csv_records(path, text)
    return _table(path, "csv", encoding, delimiter, records)


def _table(
    path: Path, form: str, encoding: str | None, delimiter: str | None,
    records: Sequence[Record], unread: Sequence[str] = (),
) -> Table:  # fmt: skip
    columns = tuple(dict.fromkeys(name for record in records for name in record.cells if name))
    return Table(path, form, encoding, delimiter, columns, tuple(records), tuple(unread))


def csv_records(path: Path, text: str) -> tuple[str, list[Record]]:
    """The delimiter and the records of a CSV text whose first row names the columns.

    Raises:
        BadFile: a quote is not closed, a row has more cells than columns, or a column stands twice.
    """
    declared = text[4] if text[:4].lower() == "sep=" and text[4:5] else None  # Excel's own line
    delimiter = declared or max(DELIMITERS, key=lambda each: _columns_by(text, each))
    rows = _csv_rows(path, text, delimiter)
    if declared:
        next(rows, None)
    line, _, cells = next(rows, (1, 1, []))
    names = column_names(path, line, cells)
    records = [
        Record(line, _cells(path, line, last, names, cells)) for line, last, cells in rows
    ]  # fmt: skip
    return delimiter, records


def _columns_by(text: str, delimiter: str) -> int:
    """How many columns the first row has by a delimiter; leniently, as most are the wrong one."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return next((len(cells) for cells in rows if any(map(str.strip, cells))), 0)
    except csv.Error:
        return 0


def _csv_rows(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """First line, last line and cells of each row that is not blank."""
    limit = csv.field_size_limit(2**31 - 1)  # a C long, everywhere
    # Strict: an unclosed quote would otherwise take the rest of the file for one cell.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        while True:
            begins = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield begins, reader.line_num, cells
    except csv.Error as error:
        raise BadFile(
            path, begins, f"not a CSV ({error}): {_QUOTES[0]}", f"CSV가 아닙니다. {_QUOTES[1]}"
        ) from error
    finally:
        csv.field_size_limit(limit)


_QUOTES = (
    'a quote that opens here is not closed, or stands single within a cell (write "")',
    '여기서 열린 따옴표가 닫히지 않았거나 칸 안에 따옴표가 하나만 있습니다(""로 적으세요)',
)


def _cells(
    path: Path, line: int, last: int, names: Sequence[str], cells: Sequence[str]
) -> dict[str, str]:
    """A row's cells by name."""
    more = len(cells) - len(names)
    english = f"{len(cells)} cells for {len(names)} columns"
    korean = f"열은 {len(names)}개인데 칸이 {len(cells)}개입니다"
    if more > 0 and any(cell.strip() for cell in cells[len(names) :]):
        cure = "put quotes around a text that holds the delimiter"
        cure_korean = "구분 기호가 들어 있는 글은 따옴표로 묶으세요"
        raise BadFile(path, line, f"{english}: {cure}", f"{korean}. {cure_korean}")
    if more < 0 and last > line:
        raise BadFile(path, line, f"{english}: {_QUOTES[0]}", f"{korean}. {_QUOTES[1]}")
    refuse_nameless(path, line, names, cells)
    return dict(zip(names, [*cells, *[""] * -more], strict=False))
