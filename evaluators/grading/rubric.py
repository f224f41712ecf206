"""The rubric: five grades with meaning and example, flags, and two practice items.

The texts stand in rubric.toml, in English and Korean; the page shows one of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_registry.records import GRADES


@dataclass(frozen=True, slots=True)
class BilingualText:
    """One text in English and Korean."""

    en: str
    ko: str


@dataclass(frozen=True, slots=True)
class GradeLevel:
    """One of the five grades."""

    value: int
    name: str  # as Korean graders know it
    english: str
    meaning: BilingualText
    example: BilingualText


@dataclass(frozen=True, slots=True)
class PracticeReply:
    """A reply to try the grades on, with the grade most people give and why."""

    reply: str
    usual: int
    why: BilingualText


@dataclass(frozen=True, slots=True)
class Practice:
    """One practice item."""

    prompt: str
    replies: tuple[PracticeReply, ...]


_TEXTS = tomllib.loads(Path(__file__).with_name("rubric.toml").read_text(encoding="utf-8"))


def _bilingual(entries: Mapping[str, Mapping[str, str]]) -> dict[str, BilingualText]:
    return {name: BilingualText(**both) for name, both in entries.items()}


#: The prompt that the examples of the grades answer.
EXAMPLE_PROMPT = BilingualText(**_TEXTS["example_prompt"])
#: Best first.
LEVELS = tuple(
    GradeLevel(
        GRADES[level["name"]],
        level["name"],
        level["english"],
        BilingualText(**level["meaning"]),
        BilingualText(**level["example"]),
    )
    for level in _TEXTS["levels"]
)
#: What may be wrong with a reply, beside its grade.
FLAGS = _bilingual(_TEXTS["flags"])
#: Why an item may be left ungraded.
SKIP_REASONS = _bilingual(_TEXTS["skip_reasons"])
PRACTICE = tuple(
    Practice(
        item["prompt"],
        tuple(
            PracticeReply(one["reply"], one["usual"], BilingualText(**one["why"]))
            for one in item["replies"]
        ),
    )
    for item in _TEXTS["practice"]
)
