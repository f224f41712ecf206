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
    """What is wrong with a declaration, without its file and line."""


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
            raise BadFile(path, line, f"{CHECKS}: {error}") from error
        if found.setdefault(prompt_key(prompt), checks) != checks:
            raise BadFile(path, line, f"{CHECKS}: this prompt has other checks before")


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
            raise _Wrong(f"not JSON ({error})") from error
    if not isinstance(cell, list) or not cell:
        raise _Wrong('a list of objects is needed, such as [{"check": "sentences", "max": 2}]')
    return tuple(map(_check, cell))


def _check(entry: object) -> Check:
    if not isinstance(entry, dict) or not isinstance(entry.get("check"), str):
        raise _Wrong(f'each needs "check", the name of one, not {entry!r}')
    check = Check.from_json({key: value for key, value in entry.items() if value is not None})
    if check.code not in RULES:
        raise _Wrong(str(UnknownName("check", check.code, RULES)))
    rule = RULES[check.code]
    for name, value in check.values.items():
        if name not in rule.parameters:
            known = ", ".join(rule.parameters) or "none"
            raise _Wrong(f"{check.code} has no parameter {name}; there are: {known}")
        if problem := _problem(rule.parameters[name], value):
            raise _Wrong(f"{check.code}: {name} must be {problem}, not {value!r}")
    if problem := _missing(rule, check.values):
        raise _Wrong(f"{check.code} {problem}")
    return check


def _problem(kind: str | tuple[str, ...], value: object) -> str:
    """What a parameter should have been; "" where it is."""
    if isinstance(kind, tuple):
        return "" if value in kind else f"one of {', '.join(kind)}"
    if kind == "count":
        right = type(value) is int and value >= 0
        return "" if right else "a whole number"
    if kind == "flag":
        return "" if isinstance(value, bool) else "true or false"
    if kind == "words":
        right = isinstance(value, list) and bool(value) and all(map(_is_text, value))
        return "" if right else "a list of texts"
    return "" if _is_text(value) else "a text"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(folded(value))


def _missing(rule: Rule, values: Values) -> str:
    if missing := [name for name in rule.needs if name not in values]:
        return f"needs {', '.join(missing)}"
    least, most = values.get("min"), values.get("max")
    if rule.needs_range and least is None and most is None:
        return "needs min or max"
    if least is not None and most is not None and least > most:
        return f"has min {least} above max {most}"
    return ""
