"""Reads the checks that rows of data declare for their prompts, in a column `checks`.

A cell holds a list of objects, or the same as JSON text (in CSV and Excel):
[{"check": "characters", "max": 100}, {"check": "include", "words": ["봄"]}].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluators.instructions.instruction_rules import RULES, Rule, Values, folded
from model_registry.errors import BadFile, UnknownName
from rows.columns import CHECKS
from rows.json_records import fault_in_korean
from rows.reading import read_rows
from rows.record import Record
from rows.row import Rows

#: The checks of each prompt, by `prompt_key`.
Declared = Mapping[str, tuple["Check", ...]]


@dataclass(frozen=True, slots=True)
class Check:
    """One instruction that a reply is checked for: a code of RULES and its parameters."""

    code: str
    values: Values = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {"check": self.code, **self.values}

    @classmethod
    def from_json(cls, row: Values) -> Check:
        return cls(str(row["check"]), {key: row[key] for key in row if key != "check"})


class _Wrong(ValueError):
    """What is wrong with a declaration, without its file and line; in Korean too."""

    def __init__(self, english: str, korean: str) -> None:
        super().__init__(english)
        self.korean = korean


def prompt_key(prompt: str) -> str:
    """What a prompt's checks are kept under: its text without differences of blanks."""
    return " ".join(folded(prompt).split())


def declared_in(rows: Rows) -> dict[str, tuple[Check, ...]]:
    """The checks that files of rows declare.

    Raises:
        BadFile: with the line, where a declaration is wrong, or one prompt has two.
    """
    found: dict[str, tuple[Check, ...]] = {}
    for source in rows.sources:
        if CHECKS in source.columns:
            read = read_rows(source.path).rows
            _add(found, source.path, [(row.line, row.prompt, row.checks) for row in read])
    return found


def declared_by(
    path: Path, records: Sequence[Record], prompt_column: str
) -> dict[str, tuple[Check, ...]]:
    """The checks of a table whose prompts stand in one column.

    Raises:
        BadFile: as in `declared_in`.
    """
    found: dict[str, tuple[Check, ...]] = {}
    cells = [(each.line, each.cells.get(prompt_column), each.cells.get(CHECKS)) for each in records]
    _add(found, path, [(line, str(prompt or ""), cell) for line, prompt, cell in cells])
    return found


def _add(
    found: dict[str, tuple[Check, ...]],
    path: Path,
    declared: Sequence[tuple[int | None, str, object]],
) -> None:
    """Add what rows declare, each as (line, prompt, cell)."""
    if not any(_declares(cell) for _, _, cell in declared):
        return  # a column of that name that holds something else
    for line, prompt, cell in declared:
        if cell in (None, ""):
            continue
        try:
            checks = parse_checks(cell)
        except _Wrong as error:
            raise BadFile(path, line, f"{CHECKS}: {error}", f"{CHECKS}: {error.korean}") from error
        if found.setdefault(prompt_key(prompt), checks) != checks:
            raise BadFile(
                path,
                line,
                f"{CHECKS}: this prompt has other checks before",
                f"{CHECKS}: 같은 질문에 다른 검사가 앞에 적혀 있습니다",
            )


def _declares(cell: object) -> bool:
    return isinstance(cell, list | dict) or str(cell or "").lstrip().startswith(("[", "{"))


def parse_checks(cell: object) -> tuple[Check, ...]:
    """The checks of one cell.

    Raises:
        ValueError: it declares none, or something that no rule knows.
    """
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError) as error:
            korean = "너무 깊이 중첩되어 있습니다"
            if isinstance(error, ValueError):
                korean = f"JSON이 아닙니다({fault_in_korean(error)})"
            raise _Wrong(f"not JSON ({error})", korean) from error
    if not isinstance(cell, list) or not cell:
        example = '[{"check": "sentences", "max": 2}]'
        raise _Wrong(
            f"a list of objects is needed, such as {example}",
            f"{example} 같은 객체의 목록이어야 합니다",
        )
    return tuple(map(_check, cell))


def _check(entry: object) -> Check:
    if not isinstance(entry, dict) or not isinstance(entry.get("check"), str):
        raise _Wrong(
            f'each needs "check", the name of one, not {entry!r}',
            f'항목마다 "check"에 검사 이름을 적어야 합니다({entry!r}은(는) 안 됩니다)',
        )
    check = Check.from_json({key: value for key, value in entry.items() if value is not None})
    if check.code not in RULES:
        unknown = UnknownName("check", check.code, RULES)
        raise _Wrong(str(unknown), unknown.korean)
    rule = RULES[check.code]
    for name, value in check.values.items():
        if name not in rule.parameters:
            known = ", ".join(rule.parameters)
            raise _Wrong(
                f"{check.code} has no parameter {name}; there are: {known or 'none'}",
                f"{check.code}에는 {name} 값이 없습니다. 쓸 수 있는 값: {known or '없음'}",
            )
        if problem := _problem(rule.parameters[name], value):
            raise _Wrong(
                f"{check.code}: {name} must be {problem[0]}, not {value!r}",
                f"{check.code}: {name}은(는) {problem[1]}야 합니다({value!r}은(는) 안 됩니다)",
            )
    if missing := _missing(rule, check.values):
        raise _Wrong(f"{check.code} {missing[0]}", f"{check.code}: {missing[1]}")
    return check


#: What a parameter of each kind has to be; in Korean up to "야 합니다".
_WANTED = {
    "count": ("a whole number", "0 이상의 정수여"),
    "flag": ("true or false", "true나 false여"),
    "words": ("a list of texts", "글의 목록이어"),
    "text": ("a text", "비어 있지 않은 글이어"),
}


def _problem(kind: str | tuple[str, ...], value: object) -> tuple[str, str] | None:
    """What a parameter should have been; None where it is."""
    if isinstance(kind, tuple):
        listed = ", ".join(kind)
        return None if value in kind else (f"one of {listed}", f"{listed} 중 하나여")
    right = {
        "count": type(value) is int and value >= 0,
        "flag": isinstance(value, bool),
        "words": isinstance(value, list) and bool(value) and all(map(_is_text, value)),
        "text": _is_text(value),
    }
    return None if right[kind] else _WANTED[kind]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(folded(value))


def _missing(rule: Rule, values: Values) -> tuple[str, str] | None:
    if missing := ", ".join(name for name in rule.needs if name not in values):
        return f"needs {missing}", f"{missing} 값이 필요합니다"
    least, most = values.get("min"), values.get("max")
    if rule.needs_range and least is None and most is None:
        return "needs min or max", "min이나 max 값이 필요합니다"
    if least is not None and most is not None and least > most:
        return f"has min {least} above max {most}", f"min {least}이(가) max {most}보다 큽니다"
    return None
