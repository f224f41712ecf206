"""Generates readable diagrams in many styles, as examples of readability 5.

The targets of requests are all set out alike. People and models set theirs out in other ways that
are as easy to read: crowded in the middle, with large nodes beside small ones, across or down, in
many colours. Each of these is kept only if nothing in it can be counted as a fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from diagrams.diagram import HEIGHT, LINES, SHAPES, WIDTH, Colour, Diagram, Node
from diagrams.requests.diagram_layout import LINE_COLOURS, PALETTES
from diagrams.requests.diagram_requests import flow_pair, network_pair
from diagrams.scoring.geometry import geometric_score, measure

SIZES = (16, 24, 32, 44, 56, 68, 80, 92)
FAULTLESS = 4.8  # a geometric score from there on

Cell = tuple[int, int]  # column and row; of a branching chart -1, 0 or 1 beside the chain
Cells = dict[Cell, list[Cell]]  # each cell with those it points to


def readable_diagram(draw: Random) -> Diagram:
    """A diagram without a geometric fault, of any kind and style."""
    while True:
        kind = draw.choices(KINDS, weights=(3, 2, 3, 4))[0]
        made = kind(draw)
        if draw.random() < 0.4:
            made = recoloured(made, draw)
        if draw.random() < 0.5:
            made = crowded(made, draw)
        if is_faultless(made):
            return made


def is_faultless(diagram: Diagram) -> bool:
    """Whether geometry finds no fault worth naming."""
    return geometric_score(measure(diagram)) >= FAULTLESS


def asked_for(draw: Random) -> Diagram:
    """The target of a request."""
    return (flow_pair if draw.random() < 0.4 else network_pair)(draw).target


def bars(draw: Random) -> Diagram:
    """A convolutional network: bars that become lower, then some that start high again."""
    falling, again, across = draw.randrange(3, 13), draw.randrange(1, 4), draw.random() < 0.7
    first, second = draw.uniform(220, 420), draw.uniform(80, 480)
    heights = [first * (1 - 0.75 * n / falling) for n in range(falling)]
    heights += [second * (1 - 0.35 * n) for n in range(again)] + [draw.uniform(30, 60)]
    length, beside = (WIDTH, HEIGHT) if across else (HEIGHT, WIDTH)
    step = length / (len(heights) + 0.5)
    width = round(step * draw.uniform(0.4, 0.75))
    shape, line = draw.choice(SHAPES[:2]), draw.choice(LINES)
    fills = _fills(draw, 3)
    nodes = []
    for place, height in enumerate(heights):
        along, high = round(step * (place + 0.75)), round(max(24, height))
        nodes.append(
            Node(
                number=place + 1,
                x=along if across else beside // 2,
                y=beside // 2 if across else along,
                shape=shape,
                width=width if across else high,
                height=high if across else width,
                line=line,
                fill=fills[0 if not place else 1 + place % 2 if place < falling else 0],
                line_colour=(64, 64, 64),
                targets=(place + 2,) if place + 1 < len(heights) else (),
            )
        )
    return Diagram(tuple(nodes))


def grid_chart(draw: Random) -> Diagram:
    """Nodes in some cells of a grid, each reached from the column before it."""
    columns, rows = draw.randrange(2, 10), draw.choice((2, 3, 3, 4, 5))
    filled = [
        sorted(draw.sample(range(rows), min(rows, draw.choice((1, 1, 1, 2, 2, 3)))))
        for _ in range(columns)
    ]
    cells: Cells = {(column, row): [] for column in range(columns) for row in filled[column]}
    for column in range(1, columns):
        for row in filled[column]:
            near = sorted(filled[column - 1], key=lambda other: abs(other - row))
            for source in near[: draw.choice((1, 1, 1, 2))]:
                cells[column - 1, source].append((column, row))
        for source in filled[column - 1]:
            if not cells[column - 1, source]:  # a side input: it must lead somewhere
                nearest = min(filled[column], key=lambda other: abs(other - source))
                cells[column - 1, source].append((column, nearest))
    return _set_out(cells, columns, rows, 1 / rows, draw)


def branching_chart(draw: Random) -> Diagram:
    """A chain through the middle with branches that leave and join it; no two cells share a node.

    Sizes, shapes, colours and lines differ from node to node, as models like to do.
    """
    columns = draw.randrange(3, 11)
    cells: Cells = {
        (column, 0): [(column + 1, 0)] if column + 1 < columns else [] for column in range(columns)
    }
    for column in range(columns):
        for side in (-1, 1):
            if draw.random() < 0.25:
                cells[column, side] = _branch(cells, column, side, columns, draw)
    return _set_out(cells, columns, 3, draw.uniform(0.2, 0.36), draw)


def _branch(cells: Cells, column: int, side: int, columns: int, draw: Random) -> list[Cell]:
    """Where the node beside the chain points to: onto the chain, on along its side, or nowhere."""
    kind = draw.random()
    if kind < 0.5 and column + 1 < columns:  # a side input
        return [(column + 1, 0)]
    if column > 0:  # a side result, or a detour past the chain
        cells[column - 1, 0].append((column, side))
        return [(column + 1, 0)] if kind < 0.8 and column + 1 < columns else []
    return [(column, 0)]


def _set_out(cells: Cells, columns: int, rows: int, spread: float, draw: Random) -> Diagram:
    """The cells on the canvas, across or down; `spread` of its side is between two rows."""
    numbers = {cell: number for number, cell in enumerate(sorted(cells), start=1)}
    across = draw.random() < 0.6
    length, beside = (WIDTH, HEIGHT) if across else (HEIGHT, WIDTH)
    room = min(length / columns, beside * spread)
    sizes = [size for size in SIZES if size < 0.8 * room] or [SIZES[0]]
    chosen = _fills(draw, 4)
    looks = [(draw.choice(SHAPES), draw.choice(sizes), fill) for fill in chosen]
    middle = (min(row for _, row in cells) + max(row for _, row in cells)) / 2
    nodes = []
    for (column, row), number in numbers.items():
        shape, size, fill = draw.choice(looks)
        first = round(length * (column + 0.5) / columns)
        second = round(beside / 2 + (row - middle) * spread * beside)
        nodes.append(
            Node(
                number=number,
                x=first if across else second,
                y=second if across else first,
                shape=shape,
                width=size,
                height=size,
                line=draw.choices(LINES, weights=(6, 1, 2))[0],
                fill=fill,
                line_colour=draw.choice(LINE_COLOURS),
                targets=tuple(numbers[cell] for cell in cells[column, row]),
            )
        )
    return Diagram(tuple(nodes))


def _fills(draw: Random, count: int) -> list[Colour]:
    """Colours of up to `count` palettes."""
    return [draw.choice(PALETTES[draw.choice(list(PALETTES))]) for _ in range(count)]


def recoloured(diagram: Diagram, draw: Random) -> Diagram:
    """The same in other colours, darker ones among them, node by node."""
    fills = [*_fills(draw, 3), (192, 192, 192), (224, 208, 192), (192, 224, 208)]
    kept = draw.sample(fills, 3)
    return Diagram(tuple(replace(node, fill=draw.choice(kept)) for node in diagram.nodes))


def crowded(diagram: Diagram, draw: Random) -> Diagram:
    """The same on part of the canvas and perhaps with larger nodes, if it stays faultless."""
    wide, high, size = draw.uniform(0.5, 1), draw.uniform(0.5, 1), draw.uniform(0.8, 1.4)
    x = WIDTH / 2 + draw.uniform(-0.5, 0.5) * WIDTH * (1 - wide)
    y = HEIGHT / 2 + draw.uniform(-0.5, 0.5) * HEIGHT * (1 - high)
    moved = Diagram(
        tuple(
            replace(
                node,
                x=round(x + (node.x - WIDTH / 2) * wide),
                y=round(y + (node.y - HEIGHT / 2) * high),
                width=round(node.width * size),
                height=round(node.height * size),
            )
            for node in diagram.nodes
        )
    )
    return moved if is_faultless(moved) else diagram


KINDS: tuple[Callable[[Random], Diagram], ...] = (asked_for, bars, branching_chart, grid_chart)
