"""Politeness: does a reply keep one level of speech, 반말 or 존댓말?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from evaluators.evaluator import AllReplies
from evaluators.korean_text import SYLLABLE_RUN, normal
from model_registry.records import Reply, Score

READ_CHARACTERS = 1_000
SENTENCE_END = re.compile(r"[.!?~…\n。！？]+|(?<=[가-힣])\s*[\U0001f300-\U0001faff☀-➿]+")
TAIL = re.compile(r"([가-힣]+)[^가-힣]*$")
POLITE = re.compile("(?:요|죠|니다|니까|시오|세여|네여|해여|여요|넵|^네|^예|^아뇨)$")
#: Endings of 반말 and of plain writing (-다). Words that end a sentence without a verb (제목, 축하)
#: have no level.
PLAIN = re.compile(
    "(?:[다야어아지네라냐니자걸게군래까데든며써워와줘봐돼해가나마줄]|잖아|거든|구나|응|렴|려고)$"
)
NO_LEVEL = re.compile(
    "(?:하하|호호|파이팅|화이팅|안녕|축하|감사|만세|최고|대박|진짜|정말|너무|그러나|하나|누구나)$"
)


def sentence_levels(reply: str) -> list[str]:
    """ "polite" or "plain" for each sentence that shows its level, in order."""
    return ["polite" if POLITE.search(tail) else "plain" for tail in _tails(reply)]


def _tails(reply: str) -> list[str]:
    """The last word of each sentence that shows its level."""
    sentences = SENTENCE_END.split(normal(reply[:READ_CHARACTERS]))
    # As TAIL finds them, in one pass.
    last = (words[-1] for one in sentences if (words := SYLLABLE_RUN.findall(one)))
    return [
        word
        for word in last
        if (POLITE.search(word[-3:]) or PLAIN.search(word[-3:])) and not NO_LEVEL.search(word)
    ]


def manner(reply: str) -> tuple[float, float]:
    """How far a reply is said to somebody, and how far it keeps to one level: each 0 to 1.

    The first is the share of its sentences that are not in the -다 of articles and diaries, 0
    where no sentence shows its level, as in a list of words. The second is 0 where half of the
    sentences leave the level of the others.
    """
    tails = _tails(reply)
    if not tails:
        return 0.0, 1.0
    polite = sum(bool(POLITE.search(tail)) for tail in tails) / len(tails)
    written = sum(tail.endswith("다") and not tail.endswith("니다") for tail in tails)
    return 1 - written / len(tails), abs(2 * polite - 1)


def politeness(replies: Sequence[Reply]) -> list[Score]:
    """The share of a reply's sentences that keep the level which the candidate mostly speaks.

    Range: 0 to 1; high is better. None where no sentence shows its level.
    Source: the last words of sentences: -요, -니다, -죠 are 존댓말, other verb endings 반말 (or
    plain writing in -다, which no polite speaker uses either). The main level is the one of most
    sentences over all replies of the pass; at a tie, 존댓말.
    Limits: quoted speech counts as the speaker's; nouns at the end show no level.
    """
    levels = [sentence_levels(reply.reply) for reply in replies]
    polite = sum(one.count("polite") for one in levels)
    main = "polite" if 2 * polite >= sum(map(len, levels)) else "plain"
    return [
        Score(one.count(main) / len(one)) if one else Score(None, "no sentence shows its level")
        for one in levels
    ]


POLITENESS = AllReplies("politeness", politeness, label_en="politeness", label_ko="말투 유지")
