"""Diagrams as small pixel arrays, the networks' input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diagrams.diagram import Diagram
from diagrams.draw import draw

Pixels = NDArray[np.uint8]

COLOUR_HEIGHT, COLOUR_WIDTH = 60, 100
HUE_STRETCH = 3


def darkness(diagram: Diagram) -> Pixels:
    """Shape (1, 150, 250): how dark each spot of 4 × 4 pixels is.

    At half of that resolution lines are lost beside the borders of nodes.

    Raises:
        DiagramRefused: it is too large to be drawn.
    """
    return 255 - np.asarray(draw(diagram).convert("L").reduce(4))[None]


def colours(diagram: Diagram) -> Pixels:
    """Shape (3, 60, 100): darkness, red against green, blue against yellow; white is 0, 128, 128.

    Fills are pale, so that in red, green and blue they would hardly differ from white beside black
    lines; here hue is stretched and stands apart from darkness.

    Raises:
        DiagramRefused: it is too large to be drawn.
    """
    red, green, blue = np.asarray(draw(diagram).reduce(10)).astype(np.int16).transpose(2, 0, 1)
    yellow = (red + green) // 2
    hues = [128 + HUE_STRETCH * difference for difference in (red - green, blue - yellow)]
    dark = 255 - (yellow + blue) // 2
    array: NDArray[np.uint8] = np.clip(np.stack([dark, *hues]), 0, 255).astype(np.uint8)
    return array


def stack_darkness(diagrams: Sequence[Diagram]) -> Pixels:
    """Shape (diagrams, 1, 150, 250)."""
    return np.stack([darkness(diagram) for diagram in diagrams])


def stack_colours(diagrams: Sequence[Diagram]) -> Pixels:
    """Shape (diagrams, 3, 60, 100)."""
    return np.stack([colours(diagram) for diagram in diagrams])
