"""Draws a diagram as a 1000 × 600 picture: PNG by Pillow, or SVG.

The same diagram gives the same bytes every time.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from diagrams.connectors import Connector, Point, arrowhead, clip, connectors, corner_radius, dashes
from diagrams.diagram import HEIGHT, WIDTH, Colour, Diagram, Node, check_drawable

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

WHITE: Colour = (255, 255, 255)
OUTLINE: Colour = (64, 64, 64)  # around every node, so that a white one is seen
LINE_WIDTH = 1.5
FINE = 2  # drawn this much larger and then made smaller: smooth lines for 2 ms more


def draw(diagram: Diagram) -> Image.Image:
    """The diagram on a white canvas, as an RGB image.

    Raises:
        DiagramRefused: it is too large to be drawn.
    """
    from PIL import Image, ImageDraw

    check_drawable(diagram)
    image = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), WHITE)
    pen = ImageDraw.Draw(image)
    found = connectors(diagram)
    for line in found:
        _draw_line(pen, line)
    for node in diagram.nodes:
        _draw_node(pen, node)
    for line in found:  # last, so that a neighbour does not cover them
        if line.style == "solid arrow":
            pen.polygon(_fine(arrowhead(line)), fill=line.colour)
    return image.reduce(FINE)


def png(diagram: Diagram) -> bytes:
    """The drawn diagram as a PNG file.

    Raises:
        DiagramRefused: it is too large to be drawn.
    """
    file = io.BytesIO()
    draw(diagram).save(file, format="PNG")
    return file.getvalue()


def _draw_line(pen: ImageDraw.ImageDraw, line: Connector) -> None:
    if line.style == "dashed line":
        for dash in dashes(line.start, line.end):
            pen.line(_fine(dash), fill=line.colour, width=round(LINE_WIDTH * FINE))
    elif visible := clip(line.start, line.end):
        pen.line(_fine(visible), fill=line.colour, width=round(LINE_WIDTH * FINE))


def _draw_node(pen: ImageDraw.ImageDraw, node: Node) -> None:
    left, top, right, bottom = node.box
    if right < 0 or bottom < 0 or left > WIDTH or top > HEIGHT:
        return
    box = _fine(((left, top), (right, bottom)))
    if node.shape == "circle":
        pen.ellipse(box, fill=node.fill, outline=OUTLINE, width=FINE)
    elif node.shape == "round rectangle":
        radius = corner_radius(node) * FINE
        pen.rounded_rectangle(box, radius, fill=node.fill, outline=OUTLINE, width=FINE)
    else:
        pen.rectangle(box, fill=node.fill, outline=OUTLINE, width=FINE)


def _fine(points: Iterable[Point]) -> list[Point]:
    return [(x * FINE, y * FINE) for x, y in points]


def svg(diagram: Diagram) -> str:
    """The diagram as an SVG document of the same picture.

    Raises:
        DiagramRefused: it is too large to be drawn.
    """
    check_drawable(diagram)
    found = connectors(diagram)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{_rgb(WHITE)}"/>',
        *(_svg_line(line) for line in found),
        *(_svg_node(node) for node in diagram.nodes),
        *(_svg_head(line) for line in found if line.style == "solid arrow"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _svg_line(line: Connector) -> str:
    (x0, y0), (x1, y1) = line.start, line.end
    dashed = ' stroke-dasharray="8 6"' if line.style == "dashed line" else ""
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" '
        f'stroke="{_rgb(line.colour)}" stroke-width="{LINE_WIDTH}"{dashed}/>'
    )


def _svg_head(line: Connector) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in arrowhead(line))
    return f'<polygon points="{points}" fill="{_rgb(line.colour)}"/>'


def _svg_node(node: Node) -> str:
    left, top, _, _ = node.box
    paint = f'fill="{_rgb(node.fill)}" stroke="{_rgb(OUTLINE)}"'
    if node.shape == "circle":
        return (
            f'<ellipse cx="{node.x:.1f}" cy="{node.y:.1f}" '
            f'rx="{node.width / 2:.1f}" ry="{node.height / 2:.1f}" {paint}/>'
        )
    corner = f' rx="{corner_radius(node):.1f}"' if node.shape == "round rectangle" else ""
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{node.width:.1f}" '
        f'height="{node.height:.1f}"{corner} {paint}/>'
    )


def _rgb(colour: Colour) -> str:
    return "rgb({},{},{})".format(*colour)
