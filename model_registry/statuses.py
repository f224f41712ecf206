"""Every way a case can end: what it means in words, what helps, and whether it is tried again.

A status is one entry of statuses.toml. Tables, reports, notes, the terminal and docs/runs.md read
it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from model_registry.language import text


@dataclass(frozen=True, slots=True)
class Status:
    """One way a case can end. The cure is what helps where the case itself names none.

    `memory`: it ran out of memory. `can_change`: another way of running, or less memory needed,
    may help, so that a case is done in place of it. `interrupted`: it was ended from outside, says
    nothing of its candidate, and `--resume` does it again.
    """

    code: str
    en: str
    ko: str
    cure_en: str = ""
    cure_ko: str = ""
    memory: bool = False
    can_change: bool = False
    interrupted: bool = False

    @property
    def words(self) -> str:
        """What it means, for people."""
        return text(self.en, self.ko)

    @property
    def cure(self) -> str:
        """What helps against it in general; empty where nothing is known to."""
        return text(self.cure_en, self.cure_ko)


_TABLE = Path(__file__).with_name("statuses.toml")

#: By the code that stands in a result.
STATUSES = {
    code: Status(code, **said)
    for code, said in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items()
}

#: What a table says of a failure that no status of ours names.
SAID_IN_TABLES = {
    "out_of_memory": ("out of memory", "메모리 부족"),
    "failed": ("failed", "실패"),
}


def status_called(code: str) -> Status:
    """The status of a code; one that is not of ours stands for itself and has no cure."""
    return STATUSES.get(code) or Status(code, *SAID_IN_TABLES.get(code, (code, code)))


def status_words(code: str) -> str:
    """A status as text; a third-party one unchanged."""
    return status_called(code).words
