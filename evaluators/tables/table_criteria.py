"""The criteria of a table: declared, or every column of numbers, each with its direction."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluators.evaluator_registry import load_evaluators
from evaluators.ranking.criterion_table import Criterion
from evaluators.ranking.decision_declaration import Declaration
from evaluators.tables.directions import column_words, direction_of, is_cost
from evaluators.tables.table_columns import (
    Row,
    is_empty_column,
    looks_like_numbers,
    read_column,
    unit_in_name,
)
from model_registry.errors import OhloraError, UnknownName

#: Columns of numbers that are no criteria: they describe.
DESCRIPTIVE = re.compile(
    r"^(?:unnamed: \d+|rank|id|index|no|#|year|date|version|seed|layers?|heads?|epochs?"
    r"|batch(?:_?size)?|steps?"
    r"|lr|learning_?rate|context(?:_?length)?|vocab(?:_?size)?|hidden(?:_?size)?"
    r"|(?:n_?|num_?)?param(?:eter)?s?(?:[_ (]+\w+\)?)?|번호|순위|연도|버전|시드"
    r"|(?:파라미터|매개변수)(?: ?수)?(?:[_ (]+\w+\)?)?)$|_raw$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """The user's options for columns: which are better low or high, which to skip."""

    low: Collection[str] = ()
    high: Collection[str] = ()
    skip: Collection[str] = ()

    def better(self, column: str) -> str | None:
        """The direction that the user named for a column; None if none."""
        return "low" if column in self.low else "high" if column in self.high else None


NO_COLUMN_OPTIONS = ColumnOptions()


def check_options(path: Path, header: Sequence[str], options: ColumnOptions) -> None:
    """Refuse options that name no column, or one column twice."""
    for column in (*options.low, *options.high, *options.skip):
        if column not in header:
            raise UnknownName(f"column of {path}", column, header)
        if sum(column in each for each in (options.low, options.high, options.skip)) > 1:
            raise OhloraError(
                f"{column} is named by two of --low, --high and --skip: keep one.",
                f"{column}이(가) --low, --high, --skip 가운데 둘에 있습니다. 하나만 남기세요.",
            )


def declared_criteria(
    path: Path, declared: Declaration, header: Sequence[str], options: ColumnOptions
) -> tuple[Criterion, ...]:
    """The declared criteria, each with a direction, declared or told by its name.

    What the user says on the command line wins: it is about this one decision.
    """
    for criterion in declared.criteria:
        if criterion.name not in header:
            raise UnknownName(f"column of {path}", criterion.name, header)
    known = [c.name for c in declared.criteria]
    for column in (*options.low, *options.high, *options.skip):
        if column not in known:
            raise UnknownName(f"criterion declared beside {path}", column, known)
    found = []
    for each in (c for c in declared.criteria if c.name not in options.skip):
        better = options.better(each.name)
        if better is None and each.name in declared.undirected:
            better = direction_of(each.name)
            if better is None:
                raise _ask([each.name])
        found.append(replace(each, better=better) if better else each)
    return tuple(found)


def assumed_criteria(
    path: Path, header: Sequence[str], rows: Sequence[Row], options: ColumnOptions
) -> tuple[tuple[Criterion, ...], dict[str, str]]:
    """Every column of numbers, all of one weight, costs as one group; and why others are none."""
    criteria: list[Criterion] = []
    dropped: dict[str, str] = {}
    unknown: list[str] = []
    for column in header:
        reason = None if options.better(column) else _why_no_criterion(column, rows, options)
        if reason is not None:
            dropped[column] = reason
            continue
        named = unit_in_name(column_words(column))
        unit = "" if named else read_column(path, column, rows).unit
        better = options.better(column) or direction_of(column, unit) or _of_evaluator(column)
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
        f"Nothing tells whether high or low values are the better ones of: {names}. Say it "
        "for each: --low COLUMN or --high COLUMN (--skip COLUMN leaves one out).",
        f"값이 높을수록 좋은지 낮을수록 좋은지 알 수 없는 열: {names}. 열마다 --low 열 또는 "
        "--high 열로 지정하세요. --skip 열은 결정에서 뺍니다.",
    )


def _why_no_criterion(column: str, rows: Sequence[Row], options: ColumnOptions) -> str | None:
    """The code of why a column is not decided by; None where it is."""
    if column in options.skip:
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
    found = load_evaluators(entry_points=False).get(column.removesuffix("_tuned"))
    return found.better if found and found.better in ("high", "low") else None
