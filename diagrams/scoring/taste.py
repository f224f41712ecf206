"""A user's taste: scores of diagrams that look alike, by nearest neighbours.

Alike means near by what is seen, the auto-encoder's latent, and by what is counted, the looks.
A number on which this user's scores depend weighs more. Nothing is trained for a user, so that
the first diagrams count at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from diagrams.diagram import Diagram, check_drawable
from diagrams.scoring.appearance import appearance_matrix
from diagrams.scoring.pixel_arrays import stack_colours
from diagrams.scoring.readability import WEIGHTS, WeightsMissing
from model_registry.errors import OhloraError
from model_registry.language import text

if TYPE_CHECKING:
    # Imports torch; a clear error about missing weights needs none of it.
    from diagrams.scoring.networks import Array, AutoEncoder

ENCODER_FILE = "taste.safetensors"
NEIGHBOURS = 15
#: What a number weighs that the scores don't depend on: with few scores, chance hides much.
LEAST_RELEVANCE = 0.05
FEWEST = 3  # scored diagrams; with fewer there is no taste to speak of

ScoredDiagram = tuple[Diagram, float]  # the score that the user gave, 0 to 5


def cold_start(scored: Sequence[ScoredDiagram]) -> str | None:
    """Why a user's taste is not known yet; None where it is."""
    if len(scored) >= FEWEST:
        return None
    return text(
        f"Your taste is not known yet: {len(scored)} of at least {FEWEST} diagrams are scored.",
        f"취향을 반영하려면 다이어그램 {FEWEST}개 이상에 점수를 매겨야 합니다"
        f"(지금 {len(scored)}개).",
    )


def predicted_taste(
    diagrams: Sequence[Diagram], scored: Sequence[ScoredDiagram]
) -> list[float] | None:
    """The score 0 to 5 that this user is likely to give to each; None at a cold start.

    Raises:
        OhloraError: a score is not from 0 to 5, or a diagram without nodes is among them.
        DiagramRefused: a diagram is too large to be drawn.
        WeightsMissing: the auto-encoder was never trained.
    """
    for _, score in scored:
        if not 0 <= score <= 5:
            raise OhloraError(
                f"A score is from 0 to 5, not {score:g}.",
                f"점수는 0~5입니다({score:g}은(는) 안 됩니다).",
            )
    if cold_start(scored) or not diagrams:
        return None if cold_start(scored) else []
    scores = np.array([score for _, score in scored])
    described = description([diagram for diagram, _ in scored] + list(diagrams))
    known, new = described[: len(scored)], described[len(scored) :]
    weight = relevance(known, scores)
    means: list[float] = nearest_mean(known * weight, scores, new * weight).tolist()
    return means


def relevance(known: Array, scores: Array) -> Array:
    """The weight of each feature in the distance: how well it predicts this user's scores.

    The squared correlation of the number with the scores, adjusted for how few they are (a number
    that is as good as chance gets 0), and LEAST_RELEVANCE on top.

    Args:
        known: shape (scored, numbers).
        scores: shape (scored,).

    Returns:
        Shape (numbers,), from LEAST_RELEVANCE to 1 more.
    """
    count = len(scores)
    centred, deviation = known - known.mean(axis=0), scores - scores.mean()
    spread = known.std(axis=0) * scores.std()
    shared = np.abs((centred * deviation[:, None]).mean(axis=0))
    squared = np.divide(shared, spread, out=np.zeros_like(shared), where=spread > 1e-9) ** 2
    adjusted = 1 - (1 - squared) * (count - 1) / max(1, count - 2)
    found: Array = np.maximum(0, adjusted) + LEAST_RELEVANCE
    return found


def nearest_mean(known: Array, scores: Array, new: Array, neighbours: int = NEIGHBOURS) -> Array:
    """Distance-weighted mean of the scores of the nearest known points, for each new point.

    Args:
        known: shape (scored, numbers).
        scores: shape (scored,).
        new: shape (asked, numbers).
        neighbours: how many count; all, where there are fewer.
    """
    distances = np.linalg.norm(new[:, None] - known[None], axis=2)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :neighbours]
    near = np.take_along_axis(distances, nearest, axis=1)
    weights = 1 / (near + 1e-6)  # a diagram that was scored itself decides almost alone
    mean: Array = (weights * scores[nearest]).sum(axis=1) / weights.sum(axis=1)
    return mean


def description(diagrams: Sequence[Diagram]) -> Array:
    """Shape (diagrams, features): latent and appearance, each in units of its usual spread.

    Raises:
        DiagramRefused: a diagram is too large to be drawn.
        WeightsMissing: the auto-encoder was never trained.
    """
    for diagram in diagrams:
        check_drawable(diagram)  # before a size of 0 is taken the logarithm of
    spread = _encoder().looks_spread.double().numpy()
    return np.concatenate([latent(diagrams), appearance_matrix(diagrams) / spread], axis=1)


def latent(diagrams: Sequence[Diagram]) -> Array:
    """The auto-encoder's description of each picture, shape (diagrams, numbers)."""
    network = _encoder()
    # Imports torch; a clear error about missing weights needs none of it.
    from diagrams.scoring.networks import latents

    return latents(network, stack_colours(diagrams))


@cache
def _encoder() -> AutoEncoder:
    path = WEIGHTS / ENCODER_FILE
    if not path.exists():
        raise WeightsMissing(path)
    # Imports torch; a clear error about missing weights needs none of it.
    from diagrams.scoring.networks import AutoEncoder, load

    network: AutoEncoder = load(AutoEncoder, path)[0]
    return network
