"""Code and markup in a reply, where chat is expected."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from evaluators.evaluator import EachText
from evaluators.korean_text import normal
from model_registry.records import Score


@dataclass(frozen=True, slots=True)
class Sign:
    """One kind of markup: its weight, its pattern, and characters that the pattern needs.

    Most chat has none of those characters, so that most patterns need not be tried.
    """

    weight: float
    needs: str
    pattern: re.Pattern[str]

    def weigh(self, text: str) -> float:
        """The total weight of all matches in the text."""
        if not any(character in text for character in self.needs):
            return 0.0
        return self.weight * len(self.pattern.findall(text))


_TABLE = Path(__file__).parent / "data" / "markup.toml"
#: A reply is full of markup at 1.
SIGNS = tuple(
    Sign(sign["weight"], sign["needs"], re.compile(sign["pattern"], re.M))
    for sign in tomllib.loads(_TABLE.read_text(encoding="utf-8"))["signs"]
)


def markup(reply: str) -> Score:
    """How much code or markup the reply holds: each sign adds its weight, up to 1.

    Signs: special tokens and the next turn of the dialogue (0.5 each), a play with speakers (0.4),
    code fences (1) and code (0.3), headings, list items, tables, bold type, links, hashtags,
    formulas and what stands around the text of web pages (0.2 or 0.3).

    Range: 0 to 1; low is better.
    Source: our own list of what a chat window doesn't show or a person wouldn't type.
    Limits: where code or a list was asked for, markup is right: leave this evaluator out there.
    """
    text = normal(reply)
    return Score(min(1.0, sum(sign.weigh(text) for sign in SIGNS)))


#: What lays a text out, and how many of each make it fully laid out.
LAYOUT: tuple[tuple[int, re.Pattern[str]], ...] = (
    (5, re.compile(r"\*\*[^*\n]{1,80}\*\*")),
    (8, re.compile(r"^[ \t]{0,8}(?:[-*•]\s|\d{1,2}[.)]\s)", re.M)),
    (2, re.compile(r"^#{1,5}\s", re.M)),
    (8, re.compile(r"\n[ \t]*\n")),
)


def layout(reply: str) -> Score:
    """How far the reply is laid out for a page: bold type, list items, headings, paragraphs.

    Range: 0 to 1, a quarter for each of the four; neither high nor low is better: judges of
    exam-like answers prefer it, in a chat it is out of place.
    Source: counted; full at 5 bold passages, 8 list items, 2 headings, 8 gaps between paragraphs.
    Limits: says nothing of whether the order makes sense.
    """
    text = normal(reply).strip()
    if "\n" not in text and "**" not in text and text[:1] not in "-*•#0123456789":
        return Score(0.0)
    shares = (min(1.0, len(pattern.findall(text)) / full) for full, pattern in LAYOUT)
    return Score(sum(shares) / len(LAYOUT))


MARKUP = EachText("markup", markup, better="low", label_en="code or markup", label_ko="코드·마크업")

LAYOUT_OF_REPLY = EachText(
    "layout", layout, better="neither", label_en="layout", label_ko="문서 서식"
)
