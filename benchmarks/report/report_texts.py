"""The fixed texts of a report in English and Korean."""

from __future__ import annotations

from pathlib import Path

from model_registry.language import read_texts, text
from model_registry.records import GRADES

_SENTENCES = read_texts(Path(__file__).with_name("report_texts.toml"))


def sentence(code: str, **values: object) -> str:
    """A sentence of `report_texts.toml` in the reader's language, its values filled in."""
    return text(*_SENTENCES[code]).format(**values)


def grade_words(mean: float) -> str:
    """The grade nearest to a mean of grades, and the mean: good (4.1)."""
    nearest = min(GRADES, key=lambda grade: abs(GRADES[grade] - mean))
    return f"{sentence(f'grade_{nearest}')} ({mean:.1f})"
