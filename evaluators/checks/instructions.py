"""Instructions: does a reply do what its prompt asks for and a program can check?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from evaluators.evaluator import EachReply
from evaluators.instructions.instruction_declarations import (
    Check,
    Declared,
    declared_in,
    prompt_key,
)
from evaluators.instructions.instruction_rules import RULES, folded
from model_registry.files.shipped_data import DATASETS
from model_registry.records import Reply, Score
from rows.reading import read_data

INSTRUCTION_PROMPTS = DATASETS / "instructions"
_EMPHASIS = re.compile(r"\*\*|__|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)|^#{1,6}[ \t]+", re.M)


def instructions(reply: Reply) -> Score:
    """The share of its prompt's checkable instructions that a reply follows as it stands.

    Range: 0 to 1; high is better. None where the prompt declares no checks.
    Source: the column `checks` of the data, or of datasets/instructions for its prompts: 말투,
    글자 수, 문장 수, 목록, 포함할 말, JSON and others, each decided by a rule.
    Limits: says nothing of what else a reply is worth: "예." may follow all of them. 말투 is read
    from the ends of sentences; characters and sentences are counted in the first 10,000.
    """
    return instruction_score(reply, _ours(), loose=False)


def instructions_loose(reply: Reply) -> Score:
    """The same share, where a greeting, a closing line or Markdown emphasis is forgiven.

    Range: 0 to 1; high is better, and never below `instructions`. None where there are no checks.
    Source: a check counts as followed if it is by the reply, or by the reply without its first
    line, without its last line, without both, or any of these without emphasis and headings.
    Limits: forgives what some prompts mean ("첫 줄에 …"): read it beside the strict share.
    """
    return instruction_score(reply, _ours(), loose=True)


def instruction_score(reply: Reply, declared: Declared, *, loose: bool) -> Score:
    """The share of the checks declared for its prompt that a reply keeps; and which it does not."""
    checks = declared.get(prompt_key(reply.prompt))
    if not checks:
        return Score(None, "the prompt declares no checks")
    failed = [f"{check.code}: {why}" for check in checks if (why := _failure(check, reply, loose))]
    return Score(1 - len(failed) / len(checks), "; ".join(failed))


def _failure(check: Check, reply: Reply, loose: bool) -> str:
    """Why a reply does not keep a check; an empty one keeps none."""
    text = folded(reply.reply)
    if not text:
        return "the reply is empty"
    failure = RULES[check.code].failure
    why = failure(text, check.values)
    forgiven = loose and any(not failure(each, check.values) for each in _forgiving(text) if each)
    return "" if forgiven else why


def _forgiving(text: str) -> Iterator[str]:
    """The readings of a reply in which an instruction may be followed just as well."""
    lines = text.split("\n")
    for first, last in ((0, 0), (1, 0), (0, 1), (1, 1)):
        kept = "\n".join(lines[first : len(lines) - last]).strip()
        yield kept
        yield _EMPHASIS.sub("", kept).strip()


@cache
def _ours() -> Declared:
    return declared_in(read_data(INSTRUCTION_PROMPTS)) if INSTRUCTION_PROMPTS.is_dir() else {}


INSTRUCTIONS = EachReply(
    "instructions", instructions, label_en="instructions followed", label_ko="지시 이행"
)
INSTRUCTIONS_LOOSE = EachReply(
    "instructions_loose",
    instructions_loose,
    label_en="instructions followed, loosely",
    label_ko="지시 이행 (느슨하게)",
)


def with_declared(evaluator: EachReply, declared: Declared) -> EachReply:
    """One of the two for the checks that data of one's own declares."""
    loose = evaluator.name == INSTRUCTIONS_LOOSE.name
    known = {**_ours(), **declared}

    def check(reply: Reply) -> Score:
        return instruction_score(reply, known, loose=loose)

    return EachReply(
        evaluator.name, check, label_en=evaluator.label_en, label_ko=evaluator.label_ko
    )
