"""Allowed ranges of every number that a user may set, for studies, tables and options."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from model_registry.language import Both


@dataclass(frozen=True, slots=True)
class Range:
    """From `least` to `most`, both allowed; `above` refuses the least itself."""

    least: float
    most: float
    whole: bool = True
    above: bool = False

    @property
    def kinds(self) -> tuple[type[int] | type[float], ...]:
        """The types of a value: whole numbers count as numbers too."""
        return (int,) if self.whole else (float, int)

    def problem(self, value: object) -> Both | None:
        """What is wrong with a value; None if it is allowed."""
        if not isinstance(value, self.kinds) or isinstance(value, bool):
            return (
                f"must be {'a whole number' if self.whole else 'a number'}, not {value!r}",
                f"{'정수' if self.whole else '숫자'}여야 합니다: {value!r}",
            )
        if not math.isfinite(value):
            return (f"must be a finite number, not {value}", f"유한한 수여야 합니다: {value}")
        if value < self.least or (self.above and value == self.least):
            least, korean = self._at_least()
            return (f"must be {least}, not {value!r}", f"{korean} 합니다: {value!r}")
        if value <= self.most:
            return None
        most = f"{self.most:,.12g}"
        return (f"must be at most {most}, not {value!r}", f"{most} 이하여야 합니다: {value!r}")

    def _at_least(self) -> Both:
        if self.above or (self.whole and self.least == 1):
            bound = f"{self.least if self.above else 0:g}"
            return f"above {bound}", f"{bound}보다 커야"
        return f"{self.least:g} or more", f"{self.least:g} 이상이어야"


_TABLE = Path(__file__).with_name("ranges.toml")
#: By the name that a study, a declaration or an option gives it.
RANGES = {
    name: Range(**limits)
    for name, limits in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items()
}


def out_of_range(name: str, value: object, named: str = "") -> Both | None:
    """What is wrong with a value of this name; None where nothing is, or no range is known.

    `named` is what the user calls it, where that is another name.
    """
    known = RANGES.get(name)
    problem = known.problem(value) if known else None
    called = named or name
    return (f"{called} {problem[0]}", f"{called} 값은 {problem[1]}") if problem else None
