"""Makes the trained networks: `make diagram-models`, or `python -m diagrams.recipe`.

Everything is generated, drawn and trained from one seed. Beside the weights stands a report of how
well the networks and the counted score agree with the made scores, in cross-validation.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from diagrams.geometry import geometric_score, measure
from diagrams.networks import Array, save
from diagrams.pictures import colours, darkness
from diagrams.rated import Rated, make_rated
from diagrams.readability import BOTH, COUNTED, JUDGES_FILE, REPORT_FILE, SEEN, WEIGHTS
from diagrams.taste import ENCODER_FILE
from diagrams.training import Ensemble, train_autoencoder, train_ensemble

SEED = 20261121
EXAMPLES, FOLDS, EPOCHS = 6_000, 4, 16
REMEMBERED, MEMORY_EPOCHS = 1_600, 12


def make(out: Path = WEIGHTS, examples: int = EXAMPLES, epochs: int = EPOCHS) -> dict[str, Any]:
    """Train both kinds of network into the folder `out`; the report that is written there too."""
    started = time.perf_counter()
    rated = make_rated(examples, SEED)
    labels = np.array([example.score for example in rated])
    with Progress() as bar:
        task = bar.add_task("drawing", total=examples)
        pixels = np.stack([_step(bar, task, darkness(example.diagram)) for example in rated])
        some = rated[: min(REMEMBERED, examples)]
        memory = bar.add_task("auto-encoder", total=MEMORY_EPOCHS)
        encoder, collapsed = train_autoencoder(
            np.stack([colours(example.diagram) for example in some]),
            epochs=MEMORY_EPOCHS,
            seed=SEED,
            on_epoch=lambda: bar.advance(memory),
        )
        save([encoder], out / ENCODER_FILE)
        task = bar.add_task("judges", total=FOLDS * epochs)
        ensemble = train_ensemble(
            pixels,
            labels,
            epochs=epochs,
            seed=SEED,
            folds=FOLDS,
            on_epoch=lambda: bar.advance(task),
        )
        save(list(ensemble.judges), out / JUDGES_FILE)
    report = {
        "examples": examples,
        "folds": FOLDS,
        "collapsed": {"judges": ensemble.retries, "auto-encoder": collapsed},
        "cross_validation": cross_validation(rated, labels, ensemble),
        "bytes": sum((out / name).stat().st_size for name in (JUDGES_FILE, ENCODER_FILE)),
        "seconds": round(time.perf_counter() - started),
    }
    (out / REPORT_FILE).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _step(bar: Progress, task: Any, made: Any) -> Any:
    bar.advance(task)
    return made


def cross_validation(rated: list[Rated], labels: Array, ensemble: Ensemble) -> dict[str, Any]:
    """Errors on the made scores: judges on folds that they had not seen, counts, a constant."""
    counted = np.array([geometric_score(measure(example.diagram)) for example in rated])
    constant = np.full(len(labels), np.median(labels))
    judges = ensemble.held_out
    ways = {
        SEEN: judges,
        COUNTED: counted,
        BOTH: (judges + counted) / 2,
        "constant": constant,
    }
    return {name: errors(values, labels) for name, values in ways.items()}


def errors(values: Array, labels: Array) -> dict[str, float | None]:
    """Mean absolute error over all, over spoilt ones (below 5), and Spearman's rank correlation."""
    from scipy.stats import spearmanr

    wrong, spoilt = np.abs(values - labels), labels < 5
    ranked = np.ptp(values) > 0 and np.ptp(labels) > 0
    return {
        "mean_absolute_error": round(float(wrong.mean()), 4),
        "of_spoilt": round(float(wrong[spoilt].mean()), 4) if spoilt.any() else None,
        "rank_correlation": round(float(spearmanr(values, labels)[0]), 4) if ranked else None,
    }


if __name__ == "__main__":
    print(json.dumps(make(), indent=1))
