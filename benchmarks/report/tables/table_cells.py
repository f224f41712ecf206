"""Cells, columns and tables of a report, and how their numbers are written. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

MIB = 2**20  # "MB" in reports, as on the label of a graphics card

Kind = Literal["text", "name", "number", "missing", "failed", "status"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what is read, and what it is.

    `value` is the number behind it, where it is one; `under` a second, smaller line; `note` is
    shown where the pointer rests; `share` (0 to 1) is drawn as a bar.
    """

    text: str
    kind: Kind = "text"
    value: float | None = None
    under: str = ""
    note: str = ""
    share: float | None = None
    best: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head. Neighbours of one `group` stand under one common head.

    `better` says which end is the good one: "high", "low" or "neither". By its `key` a column is
    taken into a narrower table, wherever it stands.
    """

    label: str
    group: str = ""
    unit: str = ""
    better: str = "neither"
    numeric: bool = True
    mono: bool = False
    key: str = ""

    @property
    def head(self) -> str:
        """Label and unit in one, for formats without grouped heads."""
        label = f"{self.group} {self.label}" if self.group else self.label
        return f"{label} ({self.unit})" if self.unit else label


@dataclass(frozen=True, slots=True)
class Table:
    """A table, the same for every format of the report. `note` is written below it."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    @property
    def grouped(self) -> list[tuple[str, int]]:
        """The upper row of the head: (text, columns it spans)."""
        heads: list[tuple[str, int]] = []
        for column in self.columns:
            if column.group and heads and heads[-1][0] == column.group:
                heads[-1] = (column.group, heads[-1][1] + 1)
            else:
                heads.append((column.group, 1))
        return [(self._with_unit(group), span) for group, span in heads]

    def _with_unit(self, group: str) -> str:
        unit = self.common_unit(group)
        return f"{group} ({unit})" if unit else group

    def common_unit(self, group: str) -> str:
        """The unit that all columns of a group have: it stands in the common head."""
        units = {column.unit for column in self.columns if column.group == group}
        return units.pop() if group and len(units) == 1 else ""

    def narrowed(self, labels: Mapping[str, str]) -> Table:
        """The columns of these keys in this order, under these labels and in no group."""
        places = {column.key: place for place, column in enumerate(self.columns) if column.key}
        kept = [places[key] for key in labels]
        columns = tuple(
            replace(self.columns[place], label=label, group="", unit="")
            for place, label in zip(kept, labels.values(), strict=True)
        )
        return Table(columns, tuple(tuple(row[place] for place in kept) for row in self.rows))

    @property
    def has_groups(self) -> bool:
        return any(column.group for column in self.columns)


def make_table(columns: Iterable[Column], rows: Iterable[Sequence[Cell]], note: str = "") -> Table:
    """A table whose numbers have equal digits within a column and whose best cells are marked."""
    columns, grid = tuple(columns), [list(row) for row in rows]
    for index, column in enumerate(columns):
        cells = [row[index] for row in grid]
        for row, cell in zip(grid, _finished(column, cells), strict=True):
            row[index] = cell
    return Table(columns, tuple(tuple(row) for row in grid), note)


def _finished(column: Column, cells: list[Cell]) -> list[Cell]:
    """One column's cells: unwritten numbers written alike, the best one marked."""
    numbers = [cell.value for cell in cells if cell.kind == "number" and cell.value is not None]
    digits = decimals(numbers)
    best = _best(column.better, numbers)
    return [
        replace(
            cell,
            text=cell.text or fixed(cell.value, digits),
            best=best is not None and cell.value == best,
        )
        if cell.kind == "number" and cell.value is not None
        else cell
        for cell in cells
    ]


def _best(better: str, numbers: Sequence[float]) -> float | None:
    """The best number; None where all are alike or nothing is better than anything."""
    if better not in ("high", "low") or len(set(numbers)) < 2:
        return None
    return max(numbers) if better == "high" else min(numbers)


def decimals(numbers: Sequence[float]) -> int:
    """Digits after the point, so that the smallest number of a column keeps three that count."""
    sizes = [abs(number) for number in numbers if number and math.isfinite(number)]
    if all(number == int(number) for number in sizes):
        return 0
    small, large = min(sizes), max(sizes)
    most = 0 if large >= 1000 else 3
    return max(0, min(most, 2 - math.floor(math.log10(small))))


def fixed(number: float | None, digits: int) -> str:
    """A number with so many digits after the point and thin spaces between thousands."""
    if number is None or not math.isfinite(number):
        return "—"
    return f"{number:,.{digits}f}".replace(",", "\u202f").replace("-", "\u2212")


def number(value: float | None, otherwise: Cell) -> Cell:
    """A cell for a number that its column will write, or `otherwise` where there is none."""
    if value is None:
        return otherwise
    return Cell("", "number", float(value))


def percent(value: float | None) -> Cell:
    """A share as a whole percentage with a bar behind it."""
    if value is None:
        return missing("—")
    return Cell(share_text(value), "number", value, share=value)


def share_text(value: float) -> str:
    """A share as a whole percentage; never 0 % or 100 % for what is not exactly so."""
    if 0 < value < 0.005:
        return "<1%"
    if 0.995 < value < 1:
        return ">99%"
    return f"{value:.0%}"


def missing(words: str, note: str = "") -> Cell:
    """A figure that there is not, with a word for why."""
    return Cell(words, "missing", note=note)


def megabytes(count: float | None) -> float | None:
    """Bytes as MB of 2^20."""
    return None if count is None else count / MIB
