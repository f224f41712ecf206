"""Reads what a request for a diagram states: nodes, layers and lines, in English and Korean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from diagrams.diagram import Diagram
from diagrams.requests.chart_reading import read_chart
from diagrams.requests.diagram_requests import PREFIX, SUFFIX
from diagrams.requests.network_reading import MOST_LAYERS, read_convolutions, read_dense
from diagrams.requests.wordings import (
    CNN,
    CNN_KO,
    DENSE,
    DENSE_KO,
    FLOW,
    FLOW_KO,
    INPUTS,
    INPUTS_KO,
    RESULTS,
    RESULTS_KO,
    STEPS,
    STEPS_KO,
)

LONGEST = 1_000  # letters that are read
USUAL_WIDTH = 4  # of a hidden layer, where a request says how many layers but not how wide


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request states of its diagram. What it doesn't state is None or empty.

    `wordings` are the request in words that the bundled diagram model was taught; empty where it
    can't be said in them. The first is in the request's language.
    """

    nodes: int | None = None
    layers: tuple[int, ...] = ()  # nodes of each, from the first to the last
    layer_count: int | None = None
    edges: int | None = None
    wordings: tuple[str, ...] = ()
    more: bool = False  # a form, shapes or colours are asked for too, which nobody checks

    @property
    def can_be_checked(self) -> bool:
        """Whether anything that can be counted was stated."""
        return self.nodes is not None or self.layer_count is not None or self.edges is not None

    @staticmethod
    def of_layers(layers: Sequence[int], edges: int | None, *wordings: str) -> Asked:
        """Where the nodes of each layer are known."""
        return Asked(sum(layers), tuple(layers), len(layers), edges, wordings)

    @staticmethod
    def like(diagram: Diagram) -> Asked:
        """What a diagram that is known to be right has."""
        layers = diagram.layers
        return Asked(len(diagram.nodes), layers, len(layers) or None, len(set(diagram.links)))


def read_request(text: str) -> Asked:
    """What a request states, the fixed words around it left aside.

    The lines of a network are those of each node to all of the next layer.
    """
    text = text.replace(PREFIX, " ").replace(SUFFIX, " ")[:LONGEST]
    text = unicodedata.normalize("NFC", text)
    korean = any("가" <= letter <= "힣" for letter in text)
    said = _with_digits(" ".join(text.split()))
    if (convolutions := read_convolutions(said)) is not None:
        size, count, pooled, dense = convolutions
        layers = [1] * (1 + count * (2 if pooled else 1) + dense)
        say = (CNN_KO if korean else CNN)[0]
        return Asked.of_layers(layers, len(layers) - 1, say(size, count, pooled, dense))
    if (network := read_dense(said)) is not None:
        return _dense(network.widths, network.hidden_layers, korean)
    if chart := read_chart(said):
        chain = len(chart) - 1 if set(chart) == {1} else None
        return Asked.of_layers(chart, chain, *_chart_wording(chart, korean))
    return _counted(said, korean)


def _dense(widths: tuple[int | None, ...], hidden_layers: int, korean: bool) -> Asked:
    """A dense network; a width that is None wasn't said."""
    filled = [USUAL_WIDTH if width is None else width for width in widths]
    # In each of them the model errs about other widths: one of several is the likelier to be right.
    known = (*DENSE_KO, *DENSE) if korean else (*DENSE, *DENSE_KO)
    wordings = tuple(say(filled) for say in known)
    if None in widths:
        return Asked(layer_count=hidden_layers + 2, wordings=wordings)
    between = sum(one * other for one, other in pairwise(filled))
    return Asked.of_layers(filled, between, *wordings)


def _chart_wording(layers: Sequence[int], korean: bool) -> tuple[str, ...]:
    """A flow chart of this form with names that the model knows: its pictures bear none."""
    first, *steps, last = layers
    if len(steps) < 2 or first > 3 or last > 3 or sum(steps) > 6 or max(steps) > 2:
        return ()
    inputs, known, results = (INPUTS_KO, STEPS_KO, RESULTS_KO) if korean else (
        INPUTS, STEPS, RESULTS
    )  # fmt: skip
    names = iter(known)
    said = [[next(names) for _ in range(step)] for step in steps]
    say = (FLOW_KO if korean else FLOW)[0]
    return (say(list(inputs[:first]), said, list(results[:last]), Random(0)),)


_NODE = r"(?:nodes?|vertices|노드|꼭짓점)"
_SHAPE = r"(?:circles?|rectangles?|squares?|boxes|box|사각형|네모|상자|동그라미|원)"
_EDGE = r"(?:edges?|arrows?|lines?|connections?|links?|화살표|연결선|간선|선)"
_LAYER = r"(?:layers?|levels?|(?<!입력)(?<!출력)층)"
#: A form that none of the model's own wordings has.
_OTHER_FORM = re.compile(
    r"\b(?:tree|ring|cycle|star|grid|loop)s?\b|트리|나무|고리|순환|별 ?모양|격자|원형"
)
_COLOUR = re.compile(
    r"\b(?:red|green|blue|yellow|orange|purple|violet|black|white|grey|gray)\b"
    r"|빨간|빨강|파란|파랑|노란|노랑|초록|녹색|보라|주황|검은|검정|하얀|흰|회색"
)


def _counted(said: str, korean: bool) -> Asked:
    """How many nodes, layers and lines, where the request says nothing of what they are."""
    nodes, layers = _count(_NODE, said), _count(_LAYER, said)
    if nodes is None and not re.search(_NODE, said):
        nodes = _count(_SHAPE, said, several=True)
    hidden = re.search(r"hidden|은닉", said)
    if hidden and layers is not None:
        layers += 2
    edges = _count(_EDGE, said)
    plain = not _OTHER_FORM.search(said)
    more = not plain or bool(_COLOUR.search(said) or _count(_SHAPE, said, several=True))
    wordings = _counted_wordings(nodes, layers, edges, korean) if plain else ()
    return Asked(nodes, (), layers, edges, wordings, more)


def _count(noun: str, said: str, *, several: bool = False) -> int | None:
    """The number before or after a noun; None where it is said never, or twice with no sum."""
    found = re.findall(
        rf"(\d+)(?:개의?|-|\s)*\s*(?:hidden )?{noun}"
        rf"|{noun}(?:이|가|은|는|을|를|\s|:)*(\d+)\s*(?:개|층)",
        said,
    )
    numbers = [int(before or after) for before, after in found]
    return sum(numbers) if numbers and (several or len(numbers) == 1) else None


def _counted_wordings(
    nodes: int | None, layers: int | None, edges: int | None, korean: bool
) -> tuple[str, ...]:
    """A chain of as many nodes, or a network of as many layers; none where neither has them."""
    if nodes is not None and layers is None:
        chain = edges in (None, nodes - 1) and 3 <= nodes <= MOST_LAYERS
        return _chart_wording([1] * nodes, korean) if chain else ()
    if layers is None or not 3 <= layers <= 5 or edges is not None:
        return ()
    between = (2 + USUAL_WIDTH * (layers - 2) if nodes is None else nodes) - 2
    share, more = divmod(between, layers - 2)
    widths = (1, *(share + (place < more) for place in range(layers - 2)), 1)
    return _dense(widths, layers - 2, korean).wordings if share else ()


_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
_NATIVE = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "넷": 4, "네": 4, "다섯": 5,
    "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9, "열": 10,
}  # fmt: skip
_TOO_LARGE = re.compile(r"\d{5,}")  # for a count of anything that is drawn
_ENGLISH_NUMBER = re.compile(rf"\b({'|'.join(_WORDS)})\b")
_KOREAN_NUMBER = re.compile(rf"(?<![가-힣])({'|'.join(_NATIVE)})(?=\s*(?:개|층|단계))")


def _with_digits(text: str) -> str:
    """In small letters, with numbers written as digits."""
    text = _TOO_LARGE.sub(" ", text.lower())
    text = _ENGLISH_NUMBER.sub(lambda found: str(_WORDS[found[1]]), text)
    return _KOREAN_NUMBER.sub(lambda found: str(_NATIVE[found[1]]), text)
