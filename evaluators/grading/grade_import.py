"""Imports exported grades, also files that Excel or pandas have rewritten.

They change delimiter, encoding and ends of lines, write TRUE for True and 3.0 for 3, and dates in
their own way: all of that means what was exported. A reply that is not the graded one is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

from evaluators.grading.grade_export import COLUMNS, NAMES
from evaluators.grading.store.grade_records import Grade, Grader, reply_hash
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import BadFile, OhloraError
from model_registry.files.json_values import JsonDict
from model_registry.language import text
from rows.encoding import nfc
from rows.json_records import NotARow
from rows.record import Record, Table
from rows.table import read_table

_NEEDED = ("key", "subject", "grader", "run", "case", "candidate", "prompt", "reply")
_WHOLE = ("grade", "tuned", "position", "shown")
_TRUTH = {
    "true": True, "1": True, "1.0": True, "yes": True, "참": True,
    "false": False, "0": False, "0.0": False, "no": False, "거짓": False,
}  # fmt: skip
_EXCEL_BEGINS = datetime(1899, 12, 30, tzinfo=UTC)
_MILLISECONDS_FROM = 1e11  # a larger number is no day and no second of our time


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import; `read` says how the file was read."""

    rows: int
    new: int
    read: str = ""


class _NoValue(ValueError):
    """A cell holds something else than a value of its column."""

    def __init__(self, name: str, wanted: str, korean: str, value: object) -> None:
        super().__init__(f"{name} must be {wanted}, not {value!r}")
        self.korean = f"{name}은(는) {korean} 값이어야 합니다({value!r}은(는) 안 됩니다)"


def import_grades(store: GradeStore, path: Path) -> Imported:
    """Add the grades of an exported file that the store does not have yet.

    Raises:
        BadFile: the file is missing, or a line is not a grade.
    """
    if not path.is_file():
        raise BadFile(path, None, "no such file of grades", "등급 파일이 없습니다")
    try:
        table = read_table(path, empty=True)
    except NotARow as error:
        raise BadFile(
            path,
            error.line,
            "not a JSON object, as a grade is",
            "JSON 객체가 아닙니다. 등급은 한 줄에 객체 하나입니다",
        ) from None
    parsed = [_parse(table, record) for record in table.records]
    _refuse_changes(store, table, [grade for grade, _ in parsed])
    for grader in {grade.grader: Grader(grade.grader, name) for grade, name in parsed}.values():
        store.add_grader(grader)
    try:
        new = store.add_grades([grade for grade, _ in parsed])
    except OhloraError as error:
        raise BadFile(path, None, str(error), error.korean) from None
    return Imported(len(parsed), new, _how_read(table))


def _refuse_changes(store: GradeStore, table: Table, grades: Sequence[Grade]) -> None:
    """Refuse a grade that is known by its key and says something else: it would not be kept.

    Raises:
        BadFile: with the line.
    """
    known = {grade.key: _said(grade) for grade in store.grades(history=True)}
    for record, grade in zip(table.records, grades, strict=True):
        before = known.setdefault(grade.key, _said(grade))
        if before != _said(grade):
            problem = (
                f"the grade {grade.key} is kept already, as {before[0]} and not {grade.grade}: "
                "grades are never rewritten, revise it on the page"
            )
            korean = (
                f"등급 {grade.key}은(는) 이미 {before[0]}(으)로 저장되어 있습니다. 파일의 "
                f"{grade.grade}(으)로 덮어쓰지 않으니 페이지에서 고치세요"
            )
            raise BadFile(table.path, record.line, problem, korean)


def _said(grade: Grade) -> tuple[int | None, frozenset[str]]:
    return grade.grade, frozenset(grade.flags)


def _how_read(table: Table) -> str:
    words = ", ".join(part for part in (table.path.name, table.format, table.encoding) if part)
    unused = [name for name in table.columns if name not in COLUMNS]
    return words + (text("; not used: ", "; 쓰지 않은 열: ") + ", ".join(unused) if unused else "")


def _parse(table: Table, record: Record) -> tuple[Grade, str]:
    path, line = table.path, record.line
    quoted = table.format in ("csv", "xlsx")
    row = {name: _unquoted(value) if quoted else value for name, value in record.cells.items()}
    missing = [name for name in _NEEDED if row.get(name) is None and name != "reply"]
    if "reply" not in row:
        missing.append("reply")
    if missing or not row["key"] or not row["grader"]:
        needed = ", ".join(missing or ["key", "grader"])
        raise BadFile(path, line, f"a grade needs {needed}", f"등급에 {needed} 값이 필요합니다")
    try:
        grade = _grade(row)
    except (TypeError, ValueError) as error:
        korean = error.korean if isinstance(error, _NoValue) else "내보낸 값과 형식이 다릅니다"
        raise BadFile(path, line, f"not a grade ({error})", f"등급이 아닙니다. {korean}") from None
    if grade.grade is not None and not 1 <= grade.grade <= 5:
        raise BadFile(
            path,
            line,
            f"a grade is 1 to 5, not {grade.grade}",
            f"등급은 1~5입니다({grade.grade}은(는) 안 됩니다)",
        )
    return _with_its_reply(table, line, grade), _text(row.get("grader_name"))


def _unquoted(value: object) -> object:
    """What stood in a cell before the quote was put before it."""
    return value[1:] if isinstance(value, str) and value.startswith("'") else value


def _grade(row: dict[str, object]) -> Grade:
    values: JsonDict = {"grade": None}
    for name in NAMES:
        if name not in row:
            continue
        value = None if _is_missing(row[name]) else row[name]
        if name in _WHOLE:
            values[name] = _whole(name, value)
        elif name == "seconds":
            values[name] = None if _is_blank(value) else _number(name, value)
        elif name == "blind":
            values[name] = _truth(value)
        elif name == "flags":
            values[name] = _flags(value)
        elif name == "made_at":
            values[name] = _moment(value)
        elif name == "settings":
            values[name] = _settings(value)
        elif name == "screen":
            values[name] = _text(value) or None
        else:
            # A reply stays as it is until its hash has been looked at.
            values["pass_" if name == "pass" else name] = (
                value if name == "reply" and isinstance(value, str) else _text(value)
            )
    return Grade(**values)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else nfc(str(value))


def _number(name: str, value: object) -> float:
    if isinstance(value, str) and re.fullmatch(r"-?\d+,\d+", value.strip()):
        value = value.replace(",", ".")  # as a German Excel writes it
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _NoValue(name, "a number", "숫자", value)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _NoValue(name, "a number", "숫자", value)
    return number


def _whole(name: str, value: object) -> int | None:
    """3, "3" and 3.0, which pandas makes of a column that has gaps."""
    if _is_blank(value):
        return None
    number = _number(name, value)
    if not number.is_integer():
        raise _NoValue(name, "a whole number", "정수", value)
    return int(number)


def _truth(value: object) -> bool:
    if value is None or value == "":
        return True
    known = _TRUTH.get(str(value).strip().lower())
    if known is None:
        raise _NoValue("blind", "true or false", "true나 false", value)
    return known


def _flags(value: object) -> tuple[str, ...]:
    """A list, or its words in a cell: foreign off_topic, ['foreign', 'off_topic']."""
    if isinstance(value, list):
        return tuple(str(flag) for flag in value)
    return tuple(re.findall(r"[^\s\[\]'\",]+", str(value or "")))


def _settings(value: object) -> dict[str, object] | None:
    if isinstance(value, str):
        value = json.loads(value) if value.strip() else None
    if value is not None and not isinstance(value, dict):
        raise _NoValue("settings", "a JSON object", "JSON 객체", value)
    return value


def _moment(value: object) -> str:
    """A time as rows hold it, however it was written: ISO, Excel's ways, pandas' milliseconds."""
    if value is None or not str(value).strip():
        return ""
    written = str(value).strip()
    try:
        number = float(written)
    except ValueError:
        moment = _parsed_moment(written)
    else:
        seconds = number / 1000 if number > _MILLISECONDS_FROM else number
        moment = datetime.fromtimestamp(seconds, UTC)
        if number < 1e6:  # days
            moment = _EXCEL_BEGINS + timedelta(days=number)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _parsed_moment(written: str) -> datetime:
    from dateutil import parser

    try:
        return datetime.fromisoformat(written)
    except ValueError:
        english = written.replace("오전", "AM").replace("오후", "PM")
        english = re.sub(r"(AM|PM)\s*([\d:]+)", r"\2 \1", english)
        english = re.sub(r"(\d{4})\.\s*(\d+)\.\s*(\d+)\.?", r"\1-\2-\3", english)
    try:
        moment: datetime = parser.parse(english)
    except (ValueError, OverflowError):
        raise _NoValue("made_at", "a time", "날짜와 시각", written) from None
    return moment


def _with_its_reply(table: Table, line: int | None, grade: Grade) -> Grade:
    """The grade with the reply that was graded: ends of lines and NFD change on the way."""
    if not grade.reply_hash or grade.reply_hash == reply_hash(grade.reply):
        return grade
    newlines = grade.reply.replace("\r\n", "\n").replace("\r", "\n")
    for written, ends in product((newlines, nfc(newlines)), ("\n", "\r\n", "\r")):
        reply = written.replace("\n", ends)
        if reply_hash(reply) == grade.reply_hash:
            return replace(grade, reply=reply)
    problem = "the reply is not the one that was graded (its hash differs)"
    korean = "평가한 답변과 다릅니다(해시가 맞지 않습니다)"
    if table.encoding == "cp949" and "?" in grade.reply:
        problem += ": cp949 has no such characters, save it as CSV UTF-8"
        korean += ". cp949에 없는 글자가 있으니 CSV UTF-8로 저장하세요"
    raise BadFile(table.path, line, problem, korean)
