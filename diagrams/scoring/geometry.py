"""Geometric faults of a diagram (overlaps, crossings …), and a readability of 0 to 5 from them.

Lines are those that are drawn (border to border); boxes stand for all shapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from diagrams.connectors import connectors
from diagrams.diagram import HEIGHT, WIDTH, Diagram, Node, check_drawable

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

IN_LINE = 3.0  # centres this near on an axis are aligned, in pixels
TOUCHING = 2.0  # boxes may share that much, and a line may graze a box by it
CHUNK = 500  # lines compared at once with all others: bounds the memory


@dataclass(frozen=True, slots=True)
class Geometry:
    """Counts of one diagram; shares are of its nodes, 0 to 1, None where it has none."""

    nodes: int
    edges: int
    overlaps: int  # pairs of nodes whose boxes share more than a border
    overlapping_share: float | None  # nodes that overlap another
    outside: int  # nodes that stand partly or wholly outside the canvas
    outside_share: float | None
    dangling_edges: int  # point to a number that no node has
    self_edges: int
    hidden_edges: int  # between nodes so near that no line is left to see
    edges_through_nodes: int  # pass through at least one node that is not their end
    crossings: int  # pairs of lines that cross
    avoidable_crossings: int  # without those between layers that are joined all to all
    isolated: int  # nodes without a line that can be drawn
    isolated_share: float | None
    parts: int  # that no line joins
    aligned_share: float | None  # nodes in line with another, across or down
    size_spread: float | None  # standard deviation of the side lengths over their mean
    length_spread: float | None  # the same of the lines' lengths

    def as_json(self) -> dict[str, object]:
        """The counts, and the readability that they give."""
        return {**asdict(self), "score": geometric_score(self)}


def measure(diagram: Diagram) -> Geometry:
    """Count everything.

    Raises:
        DiagramRefused: it is too large to be drawn, and so to be measured.
    """
    check_drawable(diagram)
    nodes, drawn = diagram.nodes, connectors(diagram)
    boxes = np.array([node.box for node in nodes]).reshape(-1, 4)
    places = {node.number: place for place, node in enumerate(nodes)}
    ends = np.array(
        [(places[line.source.number], places[line.target.number]) for line in drawn], dtype=int
    ).reshape(-1, 2)
    segments = np.array([(*line.start, *line.end) for line in drawn]).reshape(-1, 4)
    overlapping = _overlapping(boxes)
    outside = _outside(boxes)
    crossing, avoidable = _crossings(segments, ends)
    isolated, parts = _isolated(nodes, diagram.edges)
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    return Geometry(
        nodes=len(nodes),
        edges=len(diagram.edges),
        overlaps=int(np.triu(overlapping).sum()),
        overlapping_share=_share(np.any(overlapping, axis=0)),
        outside=int(outside.sum()),
        outside_share=_share(outside),
        dangling_edges=len(diagram.dangling),
        self_edges=len(diagram.self_edges),
        hidden_edges=len(diagram.edges) - len(drawn),
        edges_through_nodes=int(_through(segments, ends, boxes).sum()),
        crossings=crossing,
        avoidable_crossings=avoidable,
        isolated=isolated,
        isolated_share=isolated / len(nodes) if nodes else None,
        parts=parts,
        aligned_share=_share(_aligned(nodes)),
        size_spread=_spread([side for n in nodes for side in (n.width, n.height)]),
        length_spread=_spread(lengths.tolist()),
    )


def geometric_score(found: Geometry) -> float:
    """Readability 0 to 5 by rule: 5, less for every fault in the share of what it spoils.

    Each fault takes away a factor, so that two faults are worse than one and nothing is below 0.
    The weights say how much of the score is lost where everything has that fault.
    """
    if not found.nodes:
        return 0.0
    edges = max(1, found.edges + found.dangling_edges)
    kept = 1.0
    for weight, share in (
        (1.0, 1.5 * (found.overlapping_share or 0)),
        (0.8, 1.5 * (found.outside_share or 0)),
        (0.8, 1.5 * found.edges_through_nodes / edges),
        (0.5, found.avoidable_crossings / edges),
        (0.6, found.hidden_edges / edges),
        (0.6, (found.dangling_edges + found.self_edges) / edges),
        (0.6, found.isolated_share or 0),
        (0.3, (found.parts - 1) / found.nodes * 2),
    ):
        kept *= 1 - weight * min(1.0, share)
    return round(5 * kept, 4)


def _share(flags: Flags) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _spread(values: list[float]) -> float | None:
    mean = float(np.mean(values)) if values else 0.0
    return float(np.std(values)) / mean if mean else None


def _overlapping(boxes: Array) -> Flags:
    """Which boxes share more than a border, as a matrix of nodes by nodes."""
    left, top, right, bottom = boxes.T
    wide = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    high = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    shared = np.asarray((wide > TOUCHING) & (high > TOUCHING), dtype=bool)
    np.fill_diagonal(shared, False)
    return shared


def _outside(boxes: Array) -> Flags:
    left, top, right, bottom = boxes.T
    flags: Flags = (left < 0) | (top < 0) | (right > WIDTH) | (bottom > HEIGHT)
    return flags


def _through(segments: Array, ends: NDArray[np.int_], boxes: Array) -> Flags:
    """Which lines pass through a box that is neither of their ends."""
    hit = np.zeros(len(segments), dtype=bool)
    low, high = boxes[:, :2] + TOUCHING, boxes[:, 2:] - TOUCHING
    for place, box in enumerate(zip(low, high, strict=True)):
        foreign = (ends != place).all(axis=1)
        hit |= foreign & _segments_meet_box(segments, *box)
    return hit


def _segments_meet_box(segments: Array, low: Array, high: Array) -> Flags:
    """Liang and Barsky's test, for all lines against one box."""
    if (low >= high).any():
        return np.zeros(len(segments), dtype=bool)
    start, delta = segments[:, :2], segments[:, 2:] - segments[:, :2]
    with np.errstate(divide="ignore", invalid="ignore"):
        near, far = (low - start) / delta, (high - start) / delta
    enter, leave = np.minimum(near, far), np.maximum(near, far)
    still = delta == 0
    inside = (start > low) & (start < high)
    enter = np.where(still, np.where(inside, -np.inf, np.inf), enter).max(axis=1)
    leave = np.where(still, np.where(inside, np.inf, -np.inf), leave).min(axis=1)
    met: Flags = np.maximum(enter, 0) < np.minimum(leave, 1)
    return met


def _crossings(segments: Array, ends: NDArray[np.int_]) -> tuple[int, int]:
    """Pairs of lines that cross; and those of them that another order could avoid.

    Where both sources point to both targets, one of the two pairs of lines crosses wherever the
    nodes stand beside each other: such a crossing says nothing about the drawing.
    """
    crossing = avoidable = 0
    size = int(ends.max()) + 1 if len(ends) else 0
    joined = np.zeros((size, size), dtype=bool)
    joined[ends[:, 0], ends[:, 1]] = True
    for first in range(0, len(segments), CHUNK):
        rows = slice(first, first + CHUNK)
        cross = _cross(segments[rows], segments)
        for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):  # lines from or to one node
            cross &= ends[rows, a][:, None] != ends[None, :, b]
        one, other = np.nonzero(np.triu(cross, first + 1))
        some, others = ends[rows][one], ends[other]
        fixed = joined[some[:, 0], others[:, 1]] & joined[others[:, 0], some[:, 1]]
        crossing += len(one)
        avoidable += int((~fixed).sum())
    return crossing, avoidable


def _cross(some: Array, others: Array) -> Flags:
    """Which of some lines cross which others, touching ends not counted."""

    def side(of: Array, x: Array, y: Array) -> Array:
        along = (of[:, 2] - of[:, 0])[:, None] * (y[None] - of[:, 1][:, None])
        return along - (of[:, 3] - of[:, 1])[:, None] * (x[None] - of[:, 0][:, None])

    split_others = side(some, others[:, 0], others[:, 1]) * side(some, others[:, 2], others[:, 3])
    split_some = side(others, some[:, 0], some[:, 1]) * side(others, some[:, 2], some[:, 3])
    crossed: Flags = (split_others < 0) & (split_some.T < 0)
    return crossed


def _aligned(nodes: tuple[Node, ...]) -> Flags:
    centres = np.array([(node.x, node.y) for node in nodes]).reshape(-1, 2)
    near = np.abs(centres[:, None] - centres[None]) <= IN_LINE
    near[np.arange(len(nodes)), np.arange(len(nodes))] = False
    flags: Flags = near.any(axis=(1, 2))
    return flags


def _isolated(nodes: tuple[Node, ...], edges: Iterable[tuple[Node, Node]]) -> tuple[int, int]:
    """How many nodes have no line, and how many parts there are (union by number)."""
    root = {node.number: node.number for node in nodes}

    def find(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    joined: set[int] = set()
    for source, target in edges:
        joined |= {source.number, target.number}
        root[find(source.number)] = find(target.number)
    return len(nodes) - len(joined), len({find(number) for number in root})
