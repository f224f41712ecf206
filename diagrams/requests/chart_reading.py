"""Reads flow charts in requests: how many nodes stand at each of their steps."""

from __future__ import annotations

import re

MOST_STEPS = 100  # of a chart that only counts them

_ARROW = r"\s*(?:→|->|=>|➜|➔)\s*"
_THEN = re.compile(rf",? then |{_ARROW}|\s*그다음(?:에)?\s*")
_BESIDE = re.compile(r" in parallel with |[와과] 동시에 ")
_LISTED = re.compile(r"\s*,\s*(?:and )?| and ")

#: What goes in, the steps and what comes out, as requests word them.
_WORDINGS = [
    re.compile(pattern)
    for pattern in (
        r"takes (?P<inputs>.+?),? does (?P<steps>.+?),? and gives (?P<results>.+)",
        r"(?:input|start)s?: (?P<inputs>.+?)[.;] steps?: (?P<steps>.+?)[.;] "
        r"(?:output|result)s?: (?P<results>.+)",
        r"^(?P<inputs>.+?) go(?:es)? into (?P<steps>.+?); what comes out is (?P<results>.+)",
        r"^how (?P<inputs>.+?) becomes? (?P<results>.+?): (?P<steps>.+)",
        r"^(?P<inputs>.+?) 입력을 받아 (?P<steps>.+?) 순서로 처리하고 (?P<results>.+?) 결과를",
        r"입력\s?[은:]? (?P<inputs>.+?)[;.] 단계\s?[는:]? (?P<steps>.+?)[;.] "
        r"결과\s?[는:]? (?P<results>.+)",
    )
]
_STEPS_COUNTED = re.compile(r"(\d+)[- ]step\b|(\d+) steps|(\d+)\s*단계")
_CHART = re.compile(r"flow ?chart|process|diagram|순서도|흐름도|과정|절차|다이어그램")


def read_chart(said: str) -> tuple[int, ...]:
    """The nodes at each step, from what goes in to what comes out; empty where none is named.

    Args:
        said: in small letters, numbers as digits.
    """
    for pattern in _WORDINGS:
        if found := pattern.search(said):
            steps = [len(_BESIDE.split(step)) for step in _THEN.split(found["steps"])]
            ends = [len(_LISTED.split(found[end].strip(" ."))) for end in ("inputs", "results")]
            return (ends[0], *steps, ends[1])
    items = re.split(_ARROW, said)
    if len(items) > 2 and all(item.strip() for item in items):
        return tuple(len(_BESIDE.split(item)) for item in items)
    counted = _STEPS_COUNTED.search(said) if _CHART.search(said) else None
    count = int(next(filter(None, counted.groups()))) if counted else 0
    return (1,) * count if 3 <= count <= MOST_STEPS else ()
