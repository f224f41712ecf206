"""The weights of the exam profile of `quality`, learnt from replies that a judge had graded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LEARNT = Path(__file__).parent / "checks" / "data" / "quality_weights.json"


@dataclass(frozen=True, slots=True)
class LearntWeights:
    """The sum of the exam profile, in grades of the judge, and the curve that makes it a chance."""

    weights: Mapping[str, float]  # what each merit adds to the expected grade, 0 to 10
    intercept: float  # the grade of a reply without any merit
    middle: float  # the expected grade at which the chance is one half
    spread: float  # of the logistic curve

    def grade(self, merits: Mapping[str, float]) -> float:
        """The grade that the judge is expected to give."""
        return self.intercept + sum(w * merits[name] for name, w in self.weights.items())

    def chance(self, grade: float) -> float:
        """The chance that the judge gives at least its median grade."""
        return 1 / (1 + math.exp(-(grade - self.middle) / self.spread))


@cache
def learnt_weights(path: Path = LEARNT) -> LearntWeights:
    """What `evaluators.training.train_quality` has written."""
    exam = json.loads(path.read_text(encoding="utf-8"))["exam"]
    return LearntWeights(exam["weights"], exam["intercept"], exam["middle"], exam["spread"])
