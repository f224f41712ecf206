"""Replies for the tests of the evaluators."""

from __future__ import annotations

import re
from pathlib import Path

from evaluators.tables.reply_table import read_reply_table
from model_registry.records import Reply

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT.parent / "shared" / "reference"


def a_reply(
    text: str,
    prompt: str = "오늘 뭐 해?",
    finish_reason: str = "",
    pass_: str = "greedy",
    tuned: int | None = None,
    reference: str | None = None,
    case: str = "case",
) -> Reply:
    return Reply(
        case=case,
        candidate="candidate",
        prompt=prompt,
        reply=text,
        pass_=pass_,
        tuned=tuned,
        new_tokens=None,
        finish_reason=finish_reason,
        reference=reference,
    )


def read_replies(
    path: Path | str,
    prompt_column: str | None = None,
    reply_column: str | None = None,
    reference_column: str | None = None,
) -> list[Reply]:
    """The replies of a table with one column of them."""
    chosen = [reply_column] if reply_column else []
    return list(read_reply_table(path, prompt_column, chosen, reference_column).replies)


def honest(asked: str) -> str:
    """A judge that knows what is good wherever it stands."""
    shown = re.findall(r"\[([A-H])\]\n(.*?)\n\[/", asked, flags=re.S)
    return "\n".join(f"{letter}: {'최상' if '축하' in text else '하'}" for letter, text in shown)
