"""Trains the scoring networks: `make diagram-models`, or this module run by `-m`.

Everything is generated, drawn and trained from one seed. Beside the weights stands a report of how
well the networks and the counted score agree with the made scores, in cross-validation.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress

from diagrams.scoring.appearance import appearance_matrix
from diagrams.scoring.geometry import geometric_score, measure
from diagrams.scoring.networks import Array, AutoEncoder, save
from diagrams.scoring.pixel_arrays import Pixels, colours, darkness
from diagrams.scoring.readability import BOTH, COUNTED, JUDGES_FILE, REPORT_FILE, SEEN, WEIGHTS
from diagrams.scoring.taste import ENCODER_FILE
from diagrams.training.labelled_diagrams import LabelledDiagram, make_labelled
from diagrams.training.network_training import (
    Ensemble,
    train_autoencoder,
    train_ensemble,
    train_first_judge,
)

SEED = 20261121
#: The first judge learns from examples of its own, another seed's, so that no fold has seen them.
FIRST_SEED, FIRST_EXAMPLES, FIRST_EPOCHS = SEED + 1, 8_000, 12
EXAMPLES, FOLDS, EPOCHS = 6_000, 4, 4
REMEMBERED, MEMORY_EPOCHS = 1_600, 12


def make(out: Path = WEIGHTS) -> dict[str, object]:
    """Train both kinds of network into the folder `out`; the report that is written there too."""
    wall, cpu = time.perf_counter(), time.process_time()
    torch.set_num_threads(1)  # so that the weights don't depend on how many cores there are
    rated = make_labelled(EXAMPLES, SEED)
    labels = _labels(rated)
    with Progress() as bar:
        encoder, lost = _autoencoder(rated[:REMEMBERED], bar)
        save([encoder], out / ENCODER_FILE)
        ensemble, lost_first = _ensemble(rated, labels, bar)
        save(list(ensemble.judges), out / JUDGES_FILE)
    report = {
        "examples": EXAMPLES,
        "folds": FOLDS,
        "collapsed": {"judges": lost_first + ensemble.retries, "auto-encoder": lost},
        "cross_validation": cross_validation(rated, labels, ensemble),
        "bytes": sum((out / name).stat().st_size for name in (JUDGES_FILE, ENCODER_FILE)),
        "seconds": round(time.perf_counter() - wall),
        "processor_seconds": round(time.process_time() - cpu),
    }
    (out / REPORT_FILE).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _autoencoder(rated: list[LabelledDiagram], bar: Progress) -> tuple[AutoEncoder, int]:
    """The auto-encoder of these pictures, with how much their looks vary; and the tries lost."""
    pixels = _drawn(rated, bar, colours)
    task = bar.add_task("auto-encoder", total=MEMORY_EPOCHS)
    encoder, lost = train_autoencoder(
        pixels, epochs=MEMORY_EPOCHS, seed=SEED, on_epoch=lambda: bar.advance(task)
    )
    spread = appearance_matrix(example.diagram for example in rated).std(axis=0)
    encoder.looks_spread.copy_(torch.from_numpy(spread + 1e-3))
    return encoder, lost


def _ensemble(rated: list[LabelledDiagram], labels: Array, bar: Progress) -> tuple[Ensemble, int]:
    """A judge for each fold, and how often the first one collapsed."""
    others = make_labelled(FIRST_EXAMPLES, FIRST_SEED)
    task = bar.add_task("first judge", total=FIRST_EPOCHS)
    first, lost = train_first_judge(
        _drawn(others, bar, darkness),
        _labels(others),
        FIRST_EPOCHS,
        SEED,
        lambda: bar.advance(task),
    )
    task = bar.add_task("judges", total=FOLDS * EPOCHS)
    ensemble = train_ensemble(
        _drawn(rated, bar, darkness),
        labels,
        epochs=EPOCHS,
        seed=SEED,
        folds=FOLDS,
        start=first,
        on_epoch=lambda: bar.advance(task),
    )
    return ensemble, lost


def _labels(rated: list[LabelledDiagram]) -> Array:
    return np.array([example.score for example in rated])


def _drawn(rated: list[LabelledDiagram], bar: Progress, look: Callable[..., Pixels]) -> Pixels:
    """All pictures, looked at in one way."""
    return np.stack([look(e.diagram) for e in bar.track(rated, description="drawing")])


def cross_validation(
    rated: list[LabelledDiagram], labels: Array, ensemble: Ensemble
) -> dict[str, object]:
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
