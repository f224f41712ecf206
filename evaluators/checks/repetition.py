"""Repetition: does a reply repeat itself or loop?"""

from __future__ import annotations

import re
from collections.abc import Callable

from evaluators.evaluator import EachText, Evaluator
from evaluators.korean_text import normal
from model_registry.hookspecs import hookimpl
from model_registry.records import Score

N_GRAM = 6  # characters: about two Korean words, rarely said twice in one short reply
LONG_RUN = re.compile(r"(.)\1{3,}+", re.DOTALL)
SPACES = re.compile(r"\s+")
#: A piece of 2 to 60 characters said at least three times in a row.
PAIR = re.compile(r"(..)\1\1", re.DOTALL)
LOOPED = re.compile(r"(.{2,60}?)(?:\1){2,}+", re.DOTALL)


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
    """Whether the slow search is worth its time: a loop of longer pieces repeats its 6-grams."""
    grams = len(text) - N_GRAM + 1
    return len({text[i : i + N_GRAM] for i in range(grams)}) < grams or bool(PAIR.search(text))


REPETITION = EachText(
    "repetition", repetition, better="low", label_en="repetition", label_ko="반복"
)
LOOP = EachText("loop", loop, better="low", label_en="loops", label_ko="되풀이")


@hookimpl
def register_evaluators(register: Callable[[Evaluator], None]) -> None:
    """Offer the evaluators of this file."""
    register(REPETITION)
    register(LOOP)
