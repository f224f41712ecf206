"""Reads a CSV file of candidates and criteria, and decides on it without a run.

How it is decided is declared in a TOML file of the same name beside the table, in the form of a
study's [decision]. Without one, every column of numbers is a criterion; what was assumed, left out
or missing is told. Which values of a column are better is told by its name, or by the user.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluators.ranking.criterion_table import Criterion
from evaluators.ranking.decision_declaration import Declaration, read_declaration
from evaluators.ranking.rank_candidates import NORMALIZATIONS, Failures, Ranking, rank
from evaluators.tables.cell_values import is_failure, missing_reason
from evaluators.tables.directions import column_words, direction_of, is_cost
from evaluators.tables.table_columns import (
    Column,
    Row,
    is_empty_column,
    looks_like_numbers,
    read_column,
    unit_in_name,
)
from evaluators.tables.table_rows import read_rows
from model_registry.errors import BadFile, OhloraError, UnknownName
from model_registry.files.toml_reader import TomlReader
from model_registry.files.toml_source import parse_toml, read_source
from model_registry.language import text
from model_registry.messages.notes import Note

FREE = frozenset(("yes", "free", "true", "1"))
UNSAID = frozenset(("", "-", "–", "—", "?", "n/a", "na", "nan", "none", "null", "unknown"))
#: Columns of numbers that are no criteria: they describe.
DESCRIPTIVE = re.compile(
    r"^(?:unnamed: \d+|rank|id|index|no|#|year|date|version|seed|layers?|heads?|epochs?"
    r"|batch(?:_?size)?|steps?"
    r"|lr|learning_?rate|context(?:_?length)?|vocab(?:_?size)?|hidden(?:_?size)?"
    r"|(?:n_?|num_?)?param(?:eter)?s?(?:[_ (]+\w+\)?)?|번호|순위|연도|버전|시드"
    r"|(?:파라미터|매개변수)(?: ?수)?(?:[_ (]+\w+\)?)?)$|_raw$",
    re.I,
)
STATUS = re.compile(r"status|state|result|상태|결과", re.I)


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """The user's options for columns: which are better low or high, which to skip."""

    low: Collection[str] = ()
    high: Collection[str] = ()
    skip: Collection[str] = ()

    def better(self, column: str) -> str | None:
        """The direction that was said of a column."""
        return "low" if column in self.low else "high" if column in self.high else None


NO_COLUMN_OPTIONS = ColumnOptions()


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """Candidates with their values and licences, and how they are to be decided on."""

    path: Path
    values: Mapping[str, Mapping[str, float | None]]  # candidate → criterion → value
    unlicensed: Mapping[str, Note]  # candidates whose licence is not free, and why
    criteria: tuple[Criterion, ...]
    normalization: str
    draws: int
    seed: int
    assumed: tuple[str, ...]  # what no declaration said
    units: Mapping[str, str]  # criterion → the unit that its values are in, "" for none
    dropped: Mapping[str, str]  # column → code of why it is no criterion
    missing: tuple[tuple[str, str, str], ...]  # (candidate, criterion, code of why)
    failed: Failures  # who failed where: also in columns without any value, and of a status

    def reading(self) -> dict[str, Any]:
        """How the table was read, as the document of `ohlora decide --json` tells it."""
        return {
            "columns": [
                {"name": c.name, "better": c.better, "unit": self.units[c.name] or None,
                 "group": c.group, "assumed": bool(self.assumed)}
                for c in self.criteria
            ],
            "dropped": [{"name": name, "reason": why} for name, why in self.dropped.items()],
            "missing": [
                {"name": name, "column": column, "reason": why}
                for name, column, why in self.missing
            ],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableDecision:
    """A ranking of a table, and everybody who was rejected, by licence or floor."""

    ranking: Ranking
    rejected: tuple[tuple[str, Note], ...]


def read_table(path: Path | str, said: ColumnOptions = NO_COLUMN_OPTIONS) -> DecisionTable:
    """A table and its declaration.

    Raises:
        BadFile: it is no table, a cell can't be read, or the declaration can't.
        UnknownName: the declaration or the user names a column that the table has not.
        OhloraError: which values of a column are better is told by nothing.
    """
    path = Path(path)
    header, rows = read_rows(path)
    _check_said(path, header, said)
    declared = _declaration(path.with_suffix(".toml"))
    dropped: dict[str, str] = {}
    if declared.criteria:
        criteria = _declared(path, declared, header, said)
    else:
        criteria, dropped = _assumed(path, header, rows, said)
    columns = {c.name: _column(path, c, rows) for c in criteria}
    missing = tuple(
        (row.name, name, column.missing[row.name])
        for row in rows
        for name, column in columns.items()
        if row.name in column.missing
    )
    return DecisionTable(
        path=path,
        values={row.name: {n: c.values[row.name] for n, c in columns.items()} for row in rows},
        unlicensed={row.name: why for row in rows if (why := _why_not_free(row.cells))},
        criteria=criteria,
        normalization=declared.normalization,
        draws=declared.draws,
        seed=declared.seed,
        assumed=() if declared.criteria else tuple(_as_words(each) for each in criteria),
        units={name: column.unit for name, column in columns.items()},
        dropped=dropped,
        missing=missing,
        failed=_failed([*missing, *_said_beside(dropped, rows)]),
    )


def _failed(missing: Sequence[tuple[str, str, str]]) -> Failures:
    """Of what is missing, where it is since the candidate failed."""
    found: dict[str, dict[str, str]] = {}
    for name, column, why in missing:
        if is_failure(why):
            found.setdefault(name, {})[column] = why
    return found


def _said_beside(dropped: Mapping[str, str], rows: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    """What columns say that are no criteria: those in which nobody has a value, and a status."""
    for column, why in dropped.items():
        if why == "empty" or (why == "no_numbers" and STATUS.fullmatch(column.strip())):
            for row in rows:
                reason = missing_reason(row.cells[column])
                if reason is not None:
                    yield row.name, column, reason


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
        failed=table.failed,
    )
    return TableDecision(ranking, (*out.items(), *ranking.rejected))


def all_decisions(table: DecisionTable) -> dict[bool, dict[str, TableDecision]]:
    """With the licence filter (True) and without it (False), under every normalisation."""
    return {
        filtered: {
            method: decide_on(table, ignore_license=not filtered, normalization=method)
            for method in NORMALIZATIONS
        }
        for filtered in (True, False)
    }


def _check_said(path: Path, header: Sequence[str], said: ColumnOptions) -> None:
    for column in (*said.low, *said.high, *said.skip):
        if column not in header:
            raise UnknownName(f"column of {path}", column, header)
        if sum(column in each for each in (said.low, said.high, said.skip)) > 1:
            raise OhloraError(f"{column} is named by two of --low, --high and --skip: keep one.")


def _declaration(path: Path) -> Declaration:
    """What the file beside the table says; nothing if there is none."""
    if not path.is_file():
        return Declaration()
    source = read_source(path)
    try:
        reader = TomlReader(path, source, parse_toml(source, path))
    except BadFile as error:
        raise BadFile(path, error.line, f"is no declaration ({error.problem})") from error
    if "decision" not in reader.document:
        raise BadFile(path, None, "declares no [decision], and has the name of the table beside it")
    return read_declaration(reader)


def _declared(
    path: Path, declared: Declaration, header: Sequence[str], said: ColumnOptions
) -> tuple[Criterion, ...]:
    """The criteria that were declared, each with a direction that somebody said or its name tells.

    What the user says on the command line wins: it is about this one decision.
    """
    for criterion in declared.criteria:
        if criterion.name not in header:
            raise UnknownName(f"column of {path}", criterion.name, header)
    known = [c.name for c in declared.criteria]
    for column in (*said.low, *said.high, *said.skip):
        if column not in known:
            raise UnknownName(f"criterion declared beside {path}", column, known)
    found = []
    for each in (c for c in declared.criteria if c.name not in said.skip):
        better = said.better(each.name)
        if better is None and each.name in declared.undirected:
            better = direction_of(each.name)
            if better is None:
                raise _ask([each.name])
        found.append(replace(each, better=better) if better else each)
    return tuple(found)


def _assumed(
    path: Path, header: Sequence[str], rows: Sequence[Row], said: ColumnOptions
) -> tuple[tuple[Criterion, ...], dict[str, str]]:
    """Every column of numbers, all of one weight, costs as one group; and why others are none."""
    criteria: list[Criterion] = []
    dropped: dict[str, str] = {}
    unknown: list[str] = []
    for column in header:
        reason = None if said.better(column) else _why_no_criterion(column, rows, said)
        if reason is not None:
            dropped[column] = reason
            continue
        named = unit_in_name(column_words(column))
        unit = "" if named else read_column(path, column, rows).unit
        better = said.better(column) or direction_of(column, unit) or _of_evaluator(column)
        if better is None:
            unknown.append(column)
            continue
        group = "cost" if better == "low" and is_cost(column, unit) else None
        criteria.append(Criterion(column, column, column, better, group=group))
    if unknown:
        raise _ask(unknown)
    return tuple(criteria), dropped


def _ask(columns: Sequence[str]) -> OhloraError:
    names = ", ".join(columns)
    return OhloraError(
        text(
            f"Nothing tells whether high or low values are the better ones of: {names}. Say it "
            "for each: --low COLUMN or --high COLUMN (--skip COLUMN leaves one out).",
            f"값이 높을수록 좋은지 낮을수록 좋은지 알 수 없는 열: {names}. 열마다 --low 열 또는 "
            "--high 열로 지정하세요. --skip 열은 결정에서 뺍니다.",
        )
    )


def _why_no_criterion(column: str, rows: Sequence[Row], said: ColumnOptions) -> str | None:
    """The code of why a column is not decided by; None where it is."""
    if column in said.skip:
        return "left_out"
    if column in ("license", "license_free"):
        return "licence"
    if DESCRIPTIVE.search(column):
        return "describes"
    cells = [row.cells[column] for row in rows]
    if is_empty_column(cells):
        return "empty"
    expected = direction_of(column) is not None
    return None if looks_like_numbers(cells, expected) else "no_numbers"


def _of_evaluator(column: str) -> str | None:
    """What an evaluator of this name says of its own scores."""
    from evaluators.evaluator_registry import load_evaluators

    found = load_evaluators(entry_points=False).get(column.removesuffix("_tuned"))
    return found.better if found and found.better in ("high", "low") else None


def _column(path: Path, criterion: Criterion, rows: Sequence[Row]) -> Column:
    column = read_column(path, criterion.name, rows, unit_in_name(column_words(criterion.name)))
    floor = criterion.floor
    if column.unit == "%" and floor is not None and 0 < abs(floor) <= 1:
        raise BadFile(
            path.with_suffix(".toml"), None,
            f"{criterion.name} is in %: write its floor as {floor * 100:g}, not {floor:g}",
        )  # fmt: skip
    return column


def _as_words(criterion: Criterion) -> str:
    low, cost = criterion.better == "low", criterion.group == "cost"
    return text(
        f"{criterion.name}: {'low' if low else 'high'} is better"
        + (", one of the costs, which weigh as much as one other" if cost else ""),
        f"{criterion.name}: {'낮을수록' if low else '높을수록'} 좋음"
        + (" (비용은 모두 합쳐 다른 기준 하나만큼)" if cost else ""),
    )


def _why_not_free(row: Mapping[str, str]) -> Note | None:
    """Why the licence of this row is not free; None where it is, or no column speaks of it."""
    if "license_free" not in row:
        return None
    free, name = row["license_free"].strip().lower(), row.get("license", "").strip()
    if free in FREE:
        return None
    if free in UNSAID or name.lower() in UNSAID:
        return Note("license_unknown")
    return Note("license_not_accepted", {"license": name, "free": free})
