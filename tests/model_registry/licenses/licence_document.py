"""The table of docs/licences.md, written from the data: `python -m` this module."""

from __future__ import annotations

from pathlib import Path

from model_registry.language import read_by
from model_registry.licenses.license_uses import USES, all_terms

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "licences.md"
BEGIN, END = "<!-- licences: generated -->", "<!-- licences: end -->"


def table() -> str:
    """A row a licence: the answer for each use, how it was read, when; then every clause."""
    lines = ["| licence | " + " | ".join(USES) + " | read |", "|---|" + "---|" * (len(USES) + 1)]
    for terms in all_terms():
        answers = " | ".join(terms.uses[use].answer for use in USES)
        lines.append(f"| {terms.title} | {answers} | {terms.read}, {terms.read_on} |")
    lines.append("")
    for terms in all_terms():
        lines += [f"**{terms.title}** — {terms.source}", ""]
        lines += [f"- {use}: {terms.uses[use].english} · {terms.uses[use].korean}" for use in USES]
        if terms.attribution:
            lines.append(f"- to show: {terms.attribution.english} · {terms.attribution.korean}")
        lines.append("")
    return "\n".join(lines).strip()


def written() -> str:
    """The document with its table as the data has it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return f"{text[:begin]}\n{table()}\n{text[end:]}"


if __name__ == "__main__":
    with read_by(korean=False):
        DOCUMENT.write_text(written(), encoding="utf-8")
