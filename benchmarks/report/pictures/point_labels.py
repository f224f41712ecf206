"""Places names beside points so that none covers another; in a crowd, those that find room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox
    from numpy.typing import NDArray

#: Where a name may stand, in points from its mark, the best first: (right, up, alignment).
_PLACES = tuple(
    (side * away, up, "left" if side > 0 else "right")
    for up in (0, 10, -10)
    for side, away in ((1, 11), (-1, 11))
)
_MARK = 5.0  # half the width of a mark, in points


@dataclass(frozen=True, slots=True)
class Label:
    """A name and the point that it belongs to, in the values of the axes."""

    name: str
    x: float
    y: float


def place_labels(axes: Axes, labels: Sequence[Label]) -> list[str]:
    """Write names beside their points, the first of the list first.

    The picture must be laid out: a name is tried where it stands. One that would lie over another
    name or mark, or reach out of the axes, is left out.

    Returns:
        The names that were left out.
    """
    scale = axes.figure.dpi / 72
    marks = [axes.transData.transform((each.x, each.y)) for each in labels]
    room = axes.get_window_extent().padded(2 * scale)
    taken: list[Bbox] = []
    left_out = []
    for label, own in zip(labels, marks, strict=True):
        others = [mark for mark in marks if mark is not own]
        for right, up, side in _places(own[0] > (room.x0 + room.x1) / 2):
            note = axes.annotate(label.name, (label.x, label.y), (right, up),
                                 textcoords="offset points", ha=side, va="center")  # fmt: skip
            box = note.get_window_extent()
            if _is_inside(box, room) and not _is_over(box, taken, others, _MARK * scale):
                taken.append(box)
                break
            note.remove()
        else:
            left_out.append(label.name)
    return left_out


def _places(leftwards: bool) -> Sequence[tuple[float, float, str]]:
    """The places to try; on the right half of a picture those on the left of the mark first."""
    return sorted(_PLACES, key=lambda place: (abs(place[1]), (place[0] > 0) == leftwards))


def _is_inside(box: Bbox, room: Bbox) -> bool:
    return bool(box.x0 >= room.x0 and box.x1 <= room.x1 and box.y0 >= room.y0 and box.y1 <= room.y1)


def _is_over(
    box: Bbox,
    taken: Sequence[Bbox],
    marks: Sequence[Sequence[float] | NDArray[np.float64]],
    half: float,
) -> bool:
    if any(box.overlaps(other) for other in taken):
        return True
    return any(
        box.x0 - half < x < box.x1 + half and box.y0 - half < y < box.y1 + half for x, y in marks
    )
