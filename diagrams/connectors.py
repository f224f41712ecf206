"""Connectors between nodes: from border to border, clipped to the canvas.

Drawing, SVG and geometry use the same lines, so that what is counted is what is seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from diagrams.diagram import HEIGHT, WIDTH, Colour, Diagram, Node

Point = tuple[float, float]
HEAD_LENGTH, HEAD_WIDTH = 11.0, 8.0  # of an arrowhead, in pixels
CORNER = 0.25  # the radius of a round rectangle's corner, as a share of its shorter side
DASH, GAP = 8.0, 6.0


@dataclass(frozen=True, slots=True)
class Connector:
    """One visible connector, border to border."""

    source: Node
    target: Node
    start: Point
    end: Point

    @property
    def style(self) -> str:
        return self.source.line

    @property
    def colour(self) -> Colour:
        return self.source.line_colour


def connectors(diagram: Diagram) -> list[Connector]:
    """The connectors of all edges that have room between their nodes, in the diagram's order."""
    found = (_line(source, target) for source, target in diagram.edges)
    return [line for line in found if line is not None]


def _line(source: Node, target: Node) -> Connector | None:
    dx, dy = target.x - source.x, target.y - source.y
    distance = math.hypot(dx, dy)
    if distance == 0:
        return None
    dx, dy = dx / distance, dy / distance
    leave, arrive = border_distance(source, dx, dy), border_distance(target, -dx, -dy)
    if leave + arrive >= distance:  # they touch or overlap
        return None
    start = (source.x + dx * leave, source.y + dy * leave)
    end = (target.x - dx * arrive, target.y - dy * arrive)
    return Connector(source, target, start, end)


def border_distance(node: Node, dx: float, dy: float) -> float:
    """How far the border is from the node's centre in the direction of the unit vector (dx, dy)."""
    half_width, half_height = node.width / 2, node.height / 2
    if node.shape == "circle":
        return 1 / math.hypot(dx / half_width, dy / half_height)
    across = half_width / abs(dx) if dx else math.inf
    along = half_height / abs(dy) if dy else math.inf
    distance = min(across, along)
    if node.shape == "rectangle":
        return distance
    return _round_corner(node, abs(dx), abs(dy), distance)


def _round_corner(node: Node, dx: float, dy: float, distance: float) -> float:
    """The distance to a round rectangle's border, given that to the rectangle around it."""
    radius = corner_radius(node)
    corner_x, corner_y = node.width / 2 - radius, node.height / 2 - radius
    if dx * distance <= corner_x or dy * distance <= corner_y:
        return distance
    # The ray meets the circle around (corner_x, corner_y) the second time.
    along = dx * corner_x + dy * corner_y
    beside = dx * corner_y - dy * corner_x
    return along + math.sqrt(max(0.0, radius * radius - beside * beside))


def corner_radius(node: Node) -> float:
    """The corner's radius of a round rectangle, in pixels."""
    return CORNER * min(node.width, node.height)


def arrowhead(line: Connector) -> tuple[Point, Point, Point]:
    """The triangle of an arrow, its tip on the target's border."""
    (x0, y0), (x1, y1) = line.start, line.end
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    size = min(1.0, length / HEAD_LENGTH)
    back_x, back_y = x1 - dx * HEAD_LENGTH * size, y1 - dy * HEAD_LENGTH * size
    side_x, side_y = -dy * HEAD_WIDTH / 2 * size, dx * HEAD_WIDTH / 2 * size
    return (x1, y1), (back_x + side_x, back_y + side_y), (back_x - side_x, back_y - side_y)


def dashes(start: Point, end: Point) -> list[tuple[Point, Point]]:
    """The visible dashes between two points; none where the line does not touch the canvas."""
    clipped = clip(start, end)
    if clipped is None:
        return []
    (x0, y0), (x1, y1) = clipped
    length = math.hypot(x1 - x0, y1 - y0)
    if length == 0:
        return []
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    found = []
    for number in range(int(length // (DASH + GAP)) + 1):
        begin = number * (DASH + GAP)
        stop = min(begin + DASH, length)
        found.append(((x0 + dx * begin, y0 + dy * begin), (x0 + dx * stop, y0 + dy * stop)))
    return found


def clip(start: Point, end: Point) -> tuple[Point, Point] | None:
    """The part of a line that is on the canvas (Liang and Barsky's method)."""
    (x0, y0), (x1, y1) = start, end
    first, last = 0.0, 1.0
    for delta, near in (
        (x1 - x0, (-x0, WIDTH - x0)),
        (y1 - y0, (-y0, HEIGHT - y0)),
    ):
        if delta == 0:
            if near[0] > 0 or near[1] < 0:
                return None
            continue
        enter, leave = sorted((near[0] / delta, near[1] / delta))
        first, last = max(first, enter), min(last, leave)
        if first > last:
            return None
    dx, dy = x1 - x0, y1 - y0
    return (x0 + dx * first, y0 + dy * first), (x0 + dx * last, y0 + dy * last)
