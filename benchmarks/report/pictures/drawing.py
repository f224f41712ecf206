"""Shared drawing: fonts with Hangul, colours, and saving a figure as SVG and PNG.

A figure is drawn once and saved twice: as SVG whose colours follow the page (light or dark), and
as PNG on white. Letters become outlines, so that Korean renders where no font has it. The same
figure gives the same bytes.
"""

from __future__ import annotations

import importlib.util
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID = "#1f2328", "#656d76", "#d8dee4"
#: One colour for each candidate, the same in all pictures; told apart by marker too.
SERIES = ("#3b6fd4", "#d9730d", "#2f9e6e", "#c0428a", "#7d5bd0", "#b08900", "#0e8fa3", "#9a5a3c")
MARKERS = "osD^vPXh*<>p"
#: Darker for a higher rank.
RANKS = ("#8fb4f5", "#4f83de", "#23509f", "#12305f")
LIMIT = "#cf222e"
WIDTH = 11.6  # inches: the width of the page, so that letters are as large as the page's

_PAGE = {
    INK: "var(--ink)", FAINT: "var(--faint)", GRID: "var(--line)", LIMIT: "var(--bad)",
    **{colour: f"var(--series-{n})" for n, colour in enumerate(SERIES)},
    **{colour: f"var(--rank-{n})" for n, colour in enumerate(RANKS)},
}  # fmt: skip

_STYLE: dict[str, object] = {
    "font.family": ["NanumGothic", "DejaVu Sans"],
    "font.size": 9.5,
    "axes.unicode_minus": False,
    "axes.edgecolor": GRID, "axes.labelcolor": FAINT, "axes.titlecolor": INK,
    "axes.titlesize": 10.5, "axes.titlelocation": "left", "axes.titlepad": 8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
    "axes.grid": True, "axes.axisbelow": True,
    "grid.color": GRID, "grid.linewidth": 0.7,
    "xtick.color": FAINT, "ytick.color": FAINT, "xtick.major.size": 0, "ytick.major.size": 0,
    "xtick.minor.size": 0, "ytick.minor.size": 0,
    "text.color": INK, "legend.frameon": False, "legend.labelcolor": INK,
    "lines.linewidth": 1.8, "lines.solid_capstyle": "round",
    "svg.fonttype": "path", "svg.hashsalt": "ohlora",
    "text.parse_math": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its name (also of its file), title, caption, and its SVG and PNG forms."""

    name: str
    title: str
    caption: str
    svg: str
    png: bytes


@cache
def _style() -> dict[str, object]:
    """The style, once the font with Hangul is known to matplotlib."""
    from matplotlib import font_manager

    # Found, not imported: importing it would set the font of the whole process.
    spec = importlib.util.find_spec("koreanize_matplotlib")
    if spec is None or spec.origin is None:
        return {**_STYLE, "font.family": ["DejaVu Sans"]}
    fonts = Path(spec.origin).parent / "fonts"
    font_manager.fontManager.addfont(fonts / "NanumGothic.ttf")
    return _STYLE


def draw(
    name: str,
    title: str,
    caption: str,
    size: tuple[float, float],
    plot: Callable[[Figure], None],
    finish: Callable[[Figure], None] = lambda figure: None,
) -> Picture:
    """A picture of `size` inches.

    `plot` is called with the empty figure, `finish` with the one that is laid out: what stands
    where is known by then.
    """
    # Left by a notebook's kernel, it names a module that is not installed here; none is needed.
    os.environ.pop("MPLBACKEND", None)
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_style()):  # type: ignore[arg-type]  # it lists every key
        figure = Figure(figsize=size, layout="constrained")
        plot(figure)
        # Laid out once, not for each of the two forms: it is half the work.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        finish(figure)
        return Picture(name, title, caption, _svg(figure, name, title), _png(figure))


def _svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an element of a page: its ids its own, its colours the page's."""
    out = io.StringIO()
    figure.savefig(
        out, format="svg", transparent=True,
        metadata={"Date": None, "Creator": None, "Type": None, "Format": None},
    )  # fmt: skip
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in _PAGE.items():
        svg = svg.replace(colour, variable)
    label = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return out.getvalue()


def colour(index: int) -> str:
    """The colour of the candidate in this place."""
    return SERIES[index % len(SERIES)]


def shade(index: int, tunes: int) -> str:
    """The colour of one way of tuning among several: shades of blue while they differ visibly."""
    return RANKS[index] if tunes <= len(RANKS) else colour(index)


def from_zero(axes: Axes, largest: float) -> None:
    """An axis along x that starts at 0 and leaves room for labels on the right."""
    axes.set_xlim(0, largest * 1.18 if largest > 0 else 1)
