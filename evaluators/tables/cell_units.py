"""Units of measurement in cells: dimension and size in the base unit."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: `kind` is its dimension; units of one kind convert by their `size`."""

    kind: str
    size: float
    symbol: str


_TABLE = Path(__file__).with_name("cell_units.toml")
#: By every spelling.
UNITS = {
    spelling: Unit(unit["kind"], unit["size"], symbol)
    for symbol, unit in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items()
    for spelling in unit["spellings"].split()
}
_CASED = ("M", "K", "B", "m", "k")  # one letter, which means another thing in the other case


def unit_called(spelling: str) -> Unit | None:
    """The unit of a spelling, None where there is none: "MB", "Mb" and "mb" are one."""
    spelling = "".join(spelling.split())
    return UNITS.get(spelling) if spelling in _CASED else UNITS.get(spelling.lower())
