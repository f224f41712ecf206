"""Appearance features of a diagram (colours, shapes, sizes, directions), for a user's taste.

Readability looks for faults; here nothing is good or bad. Every look is a plain number, so that
one user's scores can be found to depend on one of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from diagrams.diagram import HEIGHT, LINES, SHAPES, WIDTH, Colour, Diagram, Node

Array = NDArray[np.float64]
APPEARANCE_FEATURES = 31  # how many


def appearance_features(diagram: Diagram) -> dict[str, float]:
    """The appearance features of a diagram with at least one node, by name.

    Shares are of the nodes, 0 to 1; colours 0 to 1; sizes and lengths are logarithms of pixels, so
    that twice as large is as far from once as once is from half.
    """
    nodes, edges = diagram.nodes, diagram.edges
    sources = [node for node in nodes if node.targets] or list(nodes)
    widths = np.log([node.width for node in nodes])
    heights = np.log([node.height for node in nodes])
    return {
        **{f"share: {shape}": _share(n.shape == shape for n in nodes) for shape in SHAPES},
        **{f"share: {line}": _share(n.line == line for n in sources) for line in LINES},
        **_colours("fill", [node.fill for node in nodes]),
        **_colours("line", [node.line_colour for node in sources]),
        "width": float(widths.mean()),
        "height": float(heights.mean()),
        "height to width": float((heights - widths).mean()),
        "spread of sizes": float(np.std([widths, heights])),
        "nodes": math.log(len(nodes)),
        "lines a node": math.log1p(len(edges) / len(nodes)),
        **_direction(edges),
        **_room("across", [node.x / WIDTH for node in nodes]),
        **_room("down", [node.y / HEIGHT for node in nodes]),
    }


def _share(flags: Iterable[bool]) -> float:
    return float(np.mean(list(flags)))


def _colours(of: str, colours: list[Colour]) -> dict[str, float]:
    """Mean and spread of red, green and blue."""
    values = np.array(colours) / 255
    found = {}
    for name, value in zip(("red", "green", "blue"), values.T, strict=True):
        found[f"{of}: {name}"] = float(value.mean())
        found[f"{of}: spread of {name}"] = float(value.std())
    return found


def _direction(edges: list[tuple[Node, Node]]) -> dict[str, float]:
    """Which way lines run, and how far; between both ways where there are none."""
    if not edges:
        return {"lines across": 0.5, "lines across to down": 0.0, "length of lines": 0.0}
    dx, dy = np.array([(b.x - a.x, b.y - a.y) for a, b in edges]).T
    return {
        "lines across": float((abs(dx) > abs(dy)).mean()),
        "lines across to down": float(np.cos(2 * np.arctan2(dy, dx)).mean()),  # 1 across, −1 down
        "length of lines": float(np.log1p(np.hypot(dx, dy)).mean()),
    }


def _room(way: str, places: list[float]) -> dict[str, float]:
    """Where on the canvas the nodes are, and how much of it they take."""
    return {f"middle {way}": float(np.mean(places)), f"taken {way}": float(np.ptp(places))}


def appearance_matrix(diagrams: Iterable[Diagram]) -> Array:
    """The features of several diagrams, shape (diagrams, features)."""
    return np.array([list(appearance_features(diagram).values()) for diagram in diagrams])
