"""Code and markup where chat is expected."""

from __future__ import annotations

import re
from collections.abc import Callable

from evaluators.evaluator import EachText, Evaluator
from evaluators.korean_text import normal
from model_registry.hookspecs import hookimpl
from model_registry.records import Score

#: What each sign weighs and how it is found. A reply is full of markup at 1.
SIGNS: tuple[tuple[float, re.Pattern[str]], ...] = (
    # A model that writes its own special tokens or the next turn has lost the conversation.
    (0.5, re.compile(r"<\|?/?\w{1,30}\|?>|\[/?(?:INST|SYS|UNK|PAD)\]|\]\(http")),
    (
        0.5,
        re.compile(
            r"^\W{0,6}(?:질문|답변|사용자|user|assistant|human|system|Q|A)\s?[:：]", re.M | re.I
        ),
    ),
    # Code: fences, statements, calls.
    (1.0, re.compile(r"```")),
    (
        0.3,
        re.compile(
            r"^\s{0,12}(?:import|def|class|return|print|var|val|let|const|public|for|if|while)\b"
            r".{0,80}[(){};=:]|[\w)]\s?[{};]\s*$|=>|\(\);",
            re.M,
        ),
    ),
    # Text laid out for a page: headings, lists, tables, links, tags in the text.
    (0.3, re.compile(r"^\s{0,6}#{1,6}\s?\S", re.M)),
    (0.2, re.compile(r"^\s{0,12}(?:[*•▶■○●]|[-–](?=\s)|\(?\d{1,2}[.)]\s|[A-Da-d]\)\s)", re.M)),
    (0.3, re.compile(r"^\s{0,6}\|.{0,200}\|", re.M)),
    (0.2, re.compile(r"\*\*[^*\n]{0,200}\*\*|__[^_\n]{1,200}__")),
    (0.3, re.compile(r"https?://|www\.\w")),
    (0.2, re.compile(r"(?<!\w)#[^\W\d_]\w{0,40}")),
    (0.2, re.compile(r"\\[a-z]{2,20}\{|\$\$")),
)


def markup(reply: str) -> Score:
    """How much code or markup the reply holds: each sign adds its weight, up to 1.

    Signs: special tokens and the next turn of the dialogue (0.5 each), code fences (1) and code
    (0.3), headings, list items, tables, bold type, links, hashtags and formulas (0.2 or 0.3).

    Range: 0 to 1; low is better.
    Source: our own list of what a chat window doesn't show or a person wouldn't type.
    Limits: where code or a list was asked for, markup is right: leave this evaluator out there.
    """
    text = normal(reply)
    return Score(min(1.0, sum(weight * len(sign.findall(text)) for weight, sign in SIGNS)))


MARKUP = EachText("markup", markup, better="low")


@hookimpl
def register_evaluators(register: Callable[[Evaluator], None]) -> None:
    """Offer the evaluator of this file."""
    register(MARKUP)
