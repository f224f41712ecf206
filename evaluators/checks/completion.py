"""Completion: did a reply end by itself, and how long is it?"""

from __future__ import annotations

import re

from evaluators.evaluator import EachReply, EachText
from evaluators.korean_text import normal
from model_registry.records import Reply, Score

#: What a finished chat reply ends with: an end mark, a closing mark, laughter, tears, an emoji.
END = re.compile(
    "(?:[.!?~…。！？♡♥^]|[ㅋㅎㅠㅜ]{2}|[\u2600-\u27bf\U0001f000-\U0001faff]\ufe0f?)"
    "[)\\]}>\"'”’»」*_\\s]*$"
)
#: Sentence endings of spoken Korean, for replies that end without a mark.
ENDING = re.compile("(?:[요다까죠네나래지어야걸군자봐해돼줘게래음함])$")


#: What goes on with the prompt's sentence: a bare ending or particle, or the prompt's full stop.
GOES_ON = re.compile(
    r"(?:요|네요|는데|지만|면서|면|며|고|은|는|을|를|의|에|에서|으로|다고|라고)(?=[\s.,!?~…])"
    r"|다(?=[.,!?~])|[.,)\]](?=\s*[^\s.…])"
)


def ends_complete(reply: str) -> bool:
    """Whether the text reads as finished: an end mark, or an ending of spoken Korean."""
    text = normal(reply[-200:]).rstrip()
    return bool(END.search(text) or ENDING.search(text))


def stopped_by_itself(reply: Reply) -> Score:
    """1 where the model ended its reply itself, 0 where it was cut off.

    Range: 0 or 1; high is better. None where the reply is empty or its making failed.
    Source: the finish reason of the record; where there is none (a table of replies), the text:
    an end mark, an emoji, laughter or a Korean sentence ending counts as finished.
    Limits: judged by the text, a cut between two sentences is not seen.
    """
    if reply.finish_reason == "stop":
        return Score(1.0)
    if reply.finish_reason == "length":
        return Score(0.0, "cut off at the length limit")
    if reply.finish_reason == "error":
        return Score(None, "the reply was not made")
    if not reply.reply.strip():
        return Score(None, "the reply is empty")
    return Score(float(ends_complete(reply.reply)), "judged by its last words")


def continues_prompt(reply: str) -> Score:
    """1 where the reply goes on with the prompt's sentence instead of answering it, else 0.

    Range: 0 or 1; low is better. None for an empty reply.
    Source: our own definition: it begins with a bare ending or particle (요. …, 면, …) or with the
    full stop that the prompt had not. Base models do this, which complete texts.
    Limits: a continuation that begins with a whole word is not seen.
    """
    text = normal(reply).strip()
    if not text:
        return Score(None, "the reply is empty")
    return Score(float(bool(GOES_ON.match(text))))


def length(reply: str) -> Score:
    """How many characters the reply has, in NFC, without spaces around it.

    Range: 0 to 10,000 (longer replies count as 10,000); neither high nor low is better.
    Source: counted.
    Limits: an emoji may count as several characters.
    """
    return Score(float(len(normal(reply.strip()))))


STOPPED_BY_ITSELF = EachReply(
    "stopped_by_itself", stopped_by_itself, label_en="stopped by itself", label_ko="스스로 끝냄"
)
CONTINUES_PROMPT = EachText(
    "continues_prompt",
    continues_prompt,
    better="low",
    label_en="continues the prompt",
    label_ko="질문 이어 쓰기",
)
LENGTH = EachText("length", length, better="neither", label_en="length", label_ko="길이")
