"""Lays nodes out in even layers in a given style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from diagrams.diagram import HEIGHT, LINES, SHAPES, WIDTH, Colour, Diagram, Node
from diagrams.scoring.geometry import measure

MARGIN = 60  # above and below a bar, in pixels
SMALLEST = 0.15  # of its room: a node is never smaller than about that
#: Fill colours that dark lines are well seen on, by the name of the palette.
PALETTES: dict[str, tuple[Colour, ...]] = {
    "blue": ((208, 224, 248), (176, 200, 240), (224, 232, 255)),
    "green": ((208, 240, 216), (176, 224, 192), (232, 248, 224)),
    "warm": ((255, 224, 192), (248, 208, 176), (255, 240, 208)),
    "violet": ((232, 216, 248), (208, 192, 240), (240, 224, 255)),
    "grey": ((224, 224, 224), (200, 200, 208), (240, 240, 240)),
    "white": ((255, 255, 255), (248, 248, 240), (240, 248, 255)),
}
LINE_COLOURS: tuple[Colour, ...] = ((0, 0, 0), (64, 64, 64), (32, 64, 128), (96, 64, 32))


@dataclass(frozen=True, slots=True)
class Style:
    """How a diagram looks; what it says is left to its layers."""

    across: bool = True  # layers from left to right, else from top to bottom
    palette: str = "blue"
    shapes: tuple[str, ...] = ("circle",)  # by layer, from the start again where it ends
    line: str = "solid arrow"
    line_colour: Colour = (0, 0, 0)
    fullness: float = 0.6  # of the room that a node has, how much it takes


@dataclass(frozen=True, slots=True)
class Layer:
    """Nodes that stand beside each other, and their proportions."""

    count: int
    tall: float = 1.0  # of a node's height to its width: a CNN's bars are far above 1
    shape: str | None = None  # where it is part of what the diagram says


def draw_style(draw: Random, mixed: bool = False) -> Style:
    """Any style. A mixed one has several shapes."""
    count = draw.randrange(2, 4) if mixed else 1
    return Style(
        across=draw.random() < 0.6,
        palette=draw.choice(list(PALETTES)),
        shapes=tuple(draw.choice(SHAPES) for _ in range(count)),
        line=draw.choices(LINES, weights=(4, 2, 1))[0],
        line_colour=draw.choice(LINE_COLOURS),
        fullness=draw.choice((0.4, 0.5, 0.6, 0.7)),
    )


def readable(layers: Sequence[Layer], links: Sequence[tuple[int, int]], style: Style) -> Diagram:
    """`layered`, with nodes as large as the style wishes but no line through any of them."""
    fullness = style.fullness
    while True:
        made = layered(layers, links, replace(style, fullness=fullness))
        if fullness < SMALLEST or not measure(made).edges_through_nodes:
            return made
        fullness *= 0.8


def layered(layers: Sequence[Layer], links: Sequence[tuple[int, int]], style: Style) -> Diagram:
    """Nodes layer by layer, numbered from 1, joined by links (from number, to number)."""
    room = _room(layers, style)
    targets: dict[int, list[int]] = {}
    for source, target in links:
        targets.setdefault(source, []).append(target)
    nodes: list[Node] = []
    for depth, layer in enumerate(layers):
        width, height = _size(layer, room, style)
        for place in range(layer.count):
            number = len(nodes) + 1
            x, y = _position(depth, len(layers), place, layer.count, style.across)
            nodes.append(
                Node(
                    number=number,
                    x=x,
                    y=y,
                    shape=layer.shape or style.shapes[depth % len(style.shapes)],
                    width=width,
                    height=height,
                    line=style.line,
                    fill=PALETTES[style.palette][depth % 3],
                    line_colour=style.line_colour,
                    targets=tuple(targets.get(number, ())),
                )
            )
    return Diagram(tuple(nodes))


def all_to_all(layers: Sequence[Layer]) -> list[tuple[int, int]]:
    """Links from every node of a layer to every node of the next."""
    starts, total = [], 1
    for layer in layers:
        starts.append(total)
        total += layer.count
    return [
        (starts[i] + a, starts[i + 1] + b)
        for i in range(len(layers) - 1)
        for a in range(layers[i].count)
        for b in range(layers[i + 1].count)
    ]


def _room(layers: Sequence[Layer], style: Style) -> tuple[float, float]:
    """The width and height that a node has without touching its neighbours."""
    most = max(layer.count for layer in layers)
    along, beside = (WIDTH, HEIGHT) if style.across else (HEIGHT, WIDTH)
    along_room, beside_room = along / (len(layers) + 0.5), beside / (most + 0.5)
    return (along_room, beside_room) if style.across else (beside_room, along_room)


def _size(layer: Layer, room: tuple[float, float], style: Style) -> tuple[int, int]:
    """Width and height in whole pixels, even so that a centre is a whole pixel too."""
    width, height = room[0] * style.fullness, room[1] * style.fullness
    if layer.tall == 1.0:
        side = min(width, height, 90)
        width, height = min(width, side * 1.3), side
    else:
        width, height = min(width, 60), min(HEIGHT - 2 * MARGIN, min(width, 60) * layer.tall)
    return max(16, round(width / 4) * 4), max(16, round(height / 4) * 4)


def _position(depth: int, depths: int, place: int, places: int, across: bool) -> tuple[int, int]:
    along, beside = (WIDTH, HEIGHT) if across else (HEIGHT, WIDTH)
    first = round(along * (depth + 0.75) / (depths + 0.5))
    second = round(beside * (place + 0.5) / places) if places > 1 else beside // 2
    return (first, second) if across else (second, first)
