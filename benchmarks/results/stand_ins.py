"""Warns where a run's weights are not the real candidates': a label, and a banner in two texts."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results.run_head import RunHead
from model_registry.language import read_texts, text

_WORDS = read_texts(Path(__file__).with_name("stand_ins.toml"))


def stand_in(weights: str | None) -> str:
    """The label beside a name whose figures are not the real model's; empty otherwise."""
    code = f"stand_in_{weights}"
    return text(*_WORDS[code]) if code in _WORDS else ""


def banner(head: RunHead) -> tuple[str, str] | None:
    """Headline and text that warn where a run's weights are not the real candidates'."""
    if head.weights not in ("bundled", "random"):
        return None
    tiny = head.weights == "random" and head.contract.get("scale") != "full"
    about = f"measured_{head.weights}{'_tiny' if tiny else ''}"
    return text(*_WORDS[f"headline_{head.weights}"]), text(*_WORDS[about])
