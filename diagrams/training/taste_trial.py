"""Does taste help? A trial with simulated users: `python -m diagrams.training.taste_trial`.

Each user scores 20 diagrams, high where they have the liked style. Of 10 new ones 3 are then
recommended, with those scores and without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np

from diagrams.diagram import SHAPES, Diagram
from diagrams.requests.diagram_layout import PALETTES
from diagrams.requests.diagram_requests import flow_pair, network_pair
from diagrams.scoring.recommend import recommend

SCORED, OFFERED, KEPT = 20, 10, 3
USERS = 50

Likes = Callable[[Diagram], bool]


@dataclass(frozen=True, slots=True)
class Trial:
    """Of the 3 recommended, how many have the liked style; the gain with its 95 % interval."""

    users: int
    without: float
    with_taste: float
    gain: float
    gain_low: float
    gain_high: float


def with_and_without_taste(users: int = USERS, seed: int = 1) -> Trial:
    """The mean over seeded users, and a bootstrap interval of the gain over them."""
    found = np.array([_one_user(Random(1_000 * seed + user)) for user in range(users)])
    gains = found[:, 1] - found[:, 0]
    drawn = np.random.default_rng(seed).choice(gains, size=(10_000, users)).mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    without, with_taste = found.mean(axis=0)
    return Trial(users, without, with_taste, gains.mean(), float(low), float(high))


def _one_user(draw: Random) -> tuple[int, int]:
    """How many of the recommended are liked, without taste and with it."""
    likes = draw_liking(draw)
    scored = [(diagram, _score(likes(diagram), draw)) for diagram in _diagrams(SCORED, draw)]
    offered = _diagrams(OFFERED, draw)
    rankings = recommend(offered, KEPT), recommend(offered, KEPT, scored)
    without, with_taste = (
        sum(likes(offered[found.place]) for found in ranking.best) for ranking in rankings
    )
    return without, with_taste


def draw_liking(draw: Random) -> Likes:
    """One style: a palette, a shape, or the direction in which the diagram runs."""
    kind = draw.randrange(3)
    if kind == 0:
        palette = set(PALETTES[draw.choice(list(PALETTES))])
        return lambda diagram: sum(n.fill in palette for n in diagram.nodes) > _half(diagram)
    if kind == 1:
        shape = draw.choice(SHAPES)
        return lambda diagram: sum(n.shape == shape for n in diagram.nodes) > _half(diagram)
    across = draw.random() < 0.5
    return lambda diagram: _runs_across(diagram) == across


def _half(diagram: Diagram) -> float:
    return len(diagram.nodes) / 2


def _runs_across(diagram: Diagram) -> bool:
    """Whether most lines go sideways rather than down."""
    sideways = sum(abs(b.x - a.x) > abs(b.y - a.y) for a, b in diagram.edges)
    return sideways > len(diagram.edges) / 2


def _diagrams(count: int, draw: Random) -> list[Diagram]:
    return [(flow_pair if draw.random() < 0.6 else network_pair)(draw).target for _ in range(count)]


def _score(liked: bool, draw: Random) -> float:
    """What the user gives: 4 to 5 or 0 to 2, as people waver."""
    return draw.uniform(4, 5) if liked else draw.uniform(0, 2)


if __name__ == "__main__":
    print(with_and_without_taste())
