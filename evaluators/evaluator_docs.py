"""Writes docs/evaluators.md from the evaluators' docstrings: `python -m evaluators.evaluator_docs`.

The docstring of an evaluator's function is the one place where its meaning, range, source and
limits stand; docs/evaluators.md repeats them between two marks.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluators.evaluator import AllReplies, Composite, EachReply, EachText, Evaluator
from evaluators.evaluator_registry import built_in_evaluators

PAGE = Path(__file__).resolve().parent.parent / "docs" / "evaluators.md"
BEGIN, END = "<!-- evaluators: begin -->", "<!-- evaluators: end -->"
PARTS = ("Range", "Source", "Limits")
BETTER = {"high": "higher is better", "low": "lower is better", "neither": "only informs"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One evaluator in words; a part is empty where its author wrote none."""

    name: str
    better: str
    meaning: str
    range: str
    source: str
    limits: str


def describe(evaluator: Evaluator) -> Entry:
    """The entry of an evaluator, from the docstring of the function that it is made of."""
    match evaluator:
        case Composite():
            function: object = evaluator.combine
        case EachText() | EachReply() | AllReplies():
            function = evaluator.check
        case _:
            function = type(evaluator)
    text = inspect.getdoc(function) or ""
    pieces = re.split(rf"^({'|'.join(PARTS)}):", text, flags=re.M)
    found = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    meaning, *parts = (" ".join(t.split()) for t in (pieces[0], *(found.get(p, "") for p in PARTS)))
    return Entry(evaluator.name, evaluator.better, meaning, *parts)


def entries_as_markdown(evaluators: Mapping[str, Evaluator]) -> str:
    """A section for each evaluator, in the order of their names."""
    sections = []
    for entry in sorted(map(describe, evaluators.values()), key=lambda entry: entry.name):
        parts = zip(PARTS, (entry.range, entry.source, entry.limits), strict=True)
        lines = [f"### {entry.name}", "", f"*{BETTER[entry.better]}* — {entry.meaning}", ""]
        lines += [f"- **{part}:** {text}" for part, text in parts if text]
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def page_with_entries(page: str) -> str:
    """The page with what stands between the marks made anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    # Each is shown whether or not the extra that it needs is installed where the page is made.
    found = built_in_evaluators()
    entries = entries_as_markdown(found)
    return f"{before}{BEGIN}\n\n{entries}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with_entries(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
