"""Wordings of requests for diagrams, in English and Korean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random


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


def _then(steps: list[list[str]]) -> str:
    return ", then ".join(" in parallel with ".join(step) for step in steps)


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
