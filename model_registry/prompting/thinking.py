"""Splits a reply into thinking (`<think>…</think>`) and answer.

Some write both tags, some only the closing one because their prompt opened the block (DeepSeek-R1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TAG = re.compile(r"<(/?)(?:think|thinking|thought)>")
_LONGEST_TAG = len("</thinking>")  # characters
NO_ANSWER = "no_answer"  # the problem of a reply that ended before its answer began


@dataclass(frozen=True, slots=True)
class SplitReply:
    """A reply's two parts. `thinking` is None where there is none."""

    answer: str
    thinking: str | None = None
    ended: bool = True  # False: it broke off inside


def split_thinking(text: str, *, begun: bool = False) -> SplitReply:
    """Split a reply into thinking and answer; one that holds no thinking is all answer.

    Args:
        text: as the model wrote it.
        begun: whether the prompt had opened the block already.
    """
    thoughts: list[str] = []
    answer: list[str] = []
    if not begun and "<" not in text:
        return SplitReply(text)
    first = _TAG.search(text)
    inside, place = begun or (first is not None and first[1] == "/"), 0
    for tag in _TAG.finditer(text):
        (thoughts if inside else answer).append(text[place : tag.start()])
        inside, place = tag[1] == "", tag.end()
    (thoughts if inside else answer).append(text[place:])
    said = "".join(answer)
    if not thoughts:
        return SplitReply(said)
    return SplitReply(said.lstrip(), "\n".join(t.strip() for t in thoughts).strip(), not inside)


def count_closed_thinking(text: str) -> int:
    """How many thinking blocks are closed in a text."""
    return sum(tag[1] == "/" for tag in _TAG.finditer(text))


class VisibleReply:
    """The visible part of a growing reply: its answer, piece by piece.

    Args:
        begun: whether the prompt had opened a thinking block.
    """

    def __init__(self, begun: bool = False) -> None:
        self.begun, self.text = begun, ""

    def more(self, reply: str, *, last: bool = False) -> str:
        """The newly visible text when the reply has grown to this; may be empty.

        What could still become a tag waits. Where a block turns out to have been open from the
        beginning, what was shown can't be taken back: nothing more is shown.
        """
        answer = split_thinking(reply, begun=self.begun).answer
        start = -1 if last else answer.rfind("<", -_LONGEST_TAG)
        if start >= 0 and any(tag.startswith(answer[start:]) for tag in _TAGS):
            answer = answer[:start]
        if not answer.startswith(self.text):
            return ""
        piece, self.text = answer[len(self.text) :], answer
        return piece


_TAGS = tuple(f"<{s}{name}>" for name in ("think", "thinking", "thought") for s in ("", "/"))
