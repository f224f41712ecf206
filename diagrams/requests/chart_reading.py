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
#: Steps named in a row, as people list them: with commas, "…하고", "…한 다음".
_IN_ORDER = re.compile(
    r"^(?:순서도|흐름도|(?:draw )?(?:an? )?flow ?chart)(?: of| for)?\s*:?\s+(?P<first>.+)"
    r"|^(?P<last>.+?)(?:의|인)?\s*(?:순서로|순으로|순서대로|순서의|순서도|흐름도)"
)
_NEXT = re.compile(
    r"\s*,\s*(?:and (?:then )?|then )?| and then | and "
    r"|(?:한|은|운|인)?\s*(?:그다음|다음|뒤|후)(?:에|으로)?(?:\s+|$)|(?<=[가-힣])고\s+(?:나서\s+)?"
)
_NO_STEP = re.compile(r"\d|노드|상자|화살표|단계|부터|node|arrow|step")  # it says something else
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
    if named := _steps_in_order(said):
        return (1,) * named
    counted = _STEPS_COUNTED.search(said) if _CHART.search(said) else None
    count = int(next(filter(None, counted.groups()))) if counted else 0
    return (1,) * count if 3 <= count <= MOST_STEPS else ()


def _steps_in_order(said: str) -> int:
    """How many steps a flow chart's request lists in a row; 0 where fewer than two."""
    found = _IN_ORDER.search(said)
    listed = (found["first"] or found["last"]) if found else ""
    steps = [step for step in _NEXT.split(listed) if step.strip(" .")]
    return len(steps) if 2 <= len(steps) <= MOST_STEPS and not _NO_STEP.search(listed) else 0
