"""Similarity to the reference answer: chrF and ROUGE-L."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from evaluators.evaluator import EachReply
from evaluators.korean_text import normal
from model_registry.records import Reply, Score

if TYPE_CHECKING:
    from sacrebleu import metrics

#: Only the beginning is compared: both metrics take time that grows faster than the text.
COMPARED_CHARACTERS = 2_000
NO_REFERENCE = Score(None, "there is no reference answer")


def chrf(reply: Reply) -> Score:
    """chrF: how many character n-grams (1 to 6) the reply shares with the reference answer.

    Range: 0 to 1; high is better. None without a reference.
    Source: Popović 2015, by sacrebleu (its 0–100 divided by 100), after NFC.
    Limits: chat has many good answers; a low value is no proof of a bad one. Texts are compared
    by their first 2,000 characters.
    """
    if not reply.reference or not reply.reference.strip():
        return NO_REFERENCE
    hypothesis, reference = (_compared(text) for text in (reply.reply, reply.reference))
    return Score(_metric().sentence_score(hypothesis, [reference]).score / 100)


def rouge_l(reply: Reply) -> Score:
    """Character ROUGE-L: the longest common subsequence with the reference, as an F1 score.

    Range: 0 to 1; high is better. None without a reference.
    Source: Lin 2004, on characters without spaces, since the usual package drops all Hangul;
    the subsequence's length by the bit-parallel method of Hyyrö 2004.
    Limits: as for chrF.
    """
    if not reply.reference or not reply.reference.strip():
        return NO_REFERENCE
    hypothesis, reference = ("".join(_compared(t).split()) for t in (reply.reply, reply.reference))
    total = len(hypothesis) + len(reference)
    return Score(2 * _common_subsequence(hypothesis, reference) / total) if total else Score(0.0)


def _common_subsequence(one: str, other: str) -> int:
    """The length of the longest common subsequence, a row of the table in one integer."""
    places: dict[str, int] = {}
    for index, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << index
    full = (1 << len(one)) - 1
    row = full
    for character in other:
        match = row & places.get(character, 0)
        row = ((row + match) | (row - match)) & full
    return len(one) - row.bit_count()


def _compared(text: str) -> str:
    return normal(text[:COMPARED_CHARACTERS])


@cache
def _metric() -> metrics.CHRF:
    from sacrebleu import metrics

    return metrics.CHRF()


CHRF = EachReply("chrf", chrf, label_en="chrF", label_ko="chrF")
ROUGE_L = EachReply("rouge_l", rouge_l, label_en="ROUGE-L", label_ko="ROUGE-L")
