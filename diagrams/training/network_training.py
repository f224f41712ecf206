"""Trains the readability networks and the auto-encoder; a collapsed training starts again.

A network has collapsed when it answers nearly the same to everything. That happens by the seed's
chance, so that another seed is the cure.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from diagrams.scoring.networks import (
    Array,
    AutoEncoder,
    ReadabilityNetwork,
    against_white,
    latents,
    scores,
)
from diagrams.scoring.pixel_arrays import Pixels
from model_registry.errors import OhloraError

FOLDS = 5
TRIES = 5
STEP = 32  # pictures a step
LEARNING_RATE = 3e-3  # of a judge, at its highest
#: Collapsed: predictions vary less than this share of what the labels do.
LEAST_SPREAD = 0.3
#: Collapsed: the pictures are remembered no better than this share of the mean picture's error.
MOST_ERROR = 0.8
DRAWN_WEIGHT = 4.0  # of what is drawn against the white around it, in the auto-encoder's loss

OnEpoch = Callable[[], None]
Network = TypeVar("Network", bound=nn.Module)


class TrainingCollapsed(OhloraError):
    """Every seed that was tried gave a network that answers the same to everything."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The networks of all folds, and each one's predictions for its held-out fold."""

    judges: list[ReadabilityNetwork]
    held_out: Array  # scores 0 to 5 in the order of the examples
    folds: NDArray[np.int_]  # which fold each example was in
    retries: int  # trainings that collapsed and were made again


def until_sound(
    train: Callable[[int], Network], is_sound: Callable[[Network], bool], seed: int
) -> tuple[Network, int]:
    """The first network that did not collapse, and how many did before it.

    Raises:
        TrainingCollapsed: TRIES seeds gave none.
    """
    for attempt in range(TRIES):
        network = train(seed + 1_000 * attempt)
        if is_sound(network):
            return network, attempt
    raise TrainingCollapsed(
        f"{TRIES} seeds, from {seed} on, gave a network that answers the same to everything. "
        "Train with another seed, more examples or more epochs.",
        f"{seed}부터 시드 {TRIES}개가 모두 같은 답만 하는 신경망이 되었습니다. 다른 시드, 더 많은 "
        "예나 더 많은 에폭으로 학습하세요.",
    )


def train_ensemble(
    pixels: Pixels,
    labels: Array,
    *,
    epochs: int,
    seed: int,
    folds: int = FOLDS,
    start: ReadabilityNetwork | None = None,
    on_epoch: OnEpoch = lambda: None,
) -> Ensemble:
    """One judge for each fold, trained on the other folds.

    Args:
        pixels: shape (examples, 1, 150, 250).
        labels: scores 0 to 5.
        epochs: of each judge.
        seed: decides folds, weights and order.
        folds: how many.
        start: a judge trained on none of these examples, that each goes on from.
        on_epoch: called after every epoch.
    """
    fold_of = np.random.default_rng(seed).permutation(len(labels)) % folds
    judges, held_out, retries = [], np.zeros(len(labels)), 0
    for fold in range(folds):
        inside, outside = fold_of != fold, fold_of == fold

        def train(seed: int, inside: Array = inside) -> ReadabilityNetwork:
            return train_judge(pixels[inside], labels[inside], epochs, seed, start, on_epoch)

        def is_sound(judge: ReadabilityNetwork, outside: Array = outside) -> bool:
            return not is_constant(scores(judge, pixels[outside]), labels[outside])

        judge, tries = until_sound(train, is_sound, seed + fold)
        judges.append(judge)
        held_out[outside] = scores(judge, pixels[outside])
        retries += tries
    return Ensemble(judges, held_out, fold_of, retries)


def is_constant(predicted: Array, labels: Array) -> bool:
    """Whether predictions hardly vary although the labels do."""
    return bool(not np.isfinite(predicted).all() or predicted.std() < LEAST_SPREAD * labels.std())


def train_first_judge(
    pixels: Pixels, labels: Array, epochs: int, seed: int, on_epoch: OnEpoch = lambda: None
) -> tuple[ReadabilityNetwork, int]:
    """A judge for an ensemble to start from, trained on examples of its own; and the tries lost.

    To see faults at all takes most of the training. It is done once, not once for each fold.
    """

    def is_sound(judge: ReadabilityNetwork) -> bool:
        return not is_constant(scores(judge, pixels[:512]), labels[:512])

    return until_sound(
        lambda seed: train_judge(pixels, labels, epochs, seed, None, on_epoch), is_sound, seed
    )


def train_judge(
    pixels: Pixels,
    labels: Array,
    epochs: int,
    seed: int,
    start: ReadabilityNetwork | None = None,
    on_epoch: OnEpoch = lambda: None,
) -> ReadabilityNetwork:
    """One judge: binary cross-entropy on score / 5, pictures turned over and around at random.

    It goes on from `start`, which stays as it is, in smaller steps; from nothing without one.
    """
    torch.manual_seed(seed)
    judge = ReadabilityNetwork() if start is None else deepcopy(start)
    rate = LEARNING_RATE if start is None else LEARNING_RATE / 3
    targets = torch.from_numpy(labels / 5).float()
    pictures = torch.from_numpy(pixels)

    def loss_of(rows: torch.Tensor) -> torch.Tensor:
        seen = _turned(pictures[rows].float() / 255)
        return nn.functional.binary_cross_entropy_with_logits(judge(seen), targets[rows])

    _train(judge, loss_of, len(pixels), epochs, rate, on_epoch)
    return judge


def _turned(pictures: torch.Tensor) -> torch.Tensor:
    """Each picture as it is, mirrored, upside down, or turned by 180°."""
    across, down = torch.rand(len(pictures)) < 0.5, torch.rand(len(pictures)) < 0.5
    pictures = torch.where(across[:, None, None, None], pictures.flip(3), pictures)
    return torch.where(down[:, None, None, None], pictures.flip(2), pictures)


def train_autoencoder(
    pixels: Pixels, *, epochs: int, seed: int, on_epoch: OnEpoch = lambda: None
) -> tuple[AutoEncoder, int]:
    """An auto-encoder of these pictures, shape (examples, 3, 60, 100), and the tries lost."""
    pictures = torch.from_numpy(pixels)

    def train(seed: int) -> AutoEncoder:
        torch.manual_seed(seed)
        network = AutoEncoder()

        def loss_of(rows: torch.Tensor) -> torch.Tensor:
            seen = against_white(pictures[rows])
            return _weighted_error(network(seen), seen)

        _train(network, loss_of, len(pixels), epochs, 2e-3, on_epoch)
        network.spread.copy_(torch.from_numpy(latents(network, pixels).std(axis=0) + 1e-6))
        return network

    return until_sound(train, lambda network: remembers(network, pixels), seed)


@torch.inference_mode()
def remembers(network: AutoEncoder, pixels: Pixels) -> bool:
    """Whether reconstructions beat the mean picture and differ from each other."""
    network.eval()
    seen = against_white(torch.from_numpy(pixels[:256]))
    error = _weighted_error(network(seen), seen)
    constant = _weighted_error(seen.mean(dim=0, keepdim=True).expand_as(seen), seen)
    spread = latents(network, pixels[:256]).std(axis=0)
    return bool(error < MOST_ERROR * constant and (spread > 1e-3).any())


def _weighted_error(made: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    return ((1 + DRAWN_WEIGHT * (seen.abs() > 0.02)) * (made - seen) ** 2).mean()


def _train(
    network: nn.Module,
    loss_of: Callable[[torch.Tensor], torch.Tensor],
    examples: int,
    epochs: int,
    learning_rate: float,
    on_epoch: OnEpoch,
) -> None:
    steps = epochs * -(-examples // STEP)
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(examples).split(STEP):
            loss = loss_of(rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        on_epoch()
    network.eval()
