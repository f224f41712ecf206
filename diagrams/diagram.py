"""A diagram: nodes on a canvas, each with shape, colours and targets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from model_registry.errors import OhloraError

WIDTH, HEIGHT = 1000, 600  # the canvas, in pixels
SHAPES = ("rectangle", "round rectangle", "circle")
LINES = ("solid arrow", "solid line", "dashed line")

# What is drawn at most: far more than a person can read, and little enough to be drawn at once.
MAX_NODES = 1_000
MAX_EDGES = 3_000
MAX_PIXELS = 10_000  # of a width, a height and the distance from the canvas's corner

Colour = tuple[int, int, int]  # red, green, blue; 0 to 255


class DiagramRefused(OhloraError):
    """A diagram is too large to be drawn; the message says what is too large."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `x` and `y` are its centre; all lengths are pixels."""

    number: int
    x: float
    y: float
    shape: str  # of SHAPES
    width: float
    height: float
    line: str  # of LINES: how the lines that leave it look
    fill: Colour
    line_colour: Colour
    targets: tuple[int, ...]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        half_width, half_height = self.width / 2, self.height / 2
        return (
            self.x - half_width,
            self.y - half_height,
            self.x + half_width,
            self.y + half_height,
        )

    def as_text(self) -> str:
        """The node in the requested format of ten fields."""
        numbers = ", ".join(f"{value:g}" for value in (self.number, self.x, self.y))
        size = f"{self.width:g}, {self.height:g}"
        return (
            f'[{numbers}, "{self.shape}", {size}, "{self.line}", '
            f"{self.fill}, {self.line_colour}, {list(self.targets)}]"
        )


@dataclass(frozen=True)
class Diagram:
    """Nodes with different numbers, in the order in which they were given."""

    nodes: tuple[Node, ...]

    @cached_property
    def by_number(self) -> dict[int, Node]:
        """The nodes by their number."""
        return {node.number: node for node in self.nodes}

    @cached_property
    def edges(self) -> list[tuple[Node, Node]]:
        """Source and target of every edge that can be drawn: both exist and differ."""
        found = (
            (node, self.by_number.get(number)) for node in self.nodes for number in node.targets
        )
        return [(node, target) for node, target in found if target and target is not node]

    @cached_property
    def links(self) -> list[tuple[int, int]]:
        """(source, target) of every edge that can be drawn, by their numbers."""
        return [(source.number, target.number) for source, target in self.edges]

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """How many nodes are 0, 1, 2 … edges from a start, by the longest way; empty for a circle.

        A circle has no start: what is on one, or behind it, has no layer.
        """
        waiting = Counter(target for _, target in self.links)
        depth = {node.number: 0 for node in self.nodes if not waiting[node.number]}
        free = list(depth)
        for number in free:
            for target in self.by_number[number].targets:
                if target in self.by_number and target != number:
                    depth[target] = max(depth.get(target, 0), depth[number] + 1)
                    waiting[target] -= 1
                    if not waiting[target]:
                        free.append(target)
        if len(free) < len(self.nodes):
            return ()
        return tuple(Counter(depth.values())[n] for n in range(1 + max(depth.values(), default=-1)))

    @cached_property
    def dangling(self) -> list[tuple[int, int]]:
        """(node, missing target) for every target number that no node has."""
        links = ((node.number, number) for node in self.nodes for number in node.targets)
        return [link for link in links if link[1] not in self.by_number]

    @cached_property
    def self_edges(self) -> list[int]:
        """The nodes that point to themselves."""
        return [node.number for node in self.nodes if node.number in node.targets]

    def as_text(self) -> str:
        """The diagram in the requested format, one node a line."""
        return "[" + ",\n".join(node.as_text() for node in self.nodes) + "]"


def check_drawable(diagram: Diagram) -> None:
    """Refuse what would cost too much to draw or to measure.

    Raises:
        DiagramRefused: too many nodes or lines, or a node that is too large or too far away.
    """
    if len(diagram.nodes) > MAX_NODES:
        raise DiagramRefused(
            f"The diagram has {len(diagram.nodes):,} nodes; at most {MAX_NODES:,} are drawn.",
            f"다이어그램의 노드가 {len(diagram.nodes):,}개입니다. {MAX_NODES:,}개까지 그립니다.",
        )
    links = sum(len(node.targets) for node in diagram.nodes)
    if links > MAX_EDGES:
        raise DiagramRefused(
            f"The diagram has {links:,} lines; at most {MAX_EDGES:,} are drawn.",
            f"다이어그램의 선이 {links:,}개입니다. {MAX_EDGES:,}개까지 그립니다.",
        )
    for node in diagram.nodes:
        _check_node(node)


def _check_node(node: Node) -> None:
    for name, value in (("width", node.width), ("height", node.height)):
        if not 0 < value <= MAX_PIXELS:
            raise DiagramRefused(
                f"Node {node.number} has a {name} of {value:,.0f} px; it must be more than 0 and "
                f"at most {MAX_PIXELS:,}.",
                f"{node.number}번 노드의 {'너비' if name == 'width' else '높이'}가 {value:,.0f} "
                f"px입니다. 0보다 크고 {MAX_PIXELS:,} 이하여야 합니다.",
            )
    for name, value in (("X", node.x), ("Y", node.y)):
        if not abs(value) <= MAX_PIXELS:
            raise DiagramRefused(
                f"Node {node.number} is at {name} = {value:,.0f}; the canvas is {WIDTH} × {HEIGHT} "
                f"and at most {MAX_PIXELS:,} px away from it can be drawn.",
                f"{node.number}번 노드의 {name} 값이 {value:,.0f}입니다. 캔버스는 {WIDTH} × "
                f"{HEIGHT}이고 {MAX_PIXELS:,} px 밖은 그리지 않습니다.",
            )
