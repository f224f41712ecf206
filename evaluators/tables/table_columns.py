"""Reads one column of a table: its values in one unit, bad cells refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.tables.cell_units import Unit, unit_called
from evaluators.tables.cell_values import GRADE, Amount, Missing, NotFinite, Unreadable, read_cell
from evaluators.tables.directions import rate_of_work
from model_registry.errors import BadFile

#: Kinds that a bare number is of anyway: 85점 is 85, 1.2K is 1,200.
_BARE = ("points", "count", "number")
#: Kinds of units that a column's name may carry for its cells.
_NAMED = ("time", "memory", "share", "rate", "dollar", "won", "euro", "energy", "power")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    line: int
    name: str  # of the candidate
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Column:
    """`values` are by candidate, in `unit` ("" for bare numbers); `missing` says why None is."""

    name: str
    unit: str
    values: Mapping[str, float | None]
    missing: Mapping[str, str]


def read_column(path: Path, name: str, rows: Sequence[Row], unit: Unit | None = None) -> Column:
    """The values of one column.

    Args:
        path: of the table, for messages.
        name: of the column.
        rows: of the table.
        unit: that the column's name carries.

    Raises:
        BadFile: with line and column, where a cell can't be read or is of another unit.
    """
    amounts: dict[str, tuple[int, Amount]] = {}
    missing: dict[str, str] = {}
    for row in rows:
        cell = row.cells[name]
        try:
            found = read_cell(cell)
        except Unreadable as error:
            raise BadFile(
                path,
                row.line,
                f"{name} is {cell!r}: it {error}",
                f"{name} 값 {cell!r}: {error.korean}",
            ) from error
        if isinstance(found, Missing):
            missing[row.name] = found.reason
        else:
            amounts[row.name] = (row.line, _bare(found))
    target = _common_unit(path, name, amounts, unit)
    values = {one: _in_unit(amount, target) for one, (_, amount) in amounts.items()}
    symbol = target.symbol if target else ""
    return Column(name, symbol, {row.name: values.get(row.name) for row in rows}, missing)


def looks_like_numbers(cells: Sequence[str], expected: bool) -> bool:
    """Whether a column is numeric: at least half of its filled cells are numbers.

    Where its name tells that it is to be (`expected`), one cell with a digit is enough: the others
    are then mistakes to be told, not words.
    """
    numbers = words = digits = 0
    for cell in cells:
        digits += any(c.isdigit() for c in cell)
        try:
            numbers += isinstance(read_cell(cell), Amount)
        except NotFinite:
            numbers += 1
        except Unreadable:
            words += 1
    return (numbers > 0 and numbers >= words) or (expected and numbers + digits > 0)


def is_empty_column(cells: Sequence[str]) -> bool:
    """Whether every cell says that there is no value."""
    try:
        return all(isinstance(read_cell(cell), Missing) for cell in cells)
    except Unreadable:
        return False


def unit_in_name(words: Sequence[str]) -> Unit | None:
    """The unit that the words of a column's name carry, such as latency_ms or 시간(초)."""
    if rate_of_work(words):
        return unit_called("tok/s")
    for place, word in enumerate(reversed(words)):
        unit = unit_called(word)
        if word == "per" or (place and (len(word) == 1 or word == "min") and word != "%"):
            continue  # a letter says what it is at the end only: time_s, but not s_quality
        if unit and unit.kind in _NAMED and word != "시간":
            return unit
    return None


def _bare(amount: Amount) -> Amount:
    if amount.unit and amount.unit.kind in _BARE:
        return Amount(amount.value * amount.unit.size)
    return amount


def _common_unit(
    path: Path, name: str, amounts: Mapping[str, tuple[int, Amount]], named: Unit | None
) -> Unit | None:
    """The unit of a column: its name's, else its first cell's. All cells convert to it."""
    written = [amount.unit for _, amount in amounts.values() if amount.unit]
    target = named or next(iter(written), None)
    if target is None or not written:
        return named if named and named.kind != "share" else None
    for line, amount in amounts.values():
        cell = f"{amount.value:g}{amount.unit.symbol if amount.unit else ''}"
        if amount.unit and amount.unit.kind != target.kind:
            raise BadFile(
                path,
                line,
                f"{name} is {cell}, where the column is in {target.symbol}: use one",
                f"{name} 값이 {cell}인데 열의 단위는 {target.symbol}입니다. 하나로 맞추세요",
            )
        if amount.unit is None and named is None and not _is_a_grade(amount, target):
            raise BadFile(
                path, line,
                f"{name} is {cell} with no unit, where others are in {target.symbol}: write it",
                f"{name} 값 {cell}에 단위가 없습니다. 다른 값처럼 {target.symbol} 단위를 적으세요",
            )  # fmt: skip
    return target


def _is_a_grade(amount: Amount, unit: Unit) -> bool:
    return unit is GRADE and 1 <= amount.value <= 5


def _in_unit(amount: Amount, target: Unit | None) -> float:
    if amount.unit is None or target is None or amount.unit.size == target.size:
        return amount.value
    return amount.value * amount.unit.size / target.size
