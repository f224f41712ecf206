"""Generates requests for diagrams, each with a diagram that answers it.

Three kinds: dense networks, convolutional networks and flow charts. Everything is drawn from a
seed, so that the same call gives the same pairs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

from diagrams.diagram import Diagram
from diagrams.requests.diagram_layout import Layer, Style, all_to_all, draw_style, readable
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

PREFIX = "Represent below as a Python list."
SUFFIX = (
    "Write one node a line, as [node No., X (px, 0-1000), Y (px, 0-600), shape (rectangle, round "
    "rectangle or circle), width (px), height (px), line shape (solid arrow, solid line or dashed "
    "line), background color (R, G, B), line color (R, G, B), list of the node No.s it points to]. "
    "Make it easy to read."
)
NETWORKS_SHARE = 0.4  # of the pairs; the rest are flow charts
CNN_SHARE = 0.35  # of the networks
KOREAN_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: `text` is the user's own paragraph."""

    kind: str  # dense, cnn or flow
    text: str
    nodes: int  # how many are asked for

    @property
    def prompt(self) -> str:
        """The model's prompt."""
        return prompt_for(self.text)


@dataclass(frozen=True, slots=True)
class Pair:
    """A request with a diagram that answers it."""

    request: Request
    target: Diagram


def prompt_for(text: str) -> str:
    """The user's paragraph between the fixed prefix and suffix."""
    return f"{PREFIX}\n{text.strip()}\n{SUFFIX}"


def make_pairs(count: int, seed: int) -> list[Pair]:
    """`count` pairs with different requests, two in five of them networks.

    Another seed gives other requests (dense networks are few enough to meet again by chance).
    """
    draw = Random(seed)
    pairs: dict[str, Pair] = {}
    networks = round(count * NETWORKS_SHARE)
    while len(pairs) < count:
        pair = (network_pair if len(pairs) < networks else flow_pair)(draw)
        pairs.setdefault(pair.request.text, pair)
    made = list(pairs.values())
    draw.shuffle(made)
    return made


def held_out(count: int, seed: int, known: Sequence[Pair]) -> list[Pair]:
    """Pairs whose requests are none of the known ones."""
    texts = {pair.request.text for pair in known}
    made = make_pairs(count + len(known), seed)
    return [pair for pair in made if pair.request.text not in texts][:count]


def network_pair(draw: Random) -> Pair:
    """A dense or a convolutional network."""
    return (cnn_pair if draw.random() < CNN_SHARE else dense_pair)(draw)


def dense_pair(draw: Random) -> Pair:
    """A dense network: an input layer, one to three hidden ones and an output layer."""
    hidden = [draw.randrange(2, 9) for _ in range(draw.choices((1, 2, 3), weights=(3, 5, 2))[0])]
    widths = [draw.randrange(1, 7), *hidden, draw.randrange(1, 5)]
    layers = [Layer(width) for width in widths]
    text = draw.choice(_pick(draw, DENSE, DENSE_KO))(widths)
    return _pair("dense", text, layers, draw_style(draw))


def cnn_pair(draw: Random) -> Pair:
    """A convolutional network: its layers as bars that become lower, then dense ones."""
    convolutions, dense = draw.randrange(2, 6), draw.randrange(1, 4)
    pooled = draw.random() < 0.7
    kinds = ["input", *(["convolution", "pooling"] if pooled else ["convolution"]) * convolutions]
    heights = [7.0 - 4.5 * i / len(kinds) for i in range(len(kinds))]
    layers = [Layer(1, height, "rectangle") for height in heights]
    layers += [Layer(1, 3.5 - i, "round rectangle") for i in range(dense)]
    size = draw.choice((28, 32, 48, 64, 96, 128, 224))
    text = draw.choice(_pick(draw, CNN, CNN_KO))(size, convolutions, pooled, dense)
    style = draw_style(draw)
    across = Style(True, style.palette, style.shapes, style.line, style.line_colour, 0.55)
    return _pair("cnn", text, layers, across)


def flow_pair(draw: Random) -> Pair:
    """A flow chart: inputs, steps one after the other or side by side, results."""
    korean = draw.random() < KOREAN_SHARE
    inputs = draw.sample(INPUTS_KO if korean else INPUTS, draw.choices((1, 2, 3), (5, 4, 2))[0])
    names = draw.sample(STEPS_KO if korean else STEPS, draw.randrange(2, 7))
    results = draw.sample(RESULTS_KO if korean else RESULTS, draw.choices((1, 2, 3), (6, 3, 1))[0])
    steps = _side_by_side(names, draw)
    say = draw.choice(FLOW_KO if korean else FLOW)
    layers = [Layer(len(inputs), shape="round rectangle")]
    layers += [Layer(len(step)) for step in steps]
    layers.append(Layer(len(results), shape="circle"))
    return _pair("flow", say(inputs, steps, results, draw), layers, draw_style(draw, mixed=True))


def _pair(kind: str, text: str, layers: list[Layer], style: Style) -> Pair:
    target = readable(layers, all_to_all(layers), style)
    return Pair(Request(kind, text, len(target.nodes)), target)


def _side_by_side(names: list[str], draw: Random) -> list[list[str]]:
    """The steps in order; sometimes two of them stand side by side."""
    steps = [[name] for name in names]
    if len(steps) > 2 and draw.random() < 0.4:
        at = draw.randrange(len(steps) - 1)
        steps[at : at + 2] = [[*steps[at], *steps[at + 1]]]
    return steps


T = TypeVar("T")


def _pick(draw: Random, english: Sequence[T], korean: Sequence[T]) -> Sequence[T]:
    return korean if draw.random() < KOREAN_SHARE else english


def write_pairs(path: Path, train: int = 700, test: int = 200, seed: int = 1) -> None:
    """Write pairs as JSON lines with prompt, reply and split; no test request is a train one."""
    known = make_pairs(train, seed)
    parts = (("train", known), ("test", held_out(test, seed + 1, known)))
    with path.open("w", encoding="utf-8") as file:
        for split, pairs in parts:
            for pair in pairs:
                row = {
                    "prompt": pair.request.prompt,
                    "reply": pair.target.as_text(),
                    "split": split,
                }
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m diagrams.requests.diagram_requests OUT.jsonl")
    write_pairs(Path(sys.argv[1]))
