"""Reads a CSV file of candidates and criteria, and decides on it without a run.

How it is decided is declared in a TOML file of the same name beside the table, in the form of a
study's [decision]. Without one, every column of numbers is a criterion; what was assumed, left out
or missing is told. Which values of a column are better is told by its name, or by the user.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.ranking.criterion_table import Criterion
from evaluators.ranking.decision_declaration import Declaration, read_declaration
from evaluators.ranking.normalization import NORMALIZATIONS
from evaluators.ranking.rank_candidates import Failures, rank
from evaluators.ranking.ranking_result import Ranking
from evaluators.tables.cell_values import is_failure, missing_reason
from evaluators.tables.directions import column_words
from evaluators.tables.table_columns import Column, Row, read_column, unit_in_name
from evaluators.tables.table_criteria import (
    NO_COLUMN_OPTIONS,
    ColumnOptions,
    assumed_criteria,
    check_options,
    declared_criteria,
)
from evaluators.tables.table_rows import read_rows
from model_registry.errors import BadFile
from model_registry.files.toml_reader import TomlReader
from model_registry.files.toml_source import parse_toml, read_source
from model_registry.language import text
from model_registry.messages.notes import Note
from model_registry.selection import why_not_for

FREE = frozenset(("yes", "free", "true", "1"))
UNSAID = frozenset(("", "-", "–", "—", "?", "n/a", "na", "nan", "none", "null", "unknown"))
STATUS = re.compile(r"status|state|result|상태|결과", re.I)


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """Candidates with their values and licences, and how they are to be decided on."""

    path: Path
    values: Mapping[str, Mapping[str, float | None]]  # candidate → criterion → value
    unlicensed: Mapping[str, Note]  # candidates whose licence is not free, and why
    licenses: Mapping[str, str]  # candidate → licence, "" where no column names one
    criteria: tuple[Criterion, ...]
    normalization: str
    draws: int
    seed: int
    assumed: tuple[str, ...]  # what no declaration said
    units: Mapping[str, str]  # criterion → the unit that its values are in, "" for none
    dropped: Mapping[str, str]  # column → code of why it is no criterion
    missing: tuple[tuple[str, str, str], ...]  # (candidate, criterion, code of why)
    failed: Failures  # who failed where: also in columns without any value, and of a status

    def reading(self) -> dict[str, object]:
        """How the table was read, as `ohlora decide --json` reports it."""
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
    """A ranking of a table, and all rejected candidates, by licence or floor."""

    ranking: Ranking
    rejected: tuple[tuple[str, Note], ...]


def read_table(path: Path | str, options: ColumnOptions = NO_COLUMN_OPTIONS) -> DecisionTable:
    """A table and its declaration.

    Raises:
        BadFile: it is no table, a cell can't be read, or the declaration can't.
        UnknownName: the declaration or the user names a column that the table has not.
        OhloraError: which values of a column are better is told by nothing.
    """
    path = Path(path)
    header, rows = read_rows(path)
    check_options(path, header, options)
    declared = _declaration(path.with_suffix(".toml"))
    dropped: dict[str, str] = {}
    if declared.criteria:
        criteria = declared_criteria(path, declared, header, options)
    else:
        criteria, dropped = assumed_criteria(path, header, rows, options)
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
        licenses={row.name: row.cells.get("license", "").strip() for row in rows},
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
    table: DecisionTable,
    *,
    ignore_license: bool = False,
    normalization: str | None = None,
    use: str | None = None,
) -> TableDecision:
    """The ranking of a table: first the licences, then the floors, then the criteria.

    With a `use` the column `license` decides by what it allows; without one, that it be free.
    """
    out = {} if ignore_license else _unlicensed(table, use)
    ranking = rank(
        table.criteria,
        {name: row for name, row in table.values.items() if name not in out},
        normalization=normalization or table.normalization,
        draws=table.draws,
        seed=table.seed,
        failed=table.failed,
    )
    return TableDecision(ranking, (*out.items(), *ranking.rejected))


def _unlicensed(table: DecisionTable, use: str | None) -> dict[str, Note]:
    if use is None:
        return dict(table.unlicensed)
    if not any(table.licenses.values()):
        raise BadFile(
            table.path,
            1,
            f"has no column license, which --use {use} is judged by",
            f"license 열이 없습니다. --use {use}는 이 열로 판단합니다",
        )
    found = ((name, why_not_for(license_ or "—", use)) for name, license_ in table.licenses.items())
    return {name: why for name, why in found if why is not None}


def all_decisions(table: DecisionTable) -> dict[bool, dict[str, TableDecision]]:
    """With the licence filter (True) and without it (False), under every normalisation."""
    return {
        filtered: {
            method: decide_on(table, ignore_license=not filtered, normalization=method)
            for method in NORMALIZATIONS
        }
        for filtered in (True, False)
    }


def _declaration(path: Path) -> Declaration:
    """What the file beside the table says; nothing if there is none."""
    if not path.is_file():
        return Declaration()
    source = read_source(path)
    try:
        reader = TomlReader(path, source, parse_toml(source, path))
    except BadFile as error:
        raise BadFile(
            path,
            error.line,
            f"is no declaration ({error.problem})",
            f"선언 파일이 아닙니다({error.problem_ko})",
        ) from error
    if "decision" not in reader.document:
        raise BadFile(
            path,
            None,
            "declares no [decision], and has the name of the table beside it",
            "[decision] 선언이 없고, 옆 파일에 표 이름이 있습니다",
        )
    return read_declaration(reader)


def _column(path: Path, criterion: Criterion, rows: Sequence[Row]) -> Column:
    column = read_column(path, criterion.name, rows, unit_in_name(column_words(criterion.name)))
    floor = criterion.floor
    if column.unit == "%" and floor is not None and 0 < abs(floor) <= 1:
        raise BadFile(
            path.with_suffix(".toml"), None,
            f"{criterion.name} is in %: write its floor as {floor * 100:g}, not {floor:g}",
            f"{criterion.name} 열은 % 단위입니다. 하한을 {floor:g} 대신 {floor * 100:g}(으)로 "
            "적으세요",
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
