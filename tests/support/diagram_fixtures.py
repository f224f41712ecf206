"""Diagrams that several test files use."""

from __future__ import annotations

from diagrams.diagram import Diagram, Node

REPLY = """[[1, 100, 300, "circle", 60, 60, "solid arrow", (255, 0, 0), (0, 0, 0), [2, 3]],
[2, 400, 150, "rectangle", 80, 40, "solid line", (0, 255, 0), (0, 0, 0), [4]],
[3, 400, 450, "round rectangle", 80, 40, "dashed line", (0, 0, 255), (0, 0, 0), [4]],
[4, 800, 300, "circle", 60, 60, "solid arrow", (255, 255, 0), (0, 0, 0), []]]"""


def node(number: int, x: float, y: float, *targets: int, **changed: object) -> Node:
    """A round node of 60 × 60 with black arrows; any field can be given by name."""
    fields: dict[str, object] = {
        "number": number,
        "x": x,
        "y": y,
        "shape": "circle",
        "width": 60.0,
        "height": 60.0,
        "line": "solid arrow",
        "fill": (255, 0, 0),
        "line_colour": (0, 0, 0),
        "targets": targets,
    }
    return Node(**{**fields, **changed})  # type: ignore[arg-type]


def diagram(*nodes: Node) -> Diagram:
    return Diagram(tuple(nodes))
