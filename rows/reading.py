"""Reads rows from a file or a folder of splits, in any usual layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model_registry.errors import BadFile
from rows.columns import CHECKS, Columns, find_all
from rows.conversations import Roles, Turn, clean, history_turns, rows_of_turns, turns_of
from rows.encoding import broken_korean, refuse_mojibake
from rows.forms import Forms, forms_of, is_filled
from rows.record import Record, Table
from rows.row import LeftOut, Row, Rows, Source, left_out, merged
from rows.splits import split_of
from rows.table import ENDINGS, read_table
from rows.turns import learned_turns

#: A folder's own facts (evaluators.checks.persona); no rows.
_NO_ROWS = ("facts.json",)
_WEAK_SPLITS = ("subset", "set", "구분", "용도")  # may as well name a subject


def read_data(path: Path, turns: str = "every") -> Rows:
    """Rows of a file, or of a folder of splits; `turns` says which answers are learned.

    Raises:
        BadFile: see `read_rows` and `read_folder`.
        UnknownName: see `learned_turns`.
    """
    return learned_turns(read_folder(path) if path.is_dir() else read_rows(path), turns)


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
        raise BadFile(
            folder / "train.jsonl",
            None,
            "is not there: name the file of rows train.*",
            "이 파일이 없습니다. 데이터 파일 이름을 train.*으로 하세요",
        )
    whole = Rows(())
    for split, paths in by_split.items():
        if len({"".join(path.suffixes) for path in paths}) > 1:
            names = ", ".join(path.name for path in paths)
            raise BadFile(
                folder,
                None,
                f"holds {split} rows in two forms ({names}): keep one",
                f"{split} 데이터가 두 가지 형식으로 있습니다({names}). 하나만 남기세요",
            )
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
        forms, (rows, out) = Forms(()), _from_turns(table, split)
    else:
        forms, (rows, out) = _from_records(table, split)
    texts = "\n".join(text for row in rows for text in (row.prompt, row.reply))
    refuse_mojibake(path, texts)
    mojibake = tuple(
        row.line or 0 for row in rows if broken_korean(row.prompt) or broken_korean(row.reply)
    )
    columns = forms.taken() | ({CHECKS: CHECKS} if CHECKS in table.columns else {})
    taken = {*forms.names(), *columns.values()}
    unused = tuple(name for name in table.columns if name not in taken)
    source = Source(
        path, table.format, table.encoding, table.delimiter, columns,
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
    checks: object = None


def _from_records(table: Table, split: str) -> tuple[Forms, tuple[list[Row], list[LeftOut]]]:
    path, splits = table.path, _Splits.read(table, find_all("split", table.columns))
    forms = replace(forms_of(table), splits=splits.columns)
    read: list[_Read] = []
    out: list[LeftOut] = []
    for record, columns in zip(table.records, forms.of, strict=True):
        where = splits.of(record, split)
        if where is None:
            out.append(left_out("unknown_split", record.line, detail=splits.named(record)))
        elif not any(map(is_filled, record.cells.values())):
            out.append(left_out("blank_row", record.line, where))
        elif columns is None:
            detail = ", ".join(name for name, cell in record.cells.items() if is_filled(cell))
            out.append(left_out("unknown_form", record.line, where, detail))
        else:
            turns = _turns(path, record, columns)
            read.append(_Read(record.line, where, turns, record.cells.get(CHECKS)))
    roles = Roles.read(path, [(one.line, turn) for one in read for turn in one.turns])
    rows: list[Row] = []
    for one in read:
        more_rows, more_out = rows_of_turns(one.turns, roles, one.split, one.line)
        more_rows[-1:] = [replace(row, checks=one.checks) for row in more_rows[-1:]]
        rows += more_rows
        out += more_out
    return forms, (rows, out)


def _turns(path: Path, record: Record, columns: Columns) -> list[Turn]:
    """The turns of one record, whatever its columns."""
    cells, line = record.cells, record.line
    system = [Turn("system", _text(path, record, columns.system))] if columns.system else []
    held = columns.conversation or columns.text
    if held is not None:
        value = cells.get(held)
        return [*system, *(turns_of(path, line, value) if is_filled(value) else [])]
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
        raise BadFile(
            path,
            record.line,
            f"no text in {columns.question}",
            f"{columns.question}에 내용이 없습니다",
        )
    return [Turn("user", "\n\n".join(part for part in (prompt, more) if part))]


def _answer(path: Path, record: Record, columns: Columns) -> list[Turn]:
    """The answer's turn; none where its cell is empty: the question may be asked all the same."""
    value = record.cells.get(columns.answer) if columns.answer else None
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return turns_of(path, record.line, value)
    reply = _text(path, record, columns.answer)
    return [Turn("assistant", reply)] if reply else []


def _text(path: Path, record: Record, column: str | None) -> str:
    value = record.cells.get(column) if column else None
    if value is not None and not isinstance(value, str):
        raise BadFile(
            path,
            record.line,
            f"{column} must be text, not {value!r}",
            f"{column}은(는) 글자여야 합니다({value!r}은(는) 안 됩니다)",
        )
    return clean(path, record.line, value or "")


@dataclass(frozen=True, slots=True)
class _Splits:
    """Which split each record belongs to: the first of these columns that it fills names it."""

    columns: tuple[str, ...]

    @classmethod
    def read(cls, table: Table, columns: Sequence[str]) -> _Splits:
        """Those columns that name splits.

        Raises:
            BadFile: a column that can be nothing else names none.
        """
        return cls(tuple(column for column in columns if _names_splits(table, column)))

    def named(self, record: Record) -> str:
        """What the record says of its split; "" for nothing."""
        cells = (record.cells.get(column) for column in self.columns)
        return str(next((cell for cell in cells if is_filled(cell)), ""))

    def of(self, record: Record, default: str) -> str | None:
        """The split; None where the record names an unknown one."""
        named = self.named(record)
        return split_of(named) if named else record.split or default


def _names_splits(table: Table, column: str) -> bool:
    """A column counts where it names splits; one that may be something else, where all do."""
    named = [record for record in table.records if is_filled(record.cells.get(column))]
    known = [record for record in named if split_of(str(record.cells[column])) is not None]
    weak = column.casefold() in _WEAK_SPLITS
    if named and not known and not weak:
        value, line = named[0].cells[column], named[0].line
        raise BadFile(
            table.path,
            line,
            f"{column} {value} is none of train, valid and test",
            f"{column}의 {value}은(는) train, valid, test 가운데 하나가 아닙니다",
        )
    return len(known) == len(named) or (bool(known) and not weak)
