"""Persona: does a reply state the fact that its prompt asks for?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TypeGuard

from evaluators.evaluator import EachReply
from evaluators.korean_text import normal
from model_registry.errors import BadFile
from model_registry.files.shipped_data import DATASETS
from model_registry.records import Reply, Score
from rows.table import read_table

PERSONA = DATASETS / "persona"
SPACES = re.compile(r"[\s,.!?~]+")

Facts = Mapping[str, tuple[str, ...]]  # what a prompt asks for → any of these must be said


def persona_facts(reply: Reply) -> Score:
    """1 where the reply states the fact of our persona that the prompt asks for, else 0.

    Range: 0 or 1; high is better. None where the prompt asks for none of them.
    Source: datasets/persona: each fact with the words of which one must be said, and the prompts
    of the validation and test rows that ask for it.
    Limits: knows our persona only (another one: `fact_check` with its own facts); a fact that is
    said and denied in one breath counts as kept.
    """
    facts = _our_facts()
    if not facts:
        return Score(None, "the persona's facts are not installed: they are in datasets/persona")
    return fact_check(reply, facts)


def fact_check(reply: Reply, facts: Facts) -> Score:
    """Whether the reply says one of the words that `facts` demands for its prompt."""
    wanted = facts.get(_key(reply.prompt))
    if wanted is None:
        return Score(None, "the prompt asks for no fact")
    said = _key(reply.reply)
    if any(_key(word) in said for word in wanted):
        return Score(1.0)
    return Score(0.0, f"does not say {' or '.join(wanted)}")


def read_facts(folder: Path) -> dict[str, tuple[str, ...]]:
    """The facts in a folder of the form of datasets/persona, by the prompts that ask for them.

    `facts.json` holds rows of fact, question and any_of; rows of `*.jsonl` that name a fact add
    their prompt to it.

    Raises:
        BadFile: a file is broken, or a fact lacks one of the three.
    """
    path = folder / "facts.json"
    if not path.is_file():
        return {}
    words: dict[str, tuple[str, ...]] = {}
    facts: dict[str, tuple[str, ...]] = {}
    for record in read_table(path).records:
        fact, question, said = (record.cells.get(name) for name in ("fact", "question", "any_of"))
        if not isinstance(fact, str) or not isinstance(question, str) or not _are_texts(said):
            raise BadFile(
                path,
                record.line,
                "a fact needs fact, question and any_of, a list",
                "fact, question과 목록인 any_of가 모두 있어야 합니다",
            )
        words[fact] = facts[_key(question)] = tuple(said)
    for file in sorted(folder.glob("*.jsonl")):
        for record in read_table(file, empty=True).records:
            fact, prompt = record.cells.get("fact"), record.cells.get("prompt")
            if isinstance(prompt, str) and isinstance(fact, str) and fact in words:
                facts[_key(prompt)] = words[fact]
    return facts


def _are_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _key(text: str) -> str:
    return SPACES.sub("", normal(text)).lower()


@cache
def _our_facts() -> dict[str, tuple[str, ...]]:
    return read_facts(PERSONA)


PERSONA_FACTS = EachReply(
    "persona_facts", persona_facts, label_en="persona facts", label_ko="페르소나 사실"
)
