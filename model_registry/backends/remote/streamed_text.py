"""Assembles a streamed reply: joined, secrets masked, first token timed."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Protocol

from model_registry.backends.backend import Answer
from model_registry.backends.remote.endpoint import Endpoint, StreamMask, overlap
from model_registry.prompting.thinking import NO_ANSWER, VisibleReply, split_thinking


class Clock(Protocol):
    """When an answer was asked for, and how long connecting took."""

    connect_seconds: float | None

    def elapsed(self) -> float:
        """Seconds since it was asked for."""


class StreamedText:
    """Collects the pieces of one answer.

    `feed` and `finish` give what can be shown: halves of a syllable wait for each other, and
    nothing is shown of an end mark or of what comes after it.

    Args:
        endpoint: whose secrets are masked.
        clock: of this answer.
        marks: texts at which the answer ends, which its server sends along.
    """

    def __init__(self, endpoint: Endpoint, clock: Clock, marks: Sequence[str] = ()) -> None:
        self.clock = clock
        self.ended = False  # an end mark was met
        self.pieces = 0
        self.text = ""
        self.first_seconds: float | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._mask = StreamMask(endpoint.secrets)
        self._thoughts_mask = StreamMask(endpoint.secrets)
        self._marks = [mark for mark in marks if mark]
        self._held = ""
        self._shown = VisibleReply()
        self._thought = ""
        self._answer_began: float | None = None

    def feed(self, piece: str) -> str:
        """Add a piece; returns the text that can be shown now."""
        if self.first_seconds is None:
            self.first_seconds = self.clock.elapsed()
        self.pieces += 1
        return self._show(self._mask.feed(self._decoder.decode(_raw(piece))))

    def think(self, piece: str) -> None:
        """Add a piece of thinking, which some servers send apart from the text."""
        if self.first_seconds is None:
            self.first_seconds = self.clock.elapsed()
        self._thought += self._thoughts_mask.feed(piece)

    def finish(self) -> str:
        """End the stream; returns the text that was still held back."""
        rest = self._mask.feed(self._decoder.decode(b"", final=True))
        return self._show(rest + self._mask.finish(), last=True)

    def _show(self, text: str, last: bool = False) -> str:
        if self.ended:
            return self._shown.more(self.text, last=last)
        text = self._held + text
        found = [place for mark in self._marks if (place := text.find(mark)) >= 0]
        self.ended = bool(found)
        keep = 0 if last else max((overlap(text, mark) for mark in self._marks), default=0)
        end = min(found) if found else len(text) - keep
        self._held = "" if found else text[end:]
        self.text += text[:end]
        piece = self._shown.more(self.text, last=last)
        if piece.strip() and self._answer_began is None:
            self._answer_began = self.clock.elapsed()
        return piece

    def answer(
        self,
        finish_reason: str,
        new_tokens: int | None,
        seconds: float,
        problems: tuple[str, ...] = (),
        thinking_tokens: int | None = None,
    ) -> Answer:
        """Build the Answer from the pieces, adding its problems to those given."""
        thought = split_thinking(self.text)
        self._thought += self._thoughts_mask.finish()
        thinking = self._thought.strip() or thought.thinking
        text = thought.answer.strip()
        found = list(problems)
        if finish_reason == "length":
            found.append("truncated")
        if not text and thinking is not None:
            found.append(NO_ANSWER)
        elif not text and finish_reason != "error":
            found.append("empty")
        if "�" in self.text:
            found.append("invalid UTF-8")
        took = None
        if thinking is not None and self.first_seconds is not None:
            took = (self._answer_began or seconds) - self.first_seconds
        return Answer(
            text, new_tokens, finish_reason, seconds, self.first_seconds, tuple(found),
            self.clock.connect_seconds, thinking, thinking_tokens, took,
        )  # fmt: skip


def _raw(piece: str) -> bytes:
    """The bytes of a piece, those that were no UTF-8 (kept as lone surrogates) included."""
    try:
        return piece.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a UTF-16 pair, as some servers cut an emoji
        return piece.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
