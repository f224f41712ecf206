"""Readability 0 to 5 of a diagram, from the networks and from geometry.

Both can be asked for. Which of them, or their mean, is *the* readability was decided by
cross-validation on made scores when the networks were trained; the report beside them says it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diagrams.diagram import Diagram
from diagrams.scoring.geometry import geometric_score, measure
from diagrams.scoring.pixel_arrays import stack_darkness
from model_registry.errors import OhloraError

if TYPE_CHECKING:
    # Imports torch; a clear error about missing weights needs none of it.
    from diagrams.scoring.networks import ReadabilityNetwork

WEIGHTS = Path(__file__).parent / "weights"
JUDGES_FILE, REPORT_FILE = "readability.safetensors", "report.json"
SEEN, COUNTED, BOTH = WAYS = ("judges", "geometry", "mean of both")


class WeightsMissing(OhloraError):
    """The trained networks are not there; the message says how to make them."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is missing. `make diagram-models` trains it in some minutes.",
            f"{path} 파일이 없습니다. `make diagram-models`로 몇 분 안에 만들 수 있습니다.",
        )


def readability(diagrams: Sequence[Diagram], weights: Path = WEIGHTS) -> list[float]:
    """Readability by the way that erred least in cross-validation; 0 for a diagram without nodes.

    Raises:
        DiagramRefused: one is too large to be drawn.
        WeightsMissing: the networks were never trained.
    """
    way = readability_way(weights)
    counted = [geometric_score(measure(diagram)) for diagram in diagrams]
    if way == COUNTED:
        return counted
    looked = seen(diagrams, weights)
    if way == SEEN:
        return looked
    return [round((one + other) / 2, 4) for one, other in zip(looked, counted, strict=True)]


@cache
def readability_way(weights: Path = WEIGHTS) -> str:
    """Which of WAYS erred least on spoilt diagrams in cross-validation, by the training's report.

    Good ones do not count: they are made without the faults that are counted, so that the counted
    score is right about them by construction.

    Raises:
        WeightsMissing: the networks were never trained.
    """
    path = weights / REPORT_FILE
    if not path.exists():
        raise WeightsMissing(path)
    found = json.loads(path.read_text(encoding="utf-8"))["cross_validation"]
    return min(WAYS, key=lambda way: float(found[way]["of_spoilt"]))


def seen(diagrams: Sequence[Diagram], weights: Path = WEIGHTS) -> list[float]:
    """The mean readability that the networks give each picture; 0 for a diagram without nodes.

    Raises:
        DiagramRefused: one is too large to be drawn.
        WeightsMissing: the judges were never trained.
    """
    shown = [diagram for diagram in diagrams if diagram.nodes]
    found = iter(_judge(shown, weights)) if shown else iter(())
    return [next(found) if diagram.nodes else 0.0 for diagram in diagrams]


def _judge(diagrams: Sequence[Diagram], weights: Path) -> list[float]:
    judges = _judges(weights / JUDGES_FILE)
    # Imports torch; a clear error about missing weights needs none of it.
    from diagrams.scoring.networks import scores

    pixels = stack_darkness(diagrams)
    mean = np.mean([scores(judge, pixels) for judge in judges], axis=0)
    return [round(float(value), 4) for value in mean]


@cache
def _judges(path: Path) -> list[ReadabilityNetwork]:
    if not path.exists():
        raise WeightsMissing(path)
    # Imports torch; a clear error about missing weights needs none of it.
    from diagrams.scoring.networks import ReadabilityNetwork, load

    return load(ReadabilityNetwork, path)
