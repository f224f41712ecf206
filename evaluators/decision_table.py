"""Deciding on a table alone: a CSV file of candidates and criteria, no run behind it.

How it is decided is declared in a TOML file of the same name beside the table, in the form of a
study's [decision]. Without one, every column of numbers is a criterion; what was assumed is said.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from evaluators.criteria import Criterion
from evaluators.ranking import DRAWS, NORMALIZATIONS, Ranking, rank
from evaluators.reply_table import decode
from model_registry.errors import BadFile, UnknownName
from model_registry.language import text
from model_registry.records import GRADES

NAME_COLUMNS = ("name", "candidate", "model")
NOTHING = frozenset(("", "-", "–", "—", "?", "n/a", "na", "nan", "none", "null", "unknown"))
FREE = frozenset(("yes", "free", "true", "1"))
#: Columns of numbers that are no criteria: they describe.
DESCRIPTIVE = re.compile(r"^(?:rank|id|index|no|year|parameters?(?:_\w+)?|params?)$|_raw$", re.I)
COST = re.compile(r"second|time|latency|memory|bytes|(?:^|_)[mg]i?b(?:$|_)|cost|price|loss", re.I)


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """Candidates with their values and licences, and how they are to be decided on."""

    path: Path
    values: Mapping[str, Mapping[str, float | None]]  # candidate → criterion → value
    unlicensed: Mapping[str, str]  # candidates whose licence is not free, and why
    criteria: tuple[Criterion, ...]
    normalization: str
    draws: int
    seed: int
    assumed: tuple[str, ...]  # what no declaration said


@dataclass(frozen=True, slots=True)
class TableDecision:
    """A ranking of a table, and everybody who was rejected, by licence or floor."""

    ranking: Ranking
    rejected: tuple[tuple[str, str], ...]


def read_table(path: Path | str) -> DecisionTable:
    """A table and its declaration.

    Raises:
        BadFile: it is no table, a value is no number, or the declaration can't be read.
        UnknownName: the declaration names a column that the table has not.
    """
    path = Path(path)
    rows = _rows(path)
    header = list(rows[0][1])
    name_column = next((c for c in header if c.lower() in NAME_COLUMNS), header[0])
    declared = _declaration(path.with_suffix(".toml"))
    assumed: tuple[str, ...] = ()
    criteria = declared.pop("criteria", ())
    if not criteria:
        criteria = _assumed_criteria(rows, header, name_column)
        assumed = tuple(_as_words(criterion) for criterion in criteria)
    for criterion in criteria:
        if criterion.name not in header:
            raise UnknownName(f"column of {path}", criterion.name, header)
    values: dict[str, dict[str, float | None]] = {}
    for line, row in rows:
        name = row[name_column].strip()
        if not name or name in values:
            raise BadFile(path, line, f"{'no name' if not name else f'{name} stands here twice'}")
        values[name] = {c.name: _number(path, line, c.name, row[c.name]) for c in criteria}
    unlicensed = {
        row[name_column].strip(): reason for _, row in rows if (reason := _why_not_free(row))
    }
    return DecisionTable(
        path=path,
        values=values,
        unlicensed=unlicensed,
        criteria=tuple(criteria),
        normalization=declared.get("normalization", "min-max"),
        draws=declared.get("draws", DRAWS),
        seed=declared.get("seed", 0),
        assumed=assumed,
    )


def decide_on(
    table: DecisionTable, *, ignore_license: bool = False, normalization: str | None = None
) -> TableDecision:
    """The ranking of a table: first the licences, then the floors, then the criteria."""
    out = {} if ignore_license else dict(table.unlicensed)
    ranking = rank(
        table.criteria,
        {name: row for name, row in table.values.items() if name not in out},
        normalization=normalization or table.normalization,
        draws=table.draws,
        seed=table.seed,
    )
    return TableDecision(ranking, (*out.items(), *ranking.rejected))


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    content = decode(path)
    header = content.split("\n", 1)[0]
    reader = csv.DictReader(
        io.StringIO(content, newline=""), delimiter=max(",\t;", key=header.count)
    )
    reader.fieldnames = [(name or "").strip() for name in reader.fieldnames or []]
    try:
        rows = [
            (reader.line_num, {k: (v or "") for k, v in row.items() if k is not None})
            for row in reader
        ]
    except csv.Error as error:
        raise BadFile(path, reader.line_num, f"is no CSV file ({error})") from error
    if not rows:
        raise BadFile(path, None, "holds no candidates: a header and a row for each are needed")
    return rows


def _declaration(path: Path) -> dict[str, Any]:
    """What the file beside the table says; nothing if there is none."""
    if not path.is_file():
        return {}
    try:
        decision = tomllib.loads(path.read_text(encoding="utf-8")).get("decision", {})
        known = {field.name for field in fields(Criterion)}
        for entry in decision.get("criteria", []):
            if unknown := set(entry) - known:
                raise BadFile(path, None, f"a criterion has no {', '.join(sorted(unknown))}")
        declared = {k: decision[k] for k in ("normalization", "draws", "seed") if k in decision}
        criteria = tuple(
            Criterion(**{"label_en": e["name"], "label_ko": e["name"]} | e)
            for e in decision.get("criteria", [])
        )
        return declared | {"criteria": criteria}
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadFile(path, None, f"is no declaration of a decision ({error})") from error


def _assumed_criteria(
    rows: Sequence[tuple[int, Mapping[str, str]]], header: Sequence[str], name_column: str
) -> tuple[Criterion, ...]:
    """Every column of numbers or grades, all of one weight; costs are one group."""
    return tuple(
        Criterion(column, column, column, "low", group="cost")
        if COST.search(column)
        else Criterion(column, column, column)
        for column in header
        if column and column != name_column and not DESCRIPTIVE.search(column)
        if _all_numbers([row[column] for _, row in rows])
    )


def _as_words(criterion: Criterion) -> str:
    low = criterion.better == "low"
    return text(
        f"{criterion.name}: {'low' if low else 'high'} is better"
        + (", one of the costs, which weigh as much as one other" if low else ""),
        f"{criterion.name}: {'낮을수록' if low else '높을수록'} 좋음"
        + (" (비용은 모두 합쳐 다른 기준 하나만큼)" if low else ""),
    )


def _all_numbers(cells: Sequence[str]) -> bool:
    """Whether all cells are numbers, grades or nothing, and some are something."""
    found = [_parsed(cell) for cell in cells if cell.strip().lower() not in NOTHING]
    return bool(found) and None not in found


def _parsed(cell: str) -> float | None:
    cell = cell.strip().replace(",", "")
    if cell in GRADES:
        return float(GRADES[cell])
    try:
        return float(cell)
    except ValueError:
        return None


def _number(path: Path, line: int, column: str, cell: str) -> float | None:
    if cell.strip().lower() in NOTHING:
        return None
    value = _parsed(cell)
    if value is None:
        raise BadFile(path, line, f"{column} is {cell!r}: a number, a grade or nothing is needed")
    return value


def _why_not_free(row: Mapping[str, str]) -> str:
    """Why the licence of this row is not free; empty where it is, or no column speaks of it."""
    if "license_free" not in row:
        return ""
    free, name = row["license_free"].strip().lower(), row.get("license", "").strip()
    if free in FREE:
        return ""
    if free in NOTHING or name.lower() in NOTHING:
        return text("its licence is unknown: verify it", "라이선스를 알 수 없음: 확인 필요")
    return text(f"licence {name} is not free ({free})", f"라이선스 {name}: 자유 아님 ({free})")


def all_decisions(table: DecisionTable) -> dict[bool, dict[str, TableDecision]]:
    """With the licence filter (True) and without it (False), under every normalisation."""
    return {
        filtered: {
            method: decide_on(table, ignore_license=not filtered, normalization=method)
            for method in NORMALIZATIONS
        }
        for filtered in (True, False)
    }
