"""Code and markup in a reply, where chat is expected."""

from __future__ import annotations

import re
from dataclasses import dataclass

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


def _sign(weight: float, needs: str, pattern: str) -> Sign:
    return Sign(weight, needs, re.compile(pattern, re.M))


#: A reply is full of markup at 1.
SIGNS: tuple[Sign, ...] = (
    # A model that writes its own special tokens or the next turn has lost the conversation.
    _sign(0.5, "<[]", r"<\|?/?\w{1,30}\s?/?\|?>|\[/?(?:INST|SYS|UNK|PAD)\]|\]\(http"),
    _sign(
        0.5,
        ":：",
        r"(?i:(?:^|#)\W{0,6}(?:질문|답변|사용자|user|assistant|human|system|Q|A)\s?[:：])",
    ),
    # A play: at least two lines that begin with who speaks.
    _sign(
        0.4,
        ":：",
        r"^\W{0,4}[^\W\d]{1,8}\W{0,2}[:：].{1,200}\n(?:.{0,200}\n){0,2}?"
        r"\W{0,4}[^\W\d]{1,8}\W{0,2}[:：]",
    ),
    # Code: fences, statements, calls.
    _sign(1.0, "`", r"```"),
    _sign(
        0.3,
        "(){};=:>",
        r"^\s{0,12}(?:import|def|class|return|print|var|val|let|const|public|for|if|while)\b"
        r".{0,80}[(){};=:]|[\w)]\s?[{};]\s*$|=>|\(\);",
    ),
    # Text laid out for a page: headings, lists, tables, links, tags in the text.
    _sign(0.3, "#", r"^\s{0,6}#{1,6}\s?\S|(?<=\S)\s#{2,6}\s?\S"),
    _sign(0.2, "*•▶■○●-–)", r"^\s{0,12}(?:[*•▶■○●]|[-–](?=\s)|\(?\d{1,2}\)\s|[A-Da-d]\)\s)"),
    _sign(0.2, "0123456789", r"^\s{0,12}\d{1,2}\.\s"),
    _sign(0.3, "|", r"^\s{0,6}\|.{0,200}\|"),
    _sign(0.2, "*_", r"\*\*[^*\n]{0,200}\*\*|__[^_\n]{1,200}__"),
    _sign(0.3, "/w", r"https?://|www\.\w"),
    _sign(0.2, "#", r"(?<![\w#])#[^\W\d_]\w{0,40}"),
    _sign(0.2, "\\$", r"\\[a-z]{2,20}\{|\$\$"),
    # What stands around the text of web pages.
    _sign(0.3, "&ⓒ©", r"&(?:nbsp|lt|gt|amp|quot|#\d{1,5});|[ⓒ©]"),
    _sign(0.3, "@", r"[\w.-]{1,40}@[\w-]{1,40}\.\w"),
    _sign(
        0.3,
        "무재조출댓기",
        r"무단 ?전재|재배포 ?금지|조회 ?수|\[?출처\]?\s?[:：\]]|댓글 ?\(?\d|[가-힣]{2,4} ?기자 ?=",
    ),
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
