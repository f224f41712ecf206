"""Known error messages, each with its cause and cure.

`diagnose` is pure: text in, causes and cures out.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from model_registry.language import text


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One cause that a message points to. `pattern` is searched for, whatever the case."""

    name: str
    pattern: str
    cause_en: str
    cause_ko: str
    cure_en: str
    cure_ko: str

    @property
    def cause(self) -> str:
        return text(self.cause_en, self.cause_ko)

    @property
    def cure(self) -> str:
        return text(self.cure_en, self.cure_ko)


_TABLE = Path(__file__).with_name("diagnoses.toml")

#: By name. The first that matches is the likeliest.
DIAGNOSES = {
    name: Diagnosis(name, **said)
    for name, said in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items()
}


def diagnose(message: str) -> list[Diagnosis]:
    """All causes that a message points to, the likeliest first; none where it is not known."""
    return [
        d for d in DIAGNOSES.values() if re.search(d.pattern, message, re.IGNORECASE | re.DOTALL)
    ]


def cure_of_cause(name: str) -> str:
    """The cure of a cause by its name, in the reader's language; the name where it is unknown."""
    return DIAGNOSES[name].cure if name in DIAGNOSES else name
