"""Generates diagrams labelled with the readability that their degradation implies.

Good ones get 5. A spoilt one is a good one to which something was done on purpose; what was done,
and to which share of it, gives the score by the rule of `SPOILERS`. The score is not measured, so
that a judge of pictures and a judge of counts can both be tried on it; a fault that shows in no
count at all (lines taken from a node that had none) is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from diagrams.diagram import HEIGHT, WIDTH, Diagram, Node
from diagrams.scoring.geometry import geometric_score, measure
from diagrams.training.readable_diagrams import readable_diagram

READABLE_SHARE = 0.4  # of the examples
UNHARMED = 4.6  # a geometric score from there on: nothing to see
Nodes = list[Node]


@dataclass(frozen=True, slots=True)
class LabelledDiagram:
    """A diagram, its readability label, and the degradations applied to it."""

    diagram: Diagram
    score: float  # 0 to 5
    faults: tuple[str, ...] = ()


def make_labelled(count: int, seed: int) -> list[LabelledDiagram]:
    """`count` labelled diagrams, two in five of them readable."""
    draw = Random(seed)
    return [
        labelled_readable(draw)
        if draw.random() < READABLE_SHARE
        else degrade(labelled_readable(draw).diagram, draw)
        for _ in range(count)
    ]


def labelled_readable(draw: Random) -> LabelledDiagram:
    """A readable diagram, labelled 5."""
    return LabelledDiagram(readable_diagram(draw), 5.0)


def degrade(diagram: Diagram, draw: Random) -> LabelledDiagram:
    """The diagram with one to three visible degradations."""
    while True:
        made = _degrade_once(diagram, draw)
        if geometric_score(measure(made.diagram)) < UNHARMED:
            return made


def _degrade_once(diagram: Diagram, draw: Random) -> LabelledDiagram:
    nodes, score, faults = list(diagram.nodes), 5.0, []
    times = draw.choices((1, 2, 3), weights=(5, 3, 2))[0]
    for name in draw.sample(list(DEGRADATIONS), times):
        loss, spoiler = DEGRADATIONS[name]
        share = draw.uniform(0.1, 1.0)
        nodes = spoiler(nodes, share, draw)
        score *= 1 - loss * min(1.0, FULL_AT * share)
        faults.append(name)
    return LabelledDiagram(Diagram(tuple(nodes)), score, tuple(faults))


def _some(nodes: Nodes, share: float, draw: Random) -> set[int]:
    """The places of at least one node, in this share."""
    return set(draw.sample(range(len(nodes)), max(1, round(share * len(nodes)))))


def _stacked(nodes: Nodes, share: float, draw: Random) -> Nodes:
    """Nodes stand on others, with a small offset or none."""
    chosen, moved = _some(nodes, share, draw), list(nodes)
    for place in chosen:
        under = draw.choice(nodes)
        offset = draw.choice((0.0, 0.2, 0.5))
        x = under.x + offset * draw.choice((-1, 1)) * under.width
        moved[place] = replace(nodes[place], x=x, y=under.y + offset * under.height)
    return moved


def _pushed_out(nodes: Nodes, share: float, draw: Random) -> Nodes:
    """Nodes on one side of the canvas run over its border."""
    dx, dy = draw.choice(((1, 0), (-1, 0), (0, 1), (0, -1)))
    by_side = sorted(range(len(nodes)), key=lambda p: -(nodes[p].x * dx + nodes[p].y * dy))
    chosen = set(by_side[: max(1, round(share * len(nodes)))])
    reach = max(nodes[p].x * dx + nodes[p].y * dy for p in chosen)
    border = {(1, 0): WIDTH, (-1, 0): 0, (0, 1): HEIGHT, (0, -1): 0}[dx, dy]
    lowest = min(nodes[p].x * dx + nodes[p].y * dy for p in chosen)
    by = border - (lowest if draw.random() < 0.5 else reach)
    return [
        replace(node, x=node.x + abs(dx) * by, y=node.y + abs(dy) * by) if place in chosen else node
        for place, node in enumerate(nodes)
    ]


def _scattered(nodes: Nodes, share: float, draw: Random) -> Nodes:
    """Nodes stand anywhere."""
    chosen = _some(nodes, share, draw)
    return [
        replace(node, x=draw.randrange(30, WIDTH - 30), y=draw.randrange(30, HEIGHT - 30))
        if place in chosen
        else node
        for place, node in enumerate(nodes)
    ]


def _rewired(nodes: Nodes, share: float, draw: Random) -> Nodes:
    """Lines go to any node."""
    chosen, numbers = _some(nodes, share, draw), [node.number for node in nodes]
    return [
        replace(node, targets=tuple(draw.choices(numbers, k=max(1, min(3, len(node.targets))))))
        if place in chosen
        else node
        for place, node in enumerate(nodes)
    ]


def _swollen(nodes: Nodes, share: float, draw: Random) -> Nodes:
    """Nodes are larger than their room."""
    chosen, factor = _some(nodes, share, draw), draw.uniform(1.8, 3.0)
    return [
        replace(node, width=round(node.width * factor), height=round(node.height * factor))
        if place in chosen
        else node
        for place, node in enumerate(nodes)
    ]


def _unplugged(nodes: Nodes, share: float, draw: Random) -> Nodes:
    """Nodes point nowhere."""
    chosen = _some(nodes, share, draw)
    return [
        replace(node, targets=()) if place in chosen else node for place, node in enumerate(nodes)
    ]


def _repeated(nodes: Nodes, share: float, draw: Random) -> Nodes:
    """Nodes come again beside or on themselves, as where a model loops."""
    more = sorted(_some(nodes, share, draw))
    first = max(node.number for node in nodes) + 1
    dx, dy = draw.choice((0, 10, 30)), draw.choice((8, 16, 30, 150))
    copies = [
        replace(nodes[place], number=first + n, x=nodes[place].x + dx, y=nodes[place].y + dy)
        for n, place in enumerate(more)
    ]
    return nodes + copies


def _squeezed(nodes: Nodes, share: float, draw: Random) -> Nodes:
    """All nodes stand nearer to one point, at their full size."""
    x, y = draw.uniform(200, WIDTH - 200), draw.uniform(150, HEIGHT - 150)
    scale = 1 - 0.75 * share
    return [
        replace(node, x=round(x + (node.x - x) * scale), y=round(y + (node.y - y) * scale))
        for node in nodes
    ]


#: What can be done, and the share of the score lost where it is done to FULL_AT⁻¹ of the nodes or
#: more: who stands on whom is lost wholly, a missing line only partly.
FULL_AT = 1.6
DEGRADATIONS: dict[str, tuple[float, Callable[[Nodes, float, Random], Nodes]]] = {
    "stacked": (0.9, _stacked),
    "pushed out": (0.7, _pushed_out),
    "scattered": (0.7, _scattered),
    "rewired": (0.7, _rewired),
    "swollen": (0.8, _swollen),
    "unplugged": (0.5, _unplugged),
    "repeated": (0.8, _repeated),
    "squeezed": (0.8, _squeezed),
}
