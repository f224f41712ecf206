"""Writes a bundled model's card from measured figures."""

from __future__ import annotations

import textwrap
from pathlib import Path

from model_registry.bundled.assessment import SAMPLE, Assessment
from model_registry.bundled.bundled_training import BEGUN, EARLIER_TURN, MISLED, TrainingPlan
from model_registry.candidate import Candidate


def write_card(candidate: Candidate, plan: TrainingPlan, found: Assessment, rows: int) -> str:
    """The text of README.md in the model's folder.

    Args:
        candidate: the catalog's entry.
        plan: how it was trained.
        found: what was measured on the saved folder.
        rows: how many pairs it was trained on.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - Markdown, not HTML
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"paragraph": _filled, "point": _point, "cell": _cell}
    return environment.get_template("card.md.jinja").render(
        candidate=candidate,
        values=candidate.architecture,
        plan=plan,
        found=found,
        rows=rows,
        sample=SAMPLE,
        misled=MISLED,
        begun=BEGUN,
        earlier_turn=EARLIER_TURN,
    )


def _filled(text: str, indent: str = "") -> str:
    words = text.strip()
    return textwrap.fill(words, 99, subsequent_indent=indent, break_long_words=False) + "\n"


def _point(text: str) -> str:
    return _filled(f"- {text.strip()}", indent="  ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
