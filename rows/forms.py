"""Chooses which columns each record is read by; a file may mix layouts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from model_registry.errors import BadFile
from rows.columns import Columns, find, find_all
from rows.conversations import marked_turns
from rows.record import Record, Table

_Key = tuple[str, str, tuple[str, ...]]  # kind of form, the column that it is known by, all columns


@dataclass(frozen=True, slots=True)
class Forms:
    """The columns of each record; None for one that has no form, or holds nothing."""

    of: Sequence[Columns | None]
    splits: Sequence[str] = ()  # columns that name the split of a record

    def taken(self) -> dict[str, str]:
        """The columns in use by role; those of several forms with + between."""
        found: dict[str, dict[str, None]] = {}
        for columns in dict.fromkeys(each for each in self.of if each):
            for role, name in columns.taken().items():
                found.setdefault(role, {})[name] = None
        if self.splits:
            found["split"] = dict.fromkeys(self.splits)
        return {role: "+".join(names) for role, names in found.items()}

    def names(self) -> set[str]:
        """All columns that something is taken from."""
        forms = {each for each in self.of if each}
        return {name for each in forms for name in each.taken().values()} | set(self.splits)


def forms_of(table: Table) -> Forms:
    """How each record of a table is to be read.

    A conversation's column comes first, then question and answer, then a chat template's text.
    Records of the same columns have the same form, but where one leaves its cells empty.

    Raises:
        BadFile: no record has any form.
    """
    known = _Known.read(table)
    keys = [known.key_of(record) for record in table.records]
    filled: dict[_Key, set[str]] = defaultdict(set)
    for key, record in zip(keys, table.records, strict=True):
        if key:
            filled[key].update(name for name, cell in record.cells.items() if is_filled(cell))
    columns = {key: _columns(key, filled[key]) for key in filled}
    if not any(_is_whole(found) for found in columns.values()):
        raise _no_form(table)
    return Forms([columns[key] if key else None for key in keys])


def is_filled(value: object) -> bool:
    """Whether a cell holds anything."""
    return value is not None and not (isinstance(value, str) and not value.strip())


@dataclass(frozen=True, slots=True)
class _Known:
    """The columns of a table that a form is known by, the likeliest first."""

    conversations: Sequence[str]
    texts: Sequence[str]
    roles: dict[tuple[str, ...], tuple[list[str], list[str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, table: Table) -> _Known:
        def turns(role: str) -> list[str]:
            return [name for name in find_all(role, table.columns) if _holds_turns(table, name)]

        return cls(turns("conversation"), turns("text"))

    def key_of(self, record: Record) -> _Key | None:
        """What a record's form is known by; None where nothing tells."""
        names = tuple(record.cells)
        if names not in self.roles:
            self.roles[names] = (find_all("question", names), find_all("answer", names))
        questions, answers = self.roles[names]
        question = _first_filled(questions, record.cells)
        answered = [name for name in answers if name != question]
        if found := _first_filled(self.conversations, record.cells):
            return "conversation", found, names
        if question and answered:
            return "question", question, names
        if found := _first_filled(self.texts, record.cells):
            return "text", found, names
        if question or (questions and set(answers) - {questions[0]}):
            return "question", question or questions[0], names
        return None


def _first_filled(names: Iterable[str], cells: Mapping[str, object]) -> str | None:
    return next((name for name in names if is_filled(cells.get(name))), None)


def _columns(key: _Key, filled: set[str]) -> Columns:
    """The columns of a form; an answer column that is empty throughout is the last resort."""
    kind, column, names = key
    system = find("system", names)
    if kind == "conversation":
        return Columns(conversation=column, system=system)
    if kind == "text":
        return Columns(text=column, system=system)
    here = [name for name in names if name in filled]
    answer = find("answer", here, [column]) or find("answer", names, [column])
    return Columns(
        question=column,
        answer=answer,
        input=find("input", names, [column, answer]),
        history=find("history", names),
        system=system,
    )


def _is_whole(columns: Columns) -> bool:
    return bool(columns.conversation or columns.text or columns.answer)


def _no_form(table: Table) -> BadFile:
    asked = find("question", table.columns)
    what, korean, names = ("answer", "답변", ("reply", "output_data")) if asked else (
        "question", "질문", ("prompt", "input_data"))  # fmt: skip
    there = ", ".join(table.columns)
    return BadFile(
        table.path,
        table.records[0].line if table.format == "json" else 1,
        f"no {what} column: name it {' or '.join(names)}; there are {there or 'none'} "
        "(the first line must hold the names of the columns)",
        f"{korean} 열이 없습니다. 열 이름을 {'나 '.join(names)}로 하세요. 지금 있는 열: "
        f"{there or '없음'} (첫 줄에 "
        "열 이름이 있어야 합니다)",
    )


def _holds_turns(table: Table, column: str) -> bool:
    """By the first cell that holds anything."""
    cells = (record.cells.get(column) for record in table.records)
    value = next((cell for cell in cells if is_filled(cell)), None)
    if isinstance(value, str):
        return value.lstrip().startswith("[{") or bool(marked_turns(table.path, None, value))
    return isinstance(value, list)
