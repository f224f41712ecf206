"""Requests for diagrams, in varied words, each with a diagram that answers it.

Three kinds: dense networks, convolutional networks and flow charts. Everything is drawn from a
seed, so that the same call gives the same pairs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from diagrams.diagram import Diagram
from diagrams.layout import Layer, Style, all_to_all, draw_style, readable

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
        """What the model is given."""
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


def _pick(draw: Random, english: Sequence, korean: Sequence) -> Sequence:
    return korean if draw.random() < KOREAN_SHARE else english


def asked_nodes(text: str) -> int | None:
    """How many nodes a dense network in a request has; None where the request says no layers.

    Understood: "2 input nodes, 4 and 6 nodes in … hidden layers, … 1 node in the output layer"
    and the wordings of this file, in English and Korean.
    """
    for pattern in _DENSE_WORDINGS:
        match = pattern.search(text)
        if match:
            hidden = re.findall(r"\d+", match["hidden"])
            return int(match["input"]) + sum(map(int, hidden)) + int(match["output"])
    return None


_LIST = r"(?P<hidden>\d+(?:(?:\s*,\s*|\s*-\s*|\s+and\s+|,\s+and\s+)\d+){0,9})"
_DENSE_WORDINGS = [
    re.compile(
        rf"(?P<input>\d+) input (?:nodes?|neurons?|values?|units?|elements?)\D{{0,40}}?{_LIST}"
        r"[^.]{0,80}?\bhidden[^.\d]{0,60}(?:\d+ hidden layers?[^.\d]{0,40})?(?P<output>\d+)"
        r"[^.\d]{0,25}output"
    ),
    re.compile(
        rf"input layer of (?P<input>\d+), hidden layers? of {_LIST},? and an output layer of "
        r"(?P<output>\d+)"
    ),
    re.compile(rf"입력 (?P<input>\d+)개, 은닉층 {_LIST}개, 출력 (?P<output>\d+)개"),
    re.compile(rf"layers (?P<input>\d+) > {_LIST} > (?P<output>\d+)"),
]


def _listed(items: Sequence[object]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *first, last = [str(item) for item in items]
    return f"{', '.join(first)} and {last}" if first else last


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _hidden_layers(widths: list[int]) -> str:
    return "the hidden layer" if len(widths) == 3 else f"the {len(widths) - 2} hidden layers"


Dense = Callable[[list[int]], str]
DENSE: tuple[Dense, ...] = (
    lambda w: (
        f"A neural network with {_many(w[0], 'input node')}, {_listed(w[1:-1])} nodes in "
        f"{_hidden_layers(w)}, and {_many(w[-1], 'output node')}."
    ),
    lambda w: (
        f"A dense network: an input layer of {w[0]}, hidden layers of {_listed(w[1:-1])}, and an "
        f"output layer of {w[-1]}."
    ),
    lambda w: (
        f"Draw a multilayer perceptron that takes {_many(w[0], 'input value')}, has "
        f"{_listed(w[1:-1])} units in {_hidden_layers(w)} and gives {_many(w[-1], 'output')}."
    ),
    lambda w: f"fully connected, layers {w[0]} > {', '.join(map(str, w[1:-1]))} > {w[-1]}",
)
DENSE_KO: tuple[Dense, ...] = (
    lambda w: f"입력 {w[0]}개, 은닉층 {', '.join(map(str, w[1:-1]))}개, 출력 {w[-1]}개인 신경망",
    lambda w: (
        f"완전 연결 신경망을 그려 줘. 입력 {w[0]}개, 은닉층 {', '.join(map(str, w[1:-1]))}개, "
        f"출력 {w[-1]}개."
    ),
)

Cnn = Callable[[int, int, bool, int], str]


def _pooling(pooled: bool) -> str:
    return "each followed by pooling" if pooled else "without pooling"


CNN: tuple[Cnn, ...] = (
    lambda size, c, p, d: (
        f"A convolutional network for {size}x{size} images with {_many(c, 'convolution layer')}, "
        f"{_pooling(p)}, and {_many(d, 'dense layer')}."
    ),
    lambda size, c, p, d: (
        f"CNN: input image {size} x {size}, {c} convolutions ({_pooling(p)}), then "
        f"{_many(d, 'fully connected layer')}"
    ),
    lambda size, c, p, d: (
        f"An image of {size} by {size} pixels goes through {_many(c, 'convolution')}, "
        f"{_pooling(p)}, and ends in {_many(d, 'dense layer')}."
    ),
)
CNN_KO: tuple[Cnn, ...] = (
    lambda size, c, p, d: (
        f"{size}x{size} 이미지를 받아 합성곱층 {c}개({'풀링 있음' if p else '풀링 없음'})와 "
        f"밀집층 {d}개를 지나는 CNN"
    ),
)

INPUTS = (
    "a CSV file", "a database", "user clicks", "sensor readings", "photos", "a web form",
    "sound recordings", "old letters", "a street map", "log files", "a price list",
    "survey answers",
)  # fmt: skip
STEPS = (
    "cleaning", "sorting", "removing duplicates", "translation", "training a model", "voting",
    "scaling", "encryption", "a check by a person", "clustering", "counting words", "compression",
    "filling gaps", "sampling", "a search", "an estimate", "labelling", "merging",
)  # fmt: skip
RESULTS = (
    "a graph", "a report", "an email", "a ranking", "a forecast", "an alarm", "a new table",
    "a web page", "a summary", "a label",
)  # fmt: skip
INPUTS_KO = ("엑셀 파일", "데이터베이스", "사진", "설문 응답", "센서 값", "녹음 파일", "주문 목록")
STEPS_KO = (
    "정리", "정렬", "중복 제거", "번역", "모델 학습", "암호화", "사람의 확인", "군집화",
    "단어 세기", "압축", "표본 뽑기", "검색",
)  # fmt: skip
RESULTS_KO = ("그래프", "보고서", "이메일", "순위표", "예측값", "알림", "요약문")


Flow = Callable[[list[str], list[list[str]], list[str], Random], str]


def _then(steps: list[list[str]], parallel: str = " in parallel with ") -> str:
    return ", then ".join(parallel.join(step) for step in steps)


FLOW: tuple[Flow, ...] = (
    lambda i, s, r, d: (
        f"A process that takes {_listed(i)}, does {_then(s)}, and gives {_listed(r)}."
    ),
    lambda i, s, r, d: (
        f"Flow chart. {d.choice(('Input', 'Start'))}: {', '.join(i)}. Steps: {_then(s)}. "
        f"{d.choice(('Output', 'Result'))}: {', '.join(r)}."
    ),
    lambda i, s, r, d: (
        f"{_listed(i).capitalize()} {'goes' if len(i) == 1 else 'go'} into {_then(s)}; "
        f"what comes out is {_listed(r)}"
    ),
    lambda i, s, r, d: (
        f"how {_listed(i)} become{'s' if len(i) == 1 else ''} {_listed(r)}: {_then(s)}"
    ),
)
FLOW_KO: tuple[Flow, ...] = (
    lambda i, s, r, d: (
        f"{', '.join(i)} 입력을 받아 {_ko(s)} 순서로 처리하고 {', '.join(r)} 결과를 내는 순서도"
    ),
    lambda i, s, r, d: f"순서도: 입력 {', '.join(i)}; 단계 {_ko(s)}; 결과 {', '.join(r)}",
)


def _ko(steps: list[list[str]]) -> str:
    return " → ".join("와 동시에 ".join(step) for step in steps)
