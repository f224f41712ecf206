"""Repetition: does a reply repeat itself or loop, and how many different words does it have?"""

from __future__ import annotations

import math
import re

from evaluators.evaluator import EachText
from evaluators.korean_text import SYLLABLES, normal, prose
from model_registry.records import Score

N_GRAM = 6  # characters: about two Korean words, rarely said twice in one short reply
LONG_RUN = re.compile(r"(.)\1{3,}+", re.DOTALL)
SPACES = re.compile(r"\s+")
#: A piece of 2 to 60 characters said at least three times in a row.
LONGEST_PIECE = 60
PAIR = re.compile(r"(..)\1\1", re.DOTALL)
LOOPED = re.compile(rf"(.{{2,{LONGEST_PIECE}}}?)(?:\1){{2,}}+", re.DOTALL)

WORD = re.compile(f"[{SYLLABLES}]+")
RICH = 12.0  # distinct words by the root of all words, from which a reply has words enough


def squeezed(reply: str) -> str:
    """The reply with single spaces, and with runs of one character cut to three (ㅋㅋㅋㅋㅋ)."""
    return LONG_RUN.sub(r"\1\1\1", SPACES.sub(" ", normal(reply)).strip())


def repetition(reply: str) -> Score:
    """The share of the reply's character 6-grams that occurred before in it.

    Range: 0 to 1; low is better. None for fewer than twelve characters.
    Source: 1 − distinct/all n-grams (known as rep-n), on characters, since Korean particles make
    words differ; runs of one character (ㅋㅋㅋㅋ, !!!!) count as three.
    Limits: a list with a repeated opening reads as repetition, which in chat it is.
    """
    text = squeezed(reply)
    total = len(text) - N_GRAM + 1
    if total <= N_GRAM:
        return Score(None, "too short to repeat itself")
    return Score(1.0 - len({text[i : i + N_GRAM] for i in range(total)}) / total)


def loop(reply: str) -> Score:
    """The share of the reply taken by pieces repeated three or more times in a row.

    Range: 0 to 1; low is better. None for an empty reply.
    Source: our own definition: a piece of 2 to 60 characters; one character drawn out is no loop.
    Limits: a loop with changing numbers (1. … 2. …) is seen by `repetition` only.
    """
    text = squeezed(reply)
    if not text:
        return Score(None, "the reply is empty")
    if not _may_loop(text):
        return Score(0.0)
    looped = sum(len(found[0]) for found in LOOPED.finditer(text))
    return Score(looped / len(text))


def _may_loop(text: str) -> bool:
    """Whether the slow search is worth its time.

    A loop of pieces of three or more characters says a 6-gram again within one piece's length.
    """
    grams = [text[i : i + N_GRAM] for i in range(len(text) - N_GRAM + 1)]
    if len(set(grams)) < len(grams):
        last: dict[str, int] = {}
        for place, gram in enumerate(grams):
            if place - last.get(gram, -LONGEST_PIECE - 1) <= LONGEST_PIECE:
                return True
            last[gram] = place
    return bool(PAIR.search(text))


def vocabulary(reply: str) -> Score:
    """How rich the reply's Korean vocabulary is, for its length.

    Range: 0 to 1; high is better. 0 without a Korean word; 1 is reached by some 150 words of which
    none comes twice.
    Source: distinct words divided by the square root of all words (Guiraud 1954), by 12; words are
    runs of Hangul syllables in the prose.
    Limits: particles make words differ, so a word with two particles counts twice; words without
    sense count too.
    """
    words = WORD.findall(prose(reply))
    rich = len(set(words)) / math.sqrt(len(words)) if words else 0.0
    return Score(min(1.0, rich / RICH))


def said_again(reply: str) -> Score:
    """The share of the reply's Korean words that it had said before.

    Range: 0 to 1; low is better. None without a Korean word.
    Source: 1 less the type–token ratio of the runs of Hangul syllables in the prose.
    Limits: grows with length even in good prose: compare replies to the same prompts.
    """
    words = WORD.findall(prose(reply))
    if not words:
        return Score(None, "no Korean word")
    return Score(1 - len(set(words)) / len(words))


REPETITION = EachText(
    "repetition", repetition, better="low", label_en="repetition", label_ko="반복"
)
LOOP = EachText("loop", loop, better="low", label_en="loops", label_ko="되풀이")
VOCABULARY = EachText("vocabulary", vocabulary, label_en="vocabulary", label_ko="어휘")
SAID_AGAIN = EachText(
    "said_again", said_again, better="low", label_en="words said again", label_ko="되풀이한 낱말"
)
