"""Recognises columns by their names, in English and Korean; `names.toml` has them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rows.encoding import nfc

#: Instructions that a rule can decide; `evaluators.instructions` reads them.
CHECKS = "checks"

#: What `names.toml` calls columns, roles of a conversation and splits.
TABLES: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("names.toml").read_text(encoding="utf-8")
)
NAMES = TABLES["columns"]


def fold(name: str) -> str:
    """A column's name without what people write differently."""
    return re.sub(r"[\s_\-.]+", "", nfc(name).casefold())


_FOLDED = {role: tuple(map(fold, names)) for role, names in NAMES.items()}


def names_a(role: str, name: str) -> bool:
    """Whether a column's name is one of a role's."""
    return fold(name) in _FOLDED[role]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what; None where there is none."""

    question: str | None = None
    answer: str | None = None
    input: str | None = None
    system: str | None = None
    history: str | None = None
    conversation: str | None = None
    text: str | None = None

    def taken(self) -> dict[str, str]:
        """The columns in use, by role."""
        found = {role: getattr(self, role) for role in self.__slots__}
        return {role: name for role, name in found.items() if name is not None}


def find_all(role: str, names: Sequence[str], taken: Sequence[str | None] = ()) -> list[str]:
    """The columns of a role that are there and not taken, the likeliest name first."""
    by_name = {fold(name): name for name in reversed(names) if name not in taken}
    return [by_name[known] for known in _FOLDED[role] if known in by_name]


def find(role: str, names: Sequence[str], taken: Sequence[str | None] = ()) -> str | None:
    """The column of a role, by the likeliest name that is there and not taken."""
    return next(iter(find_all(role, names, taken)), None)
