"""Reads rows from a file or a folder of splits: columns, conversations, turns, chat templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_registry.errors import BadFile
from rows.columns import Columns, find_columns
from rows.conversations import (
    Roles,
    Turn,
    clean,
    history_turns,
    marked_turns,
    rows_of_turns,
    turns_of,
)
from rows.encoding import broken_korean, refuse_mojibake
from rows.record import Record, Table
from rows.row import LeftOut, Row, Rows, Source, left_out, merged
from rows.splits import split_of
from rows.table import ENDINGS, read_table

#: A folder's own facts (evaluators.persona); no rows.
_NO_ROWS = ("facts.json",)
_WEAK_SPLITS = ("subset", "set", "구분", "용도")  # may as well name a subject


def read_data(path: Path) -> Rows:
    """Rows of a file, or of a folder of splits.

    Raises:
        BadFile: see `read_rows` and `read_folder`.
    """
    return read_folder(path) if path.is_dir() else read_rows(path)


def read_folder(folder: Path) -> Rows:
    """The rows of train, valid and test files in one folder, in any form, as one.

    Raises:
        BadFile: no file is named train, one split stands there in two forms, or one is broken.
    """
    files = [
        path for path in sorted(folder.iterdir())
        if path.name.endswith(ENDINGS) and path.is_file() and path.name not in _NO_ROWS
        and not path.name.startswith(".")
    ]  # fmt: skip
    by_split: dict[str, list[Path]] = {"train": [], "valid": [], "test": []}
    for path in files:
        split = split_of(path.name)
        if split is not None:
            by_split[split].append(path)
    if not by_split["train"]:
        if (folder / "data").is_dir():  # as repositories of the hub have it
            return read_folder(folder / "data")
        raise BadFile(folder / "train.jsonl", None, "is not there: name the file of rows train.*")
    whole = Rows(())
    for split, paths in by_split.items():
        if len({"".join(path.suffixes) for path in paths}) > 1:
            names = ", ".join(path.name for path in paths)
            raise BadFile(folder, None, f"holds {split} rows in two forms ({names}): keep one")
        for path in paths:
            whole += read_rows(path, split)
    ignored = tuple(path.name for path in files if split_of(path.name) is None)
    return replace(whole, ignored=ignored)


def read_rows(path: Path, split: str = "train") -> Rows:
    """Rows of one file; `split` is for rows that name none.

    Raises:
        BadFile: the file is missing, empty, in no readable encoding, or has no such columns.
    """
    table = read_table(path)
    if table.format == "turns":
        columns, (rows, out) = Columns(), _from_turns(table, split)
    else:
        columns, (rows, out) = _from_records(table, split)
    texts = "\n".join(text for row in rows for text in (row.prompt, row.reply))
    refuse_mojibake(path, texts)
    mojibake = tuple(
        row.line or 0 for row in rows if broken_korean(row.prompt) or broken_korean(row.reply)
    )
    taken = columns.taken()
    unused = tuple(name for name in table.columns if name not in taken.values())
    source = Source(
        path, table.format, table.encoding, table.delimiter, taken,
        () if table.format == "turns" else unused, mojibake,
    )  # fmt: skip
    sheets = tuple(f"{path.name}[{name}]" for name in table.unread)
    return Rows(tuple(rows), merged(out), (source,), sheets)


def _from_turns(table: Table, split: str) -> tuple[list[Row], list[LeftOut]]:
    """One list of turns: exchanges each on its own, unless system turns open conversations."""
    turns = [
        (record.line, turn)
        for record in table.records
        for turn in turns_of(table.path, record.line, [record.cells])
    ]
    roles = Roles.read(table.path, turns)
    with_system = any(roles.of(turn) == "system" for _, turn in turns)
    if not with_system:
        rows: list[Row] = []
        out: list[LeftOut] = []
        for line, exchange in _exchanges(turns, roles):
            more_rows, more_out = rows_of_turns(exchange, roles, split, line, ask_last=False)
            rows, out = rows + more_rows, out + more_out
        return rows, out
    return _from_conversations(_split_at_systems(turns, roles), roles, split)


_Lined = tuple[int | None, Turn]


def _exchanges(turns: Sequence[_Lined], roles: Roles) -> list[tuple[int | None, list[Turn]]]:
    """Each question with what follows it up to the next one."""
    found: list[tuple[int | None, list[Turn]]] = []
    for line, turn in turns:
        if roles.of(turn) == "user" or not found:
            found.append((line, []))
        found[-1][1].append(turn)
    return found


def _split_at_systems(turns: Sequence[_Lined], roles: Roles) -> list[tuple[int | None, list[Turn]]]:
    found: list[tuple[int | None, list[Turn]]] = []
    for line, turn in turns:
        last = found[-1][1] if found else []
        if not found or (roles.of(turn) == "system" and roles.of(last[-1]) != "system"):
            found.append((line, []))
        found[-1][1].append(turn)
    return found


def _from_conversations(
    conversations: Sequence[tuple[int | None, list[Turn]]], roles: Roles, split: str
) -> tuple[list[Row], list[LeftOut]]:
    rows: list[Row] = []
    out: list[LeftOut] = []
    for line, turns in conversations:
        more_rows, more_out = rows_of_turns(turns, roles, split, line)
        rows += more_rows
        out += more_out
    return rows, out


@dataclass(frozen=True, slots=True)
class _Read:
    """One record, its turns read but not yet paired."""

    line: int | None
    split: str
    turns: list[Turn]


def _from_records(table: Table, split: str) -> tuple[Columns, tuple[list[Row], list[LeftOut]]]:
    path, columns = table.path, _columns(table)
    splits = _Splits.read(table, columns.split)
    columns = replace(columns, split=splits.column)
    read: list[_Read] = []
    out: list[LeftOut] = []
    for record in table.records:
        where = splits.of(record, split)
        if where is None:
            detail = str(record.cells.get(splits.column or "", ""))
            out.append(left_out("unknown_split", record.line, detail=detail))
        elif not any(map(_filled, record.cells.values())):
            out.append(left_out("blank_row", record.line, where))
        else:
            read.append(_Read(record.line, where, _turns(path, record, columns)))
    roles = Roles.read(path, [(one.line, turn) for one in read for turn in one.turns])
    rows: list[Row] = []
    for one in read:
        more_rows, more_out = rows_of_turns(one.turns, roles, one.split, one.line)
        rows += more_rows
        out += more_out
    return columns, (rows, out)


def _filled(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _columns(table: Table) -> Columns:
    """Which columns are read: a conversation's, else question and answer, else a chat's text."""
    found = find_columns(table.columns)
    shared = {"system": found.system, "split": found.split}
    if found.conversation and _holds_turns(table, found.conversation):
        return Columns(conversation=found.conversation, **shared)
    if found.question and found.answer:
        return replace(found, conversation=None, text=None)
    if found.text and _holds_turns(table, found.text):
        return Columns(text=found.text, **shared)
    what, names = ("answer", "reply or output_data") if found.question else (
        "question", "prompt or input_data")  # fmt: skip
    there = ", ".join(table.columns) or "none"
    line = table.records[0].line if table.format == "json" else 1
    raise BadFile(
        table.path,
        line,
        f"no {what} column: name it {names}; there are {there} "
        "(the first line must hold the names of the columns)",
    )


def _holds_turns(table: Table, column: str) -> bool:
    """By the first cell that holds anything."""
    value = next((r.cells[column] for r in table.records if _filled(r.cells.get(column))), None)
    if isinstance(value, str):
        return value.lstrip().startswith("[{") or bool(marked_turns(table.path, None, value))
    return isinstance(value, list)


def _turns(path: Path, record: Record, columns: Columns) -> list[Turn]:
    """The turns of one record, whatever its columns."""
    cells, line = record.cells, record.line
    system = [Turn("system", _text(path, record, columns.system))] if columns.system else []
    held = columns.conversation or columns.text
    if held is not None:
        value = cells.get(held)
        return [*system, *(turns_of(path, line, value) if _filled(value) else [])]
    earlier = history_turns(path, line, cells.get(columns.history)) if columns.history else []
    question = _question(path, record, columns)
    return [*system, *earlier, *question, *_answer(path, record, columns)]


def _question(path: Path, record: Record, columns: Columns) -> list[Turn]:
    """The question with its input below it, as Alpaca's rows have them; or a list of turns."""
    assert columns.question is not None  # noqa: S101 - for mypy: checked where columns are
    value = record.cells.get(columns.question)
    if isinstance(value, list) and value:
        return [replace(turn, learn=False) for turn in turns_of(path, record.line, value)]
    prompt = _text(path, record, columns.question)
    more = _text(path, record, columns.input) if columns.input else ""
    if not prompt and not more:
        raise BadFile(path, record.line, f"no text in {columns.question}")
    return [Turn("user", "\n\n".join(part for part in (prompt, more) if part))]


def _answer(path: Path, record: Record, columns: Columns) -> list[Turn]:
    """The answer's turn; none where its cell is empty: the question may be asked all the same."""
    assert columns.answer is not None  # noqa: S101 - for mypy: checked where columns are
    value = record.cells.get(columns.answer)
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return turns_of(path, record.line, value)[-1:]
    reply = _text(path, record, columns.answer)
    return [Turn("assistant", reply)] if reply else []


def _text(path: Path, record: Record, column: str | None) -> str:
    value = record.cells.get(column) if column else None
    if value is not None and not isinstance(value, str):
        raise BadFile(path, record.line, f"{column} must be text, not {value!r}")
    return clean(path, record.line, value or "")


@dataclass(frozen=True, slots=True)
class _Splits:
    """Which split each record belongs to."""

    column: str | None

    @classmethod
    def read(cls, table: Table, column: str | None) -> _Splits:
        """A column counts where it names splits; one that may be something else, where all do."""
        if column is None:
            return cls(None)
        values = [record.cells.get(column) for record in table.records]
        named = [value for value in values if _filled(value)]
        known = [value for value in named if split_of(str(value)) is not None]
        weak = column.casefold() in _WEAK_SPLITS
        if len(known) == len(named) or (known and not weak):
            return cls(column)
        if weak:
            return cls(None)
        record = next(r for r in table.records if _filled(r.cells.get(column)))
        value = record.cells[column]
        raise BadFile(table.path, record.line, f"{column} {value} is none of train, valid and test")

    def of(self, record: Record, default: str) -> str | None:
        """The split; None where the record names an unknown one."""
        value = record.cells.get(self.column) if self.column else None
        if _filled(value):
            return split_of(str(value))
        return record.split or default
