"""Exports grades: CSV for spreadsheets, JSON lines for programs.

The CSV has a byte order mark, so that Excel reads Korean, and a quote before a text that a
spreadsheet would take for a formula, a number or a date; importing takes both off. Everything is
exported, revisions too.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from evaluators.grading.store.grade_records import Grade, Grader
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from model_registry.files.whole_file import write_whole

#: What begins a formula in Excel, LibreOffice or Google Sheets; the quote itself is escaped too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")

#: What a spreadsheet or pandas takes for something else than a text: 007, 3/4, 1e5, 3월 4일, TRUE.
_NO_TEXT = re.compile(
    r"(?=.*\d)(?:[\d\W_e]|년|월|일|시|분|초|오전|오후|am|pm"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)+"
    r"|true|false|null|none|nan|<na>|na|n/a|#n/a|inf|infinity|참|거짓",
    re.IGNORECASE,
)
_LONGEST_VALUE = 40  # characters; a longer text is nothing but a text

FIELDS = fields(Grade)
NAMES = ["pass" if f.name == "pass_" else f.name for f in FIELDS]
COLUMNS = ["grader_name", *NAMES]
#: Texts of these columns go through a spreadsheet as they are.
_PLAIN = frozenset(("grade", "tuned", "position", "shown", "seconds", "blind", "flags", "made_at"))


def rows_of(grades: Iterable[Grade], graders: dict[str, Grader]) -> list[dict[str, object]]:
    """Grades as plain rows, each with the name of its grader."""
    rows = []
    for grade in grades:
        known = graders.get(grade.grader)
        row: dict[str, object] = {"grader_name": known.name if known else ""}
        row |= {name: getattr(grade, each.name) for name, each in zip(NAMES, FIELDS, strict=True)}
        rows.append(row | {"flags": list(grade.flags)})
    return rows


def to_csv(rows: Iterable[dict[str, object]], columns: Iterable[str] | None = None) -> str:
    """Rows as CSV text (without the byte order mark), formulas made harmless.

    `columns` are those of the first row unless given.
    """
    rows = list(rows)
    names = list(columns) if columns is not None else list(rows[0]) if rows else []
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([formula_safe(name) for name in names])
    for row in rows:
        writer.writerow([_cell(name, row.get(name)) for name in names])
    return out.getvalue()


def _cell(name: str, value: object) -> object:
    """A value for a cell: a quote before a text that would be read as something else."""
    if isinstance(value, list | tuple):
        return formula_safe(" ".join(str(one) for one in value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str) or name in _PLAIN:
        return value
    is_value = len(value) <= _LONGEST_VALUE and _NO_TEXT.fullmatch(value.strip())
    return "'" + value if is_value else formula_safe(value)


def formula_safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    # Spreadsheets skip leading blanks, control characters too, before they look for a formula.
    starts = text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)
    return "'" + text if starts else text


def export_grades(
    store: GradeStore, path: Path, run: str | None = None, *, kind: str | None = None
) -> int:
    """Write all grades (of one run) to a CSV or JSON lines file; how many rows.

    `kind` is "csv" or "jsonl", else the file's ending says it.

    Raises:
        OhloraError: it is neither.
    """
    kind = kind or path.suffix.removeprefix(".")
    rows = rows_of(store.grades(run, history=True), store.graders())
    if kind == "csv":
        data = to_csv(rows, COLUMNS).encode("utf-8-sig")
    elif kind in ("jsonl", "ndjson"):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        data = "".join(lines).encode()
    else:
        raise OhloraError(
            f"Grades are written as .csv or .jsonl, not as {path.name}; a folder for Hugging Face "
            "needs --format dataset.",
            f"등급은 .csv나 .jsonl로 저장합니다({path.name}은(는) 안 됩니다). Hugging Face "
            "데이터셋 폴더로 저장하려면 --format dataset을 붙이세요.",
        )
    write_whole(path, data)
    return len(rows)
