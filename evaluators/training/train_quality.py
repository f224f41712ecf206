"""Learns the weights of `quality_exam` from judged replies, and says how well they carry over.

    python -m evaluators.training.train_quality JUDGED.csv

JUDGED.csv has the columns model, prompt_id, prompt, reply and judge_score (0 to 10). Neither the
model nor the prompt's number is seen by any part: they only say which rows are held out together.
The replies stay where they are; weights and figures go into `checks/data/quality_weights.json`.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear, minimize
from scipy.stats import spearmanr

from evaluators.evaluator_registry import judge_replies
from evaluators.learnt_weights import LEARNT, LearntWeights
from evaluators.quality import FAULTS, QUALITY_EXAM, faults, merits
from model_registry.records import Reply

#: The least that a merit weighs, in grades. The judged replies hold few short, foreign or broken
#: off ones, so that what they say of these is weak: common sense is stated here instead.
LEAST: Mapping[str, float] = {"length": 1.0, "korean": 0.5, "complete": 0.5}
PENALTIES = (50.0, 200.0, 800.0)  # of the ridge, in replies; chosen inside each fold
INNER_FOLDS = 5
BOTH_FOLDS = 6  # of models, and as many of prompts
SEED = 20260401
DRAWS = 2_000

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judged:
    """Judged replies: merits (replies × parts), what faults leave, grades, and the groups."""

    names: tuple[str, ...]
    merits: Floats
    left: Floats  # 1 without a fault
    grades: Floats
    models: NDArray[np.str_]
    prompts: NDArray[np.str_]


def read_judged(path: Path) -> Judged:
    """The file's replies, as the parts of the composite see them."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    replies = [_reply(row) for row in rows]
    scores, _ = judge_replies(QUALITY_EXAM.parts, replies)
    width = len(QUALITY_EXAM.parts)
    values = [
        {one.evaluator: one.value for one in scores[i * width : (i + 1) * width]}
        for i in range(len(replies))
    ]
    found = [merits(r, v, "exam") for r, v in zip(replies, values, strict=True)]
    left = [
        0.0
        if v["empty"]
        else math.prod(1 - FAULTS[name] * fault for name, fault in faults(r, v, "exam").items())
        for r, v in zip(replies, values, strict=True)
    ]
    names = tuple(found[0])
    return Judged(
        names=names,
        merits=np.array([[one[name] for name in names] for one in found]),
        left=np.array(left),
        grades=np.array([float(row["judge_score"]) for row in rows]),
        models=np.array([row["model"] for row in rows]),
        prompts=np.array([row["prompt_id"] for row in rows]),
    )


def _reply(row: Mapping[str, str]) -> Reply:
    return Reply(
        case=row["model"],
        candidate=row["model"],
        prompt=row["prompt"],
        reply=row["reply"],
        pass_="greedy",
        tuned=None,
        new_tokens=None,
        finish_reason="",
    )


def fit_sum(merits: Floats, grades: Floats, names: Sequence[str], penalty: float) -> Floats:
    """Ridge on standardised merits with a least weight for each; the last number is the intercept.

    Minimises |Zw - y|² + penalty |w|² with w >= the least; a merit that speaks against the grade
    gets 0, never less.
    """
    spread = merits.std(axis=0) + 1e-9
    centred = (merits - merits.mean(axis=0)) / spread
    parts = merits.shape[1]
    design = np.vstack([centred, math.sqrt(penalty) * np.eye(parts)])
    wanted = np.concatenate([grades - grades.mean(), np.zeros(parts)])
    least = np.array([LEAST.get(name, 0.0) for name in names]) * spread
    weights = lsq_linear(design, wanted, bounds=(least, np.inf), method="bvls").x / spread
    return np.append(weights, grades.mean() - merits.mean(axis=0) @ weights)


def fit_curve(sums: Floats, good: Mask) -> tuple[float, float]:
    """The middle and spread of the logistic curve that gives the chance of a good grade."""

    def surprise(curve: Floats) -> float:
        z = curve[0] + curve[1] * sums
        return float(np.sum(np.logaddexp(0, z) - good * z))

    bias, slope = minimize(surprise, np.array([-3.0, 0.5])).x
    return float(-bias / slope), float(1 / slope)


def fit(judged: Judged, rows: Mask, penalty: float) -> LearntWeights:
    """Weights and curve from some of the replies."""
    merits, grades = judged.merits[rows], judged.grades[rows]
    learnt = fit_sum(merits, grades, judged.names, penalty)
    good = grades >= np.median(judged.grades)
    middle, spread = fit_curve(merits @ learnt[:-1] + learnt[-1], good)
    return _named(judged.names, learnt, middle, spread)


def _named(names: Sequence[str], learnt: Floats, middle: float, spread: float) -> LearntWeights:
    weights = {name: round(float(w), 3) for name, w in zip(names, learnt[:-1], strict=True)}
    return LearntWeights(weights, round(float(learnt[-1]), 3), round(middle, 3), round(spread, 3))


def values_of(judged: Judged, rows: Mask, learnt: LearntWeights) -> Floats:
    """The composite's values of some of the replies."""
    weights = np.array([learnt.weights[name] for name in judged.names])
    grade = judged.merits[rows] @ weights + learnt.intercept
    value: Floats = judged.left[rows] / (1 + np.exp(-(grade - learnt.middle) / learnt.spread))
    return value


def best_penalty(judged: Judged, rows: Mask) -> float:
    """The penalty under which models left out, of these rows, are ranked best reply by reply."""

    def agreement(penalty: float) -> float:
        values = np.zeros(len(rows))
        for held in held_out(judged.models, INNER_FOLDS):
            values[held & rows] = values_of(judged, held & rows, fit(judged, rows & ~held, penalty))
        return float(spearmanr(values[rows], judged.grades[rows]).statistic)

    return max(PENALTIES, key=agreement)


def held_out(groups: NDArray[np.str_], folds: int | None = None) -> Iterator[Mask]:
    """Which rows are left out, fold by fold: whole groups, one at a time without `folds`."""
    order = np.random.default_rng(SEED).permutation(np.unique(groups))
    for some in np.array_split(order, folds or len(order)):
        yield np.isin(groups, some)


def cross_validated(judged: Judged, way: str) -> tuple[Floats, list[LearntWeights]]:
    """Each reply's value by weights that never saw its model, its prompt, or either."""
    everything = np.ones(len(judged.grades), dtype=bool)
    if way == "models":
        pairs = [(held, everything) for held in held_out(judged.models)]
    elif way == "prompts":
        pairs = [(everything, held) for held in held_out(judged.prompts)]
    else:
        prompts = list(held_out(judged.prompts, BOTH_FOLDS))
        pairs = [(m, p) for m in held_out(judged.models, BOTH_FOLDS) for p in prompts]
    values, fits = np.zeros(len(judged.grades)), []
    for model, prompt in pairs:
        unseen = (~model if not model.all() else everything) & (
            ~prompt if not prompt.all() else everything
        )
        learnt = fit(judged, unseen, best_penalty(judged, unseen))
        values[model & prompt] = values_of(judged, model & prompt, learnt)
        fits.append(learnt)
    return values, fits


def agreements(judged: Judged, values: Floats) -> dict[str, list[float]]:
    """Spearman over models' means and over replies, each with a 95 % interval.

    The interval is a bootstrap that draws models and prompts anew, both at once.
    """
    models, prompts = np.unique(judged.models), np.unique(judged.prompts)
    place = {(m, p): i for i, (m, p) in enumerate(zip(judged.models, judged.prompts, strict=True))}
    table = np.array([[place[m, p] for p in prompts] for m in models])

    def both(rows: NDArray[np.int64]) -> tuple[float, float]:
        value, grade = values[rows], judged.grades[rows]
        over_models = spearmanr(value.mean(axis=1), grade.mean(axis=1)).statistic
        return float(over_models), float(spearmanr(value.ravel(), grade.ravel()).statistic)

    chance = np.random.default_rng(SEED)
    drawn = np.array(
        [
            both(table[chance.integers(0, len(models), len(models))][:, columns])
            for columns in chance.integers(0, len(prompts), (DRAWS, len(prompts)))
        ]
    )
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return {
        name: [round(float(x), 3) for x in (both(table)[i], low[i], high[i])]
        for i, name in enumerate(("models", "replies"))
    }


def learn(judged: Judged, show: Callable[[str], None]) -> dict[str, object]:
    """The final weights with their ranges over the folds, and all figures of cross-validation."""
    figures: dict[str, object] = {}
    for way in ("models", "prompts", "both"):
        values, fits = cross_validated(judged, way)
        found = agreements(judged, values)
        figures[f"held_out_{way}"] = found
        show(f"held out {way}: Spearman of models {found['models']}, of replies {found['replies']}")
    everything = np.ones(len(judged.grades), dtype=bool)
    penalty = best_penalty(judged, everything)
    learnt = fit(judged, everything, penalty)
    for name, weight in sorted(learnt.weights.items(), key=lambda item: -item[1]):
        show(f"{name:<12}{weight:6.2f}")
    return {
        "weights": learnt.weights,
        "intercept": learnt.intercept,
        "middle": learnt.middle,
        "spread": learnt.spread,
        "ranges": {
            name: [f(one.weights[name] for one in fits) for f in (min, max)]
            for name in judged.names
        },
        "penalty": penalty,
        "figures": figures,
    }


def main() -> None:
    """Learn, cross-validate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("judged", type=Path, help="a CSV of judged replies")
    parser.add_argument("--out", type=Path, default=LEARNT)
    chosen = parser.parse_args()
    judged = read_judged(chosen.judged)
    exam = learn(judged, print)
    exam["learnt_from"] = {
        "file": chosen.judged.name,
        "sha256": sha256(chosen.judged.read_bytes()).hexdigest(),
        "replies": len(judged.grades),
        "models": len(np.unique(judged.models)),
        "prompts": len(np.unique(judged.prompts)),
        "good_grade": float(np.median(judged.grades)),
        "learnt_on": datetime.now(UTC).date().isoformat(),
    }
    chosen.out.write_text(json.dumps({"exam": exam}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
