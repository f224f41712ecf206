"""The report as Markdown, with its pictures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.report.evidence import Evidence
from benchmarks.report.html import rendered
from benchmarks.report.pictures.drawing import Picture

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&$])")


def escape(words: str) -> str:
    """A text that Markdown takes as it stands, on one line."""
    flat = " ".join(words.replace("\x00", "").split())
    return _SPECIAL.sub(r"\\\1", flat)


def to_markdown(evidence: Evidence, pictures: Sequence[Picture]) -> str:
    """The whole document."""
    page = rendered("report.md.jinja", evidence, pictures, {"md": escape, "fenced": _fenced})
    return page.strip() + "\n"


def _fenced(source: str) -> str:
    """A TOML text behind a fence longer than any in it, so that it can't close it."""
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}toml\n{source.rstrip()}\n{fence}"
