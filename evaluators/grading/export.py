"""Grades as files: CSV for a spreadsheet, JSON lines for programs, and both back again.

The CSV has a byte order mark, so that Excel reads Korean, and a quote before a text that a
spreadsheet would take for a formula; importing takes both off. Everything is exported, revisions
too: importing a file twice, or into another database, adds only what is new there.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from evaluators.grading.store import Grade, Grader, GradeStore, reply_hash
from model_registry.errors import BadFile, OhloraError

#: What begins a formula in Excel, LibreOffice or Google Sheets; the quote itself is escaped too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")

_NAMES = ["pass" if f.name == "pass_" else f.name for f in fields(Grade)]
COLUMNS = ["grader_name", *_NAMES]
_WHOLE = {"grade", "tuned", "position", "shown"}
_NEEDED = ("key", "subject", "grader", "run", "case", "candidate", "prompt", "reply")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    rows: int
    new: int


def rows_of(grades: Iterable[Grade], graders: dict[str, Grader]) -> list[dict[str, Any]]:
    """Grades as plain rows, each with the name of its grader."""
    rows = []
    for grade in grades:
        row = asdict(grade)
        row["pass"] = row.pop("pass_")
        row["flags"] = list(grade.flags)
        known = graders.get(grade.grader)
        row["grader_name"] = known.name if known else ""
        rows.append({name: row[name] for name in COLUMNS})
    return rows


def to_csv(rows: Iterable[dict[str, Any]], columns: Iterable[str] | None = None) -> str:
    """Rows as CSV text (without the byte order mark), formulas made harmless.

    `columns` are those of the first row unless given.
    """
    rows = list(rows)
    names = list(columns) if columns is not None else list(rows[0]) if rows else []
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([neutral(name) for name in names])
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        value = " ".join(str(one) for one in value)
    return neutral(value) if isinstance(value, str) else value


def neutral(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    # Spreadsheets skip leading blanks before they look for a formula.
    return "'" + text if text.lstrip(" \u00a0\u3000").startswith(_FORMULA) else text


def export_grades(store: GradeStore, path: Path, run: str | None = None) -> int:
    """Write all grades (of one run) to a .csv or .jsonl file; how many rows.

    Raises:
        OhloraError: the file's ending is neither.
    """
    rows = rows_of(store.grades(run, history=True), store.graders())
    if path.suffix == ".csv":
        data = to_csv(rows, COLUMNS).encode("utf-8-sig")
    elif path.suffix in (".jsonl", ".ndjson"):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        data = "".join(lines).encode()
    else:
        raise OhloraError(f"Grades are written as .csv or .jsonl, not as {path.name}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: a reader never sees half a file.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)
    return len(rows)


def import_grades(store: GradeStore, path: Path) -> Imported:
    """Add the grades of an exported file that the store does not have yet.

    Raises:
        BadFile: the file is missing, or a line is not a grade.
    """
    if not path.is_file():
        raise BadFile(path, None, "no such file of grades")
    read = _read_csv if path.suffix == ".csv" else _read_jsonl
    parsed = [_parse(path, line, row) for line, row in read(path)]
    for grader in {grade.grader: Grader(grade.grader, name) for grade, name in parsed}.values():
        store.add_grader(grader)
    try:
        return Imported(len(parsed), store.add_grades([grade for grade, _ in parsed]))
    except OhloraError as error:
        raise BadFile(path, None, str(error)) from None


def _read_csv(path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")  # read_text would turn \r into \n
    except UnicodeDecodeError:
        raise BadFile(path, None, "not UTF-8; save it as “CSV UTF-8”") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    rows = []
    for row in reader:
        rows.append((reader.line_num, {k: _uncell(k, v) for k, v in row.items() if k}))
    return rows


def _uncell(name: str, value: str | None) -> Any:
    """What stood in a cell before it was written."""
    if value is None or (value == "" and name in _WHOLE | {"seconds", "screen"}):
        return None
    if value.startswith("'"):
        value = value[1:]
    if name == "flags":
        return value.split()
    if name == "blind":
        return value != "False"
    return value


def _read_jsonl(path: Path) -> list[tuple[int, dict[str, Any]]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadFile(path, number, f"not JSON ({error})") from None
        if not isinstance(row, dict):
            raise BadFile(path, number, "not a JSON object")
        rows.append((number, row))
    return rows


def _parse(path: Path, line: int, row: dict[str, Any]) -> tuple[Grade, str]:
    missing = [name for name in _NEEDED if not isinstance(row.get(name), str)]
    if missing or not row["key"] or not row["grader"]:
        raise BadFile(path, line, f"a grade needs {', '.join(missing or ['key', 'grader'])}")
    values = {("pass_" if n == "pass" else n): row[n] for n in _NAMES if n in row}
    try:
        for name in _WHOLE:
            if values.get(name) is not None:
                values[name] = int(values[name])
        if values.get("seconds") is not None:
            values["seconds"] = float(values["seconds"])
        values["flags"] = tuple(str(flag) for flag in values.get("flags") or ())
        grade = Grade(**{"grade": None, **values})
    except (TypeError, ValueError) as error:
        raise BadFile(path, line, f"not a grade ({error})") from None
    if grade.grade is not None and not 1 <= grade.grade <= 5:
        raise BadFile(path, line, f"a grade is 1 to 5, not {grade.grade}")
    if grade.reply_hash and grade.reply_hash != reply_hash(grade.reply):
        raise BadFile(path, line, "the reply is not the one that was graded (its hash differs)")
    return grade, str(row.get("grader_name") or "")
