"""Reads networks in requests: the widths of a dense one, the layers of a convolutional one."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_LAYERS = 20  # of those that a request only counts

_UNIT = r"(?:nodes?|neurons?|units?|elements?|values?|cells?)"
_AND = r"(?:\s*,\s*and\s+|\s*,\s*|\s*-\s*|\s*/\s*|\s+and\s+)"
_NUMBER = r"\d+\b(?!\s*(?:input|output))"
_LIST = rf"(?P<list>{_NUMBER}(?:{_AND}{_NUMBER}){{0,11}})"
_KO_UNIT = r"(?:노드|뉴런|유닛)"
_KO_AND = r"\s*(?:개\s*)?(?:,|-|/|와|과|하고|그리고)\s*"
_KO_NUMBER = r"\d+(?!\d|\s*개의?\s*(?:입력|출력))"
_KO_LIST = rf"(?P<list>{_KO_NUMBER}(?:{_KO_AND}{_KO_NUMBER}){{0,11}})"
_KO_LISTED = rf"(?P<list>{_KO_NUMBER}(?:{_KO_AND}{_KO_NUMBER}){{1,11}})"
_JOSA = r"(?:은|는|이|가|을|를|에는|에|의)?"
_HIDDEN = rf"(?:은닉|히든)\s*(?:층|레이어)?{_JOSA}"
_NOTHING_ELSE = r"(?:(?!입력|출력)[^\d.]){0,16}"

#: From the plainest on: the first that is found counts. `list` are widths, `count` layers.
_HIDDEN_WORDINGS = [
    re.compile(pattern)
    for pattern in (
        rf"{_LIST} (?:{_UNIT} )?(?:each )?(?:in|for|at|per) (?:each of |each )?(?:the |its )?"
        r"(?:(?P<count>\d+) )?hidden",
        r"(?P<count>\d+) hidden layers?,?(?: each)? (?:of|with|having|that have|\()\s*" + _LIST,
        r"hidden layers? (?:of|with|having|:)\s*" + _LIST,
        rf"{_LIST} hidden {_UNIT}",
        rf"입력 \d+개, 은닉층 {_KO_LIST}개, 출력 \d+개",
        rf"{_HIDDEN}\s*{_KO_UNIT}?{_JOSA}\s*:?\s*{_KO_LISTED}",
        rf"{_HIDDEN}\s*(?P<count>\d+)\s*개{_NOTHING_ELSE}"
        rf"(?:각각|각|마다|한 층에|노드|뉴런|유닛|\(){_NOTHING_ELSE}{_KO_LIST}",
        rf"{_KO_UNIT}{_JOSA}\s*{_KO_LIST}\s*개(?:인|짜리|씩|\s|있는)*{_HIDDEN}\s*(?:(?P<count>\d+)\s*개)?",
        rf"{_HIDDEN}\s*{_KO_UNIT}{_JOSA}\s*{_KO_LIST}",
        r"(?P<count>\d+) hidden layers?",
        rf"{_HIDDEN}\s*(?P<count>\d+)\s*개",
    )
]
_CHAIN = re.compile(r"\d+(?:\s*(?:->|>|→|-|–|×|,)\s*\d+){2,11}")
_NETWORK = re.compile(r"network|perceptron|\bmlp\b|layers|fully connected|신경망|퍼셉트론")


@dataclass(frozen=True, slots=True)
class DenseNetwork:
    """The nodes of each layer; None for those that the request doesn't tell."""

    widths: tuple[int | None, ...]

    @property
    def hidden_layers(self) -> int:
        return len(self.widths) - 2


def read_dense(said: str) -> DenseNetwork | None:
    """A network of an input layer, hidden ones and an output layer; None where it names none.

    Args:
        said: in small letters, numbers as digits.
    """
    said = re.sub(r"(\d+)\s*개의?\s*((?:은닉|히든)\s*층)", r"\2 \1개", said)
    first, last = _end("input", "입력", said), _end("output", "출력", said)
    if first is None and last is None:
        chain = _CHAIN.search(said) if _NETWORK.search(said) else None
        return DenseNetwork(tuple(map(int, re.findall(r"\d+", chain[0])))) if chain else None
    hidden = _hidden(said)
    if first is None or last is None or not hidden:
        return None
    return DenseNetwork((first, *hidden, last))


def _end(english: str, korean: str, said: str) -> int | None:
    """The nodes of the input or the output layer."""
    for pattern in (
        rf"(\d+) {english}s?\b(?! layers?)",
        rf"{english} layer (?:of|with|has|having|that has|:)?\s*(\d+)",
        rf"(\d+) {_UNIT} (?:in|at|for|as) (?:the |its |an )?{english}",
        rf"{english}s?\s*[:=]\s*(\d+)",
        rf"{korean}\s*(?:층|값)?{_JOSA}\s*{_KO_UNIT}?{_JOSA}\s*:?\s*(\d+)",
        rf"(\d+)\s*개의?\s*{korean}",
    ):
        if found := re.search(pattern, said):
            return int(found[1])
    return None


def _hidden(said: str) -> tuple[int | None, ...]:
    """The nodes of each hidden layer; empty where nothing is said, or two things that differ."""
    for pattern in _HIDDEN_WORDINGS:
        found = pattern.search(said)
        if not found:
            continue
        parts = found.groupdict()
        widths = tuple(map(int, re.findall(r"\d+", parts.get("list") or "")))
        count = int(parts.get("count") or 0) or len(widths)
        if count > MOST_LAYERS or len(widths) not in (0, 1, count):
            return ()
        return widths if len(widths) == count else (widths or (None,)) * count
    return ()


def read_convolutions(said: str) -> tuple[int, int, bool, int] | None:
    """(image's size, convolutions, whether pooled, dense layers) of a convolutional network.

    A size that isn't said is 32; None where the layers are not both counted.
    """
    convolutions = re.search(
        r"(\d+)(?:개의?)? (?:conv|합성곱)|합성곱\s*층?[이은]?\s*(\d+)\s*개", said
    )
    dense = re.search(
        r"(\d+)(?:개의?)? (?:dense|fully[- ]connected|밀집|완전\s*연결)"
        r"|(?:밀집|완전\s*연결)\s*층?[이은]?\s*(\d+)\s*개",
        said,
    )
    if not convolutions or not dense:
        return None
    size = re.search(r"(\d+)\s*(?:x|×|by)\s*\d+", said)
    without = re.search(r"(?:without|no) pooling|풀링\s*(?:층\s*)?(?:이\s*)?없", said)
    pooled = not without and re.search(r"pooling|풀링", said)
    counted, ending = (next(int(n) for n in found.groups() if n) for found in (convolutions, dense))
    if counted + ending > MOST_LAYERS:
        return None
    return int(size[1]) if size else 32, counted, bool(pooled), ending
