"""What a model thinks before it answers, told from the answer: `<think>…</think>`.

Some write both tags, some only the closing one because their prompt opened the block (DeepSeek-R1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TAG = re.compile(r"<(/?)(?:think|thinking|thought)>")
_LONGEST_TAG = len("</thinking>")
NO_ANSWER = "no_answer"  # the problem of a reply that ended before its answer began


@dataclass(frozen=True, slots=True)
class Thought:
    """A reply's two parts. `thinking` is None where it holds none."""

    answer: str
    thinking: str | None = None
    ended: bool = True  # False: it broke off inside


def take_apart(text: str, *, begun: bool = False) -> Thought:
    """The thinking and the answer of a reply.

    Args:
        text: as the model wrote it.
        begun: whether the prompt had opened the block already.
    """
    thoughts: list[str] = []
    answer: list[str] = []
    first = _TAG.search(text)
    inside, place = begun or (first is not None and first[1] == "/"), 0
    for tag in _TAG.finditer(text):
        (thoughts if inside else answer).append(text[place : tag.start()])
        inside, place = tag[1] == "", tag.end()
    (thoughts if inside else answer).append(text[place:])
    said = "".join(answer)
    if not thoughts:
        return Thought(said)
    return Thought(said.strip(), "\n".join(t.strip() for t in thoughts).strip(), not inside)


def without_thinking(text: str) -> str:
    """The answer of a reply."""
    return take_apart(text).answer


def answer_so_far(text: str, *, begun: bool = False) -> str:
    """The part of a reply's beginning that can be shown: what may become a tag waits."""
    shown = take_apart(text, begun=begun).answer
    start = shown.rfind("<", -_LONGEST_TAG)
    rest = shown[start:] if start >= 0 else ""
    waits = rest and any(tag.startswith(rest) for tag in _TAGS)
    return shown[:start] if waits else shown


_TAGS = tuple(f"<{s}{name}>" for name in ("think", "thinking", "thought") for s in ("", "/"))
