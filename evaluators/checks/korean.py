"""Empty replies, share of Hangul, and passages in a foreign script."""

from __future__ import annotations

import re
from collections.abc import Callable

from evaluators.evaluator import EachText, Evaluator
from evaluators.korean_text import (
    FILLERS,
    LATIN,
    OTHER_SCRIPT_RUN,
    count_hangul,
    count_letters,
    normal,
)
from model_registry.hookspecs import hookimpl
from model_registry.records import Score

#: Emoji and pictographs: a lone 😊 is a thin reply, yet it is one.
PICTURE = re.compile("[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]")
SPEAKS = re.compile(rf"[^\W_{FILLERS}]")
#: Three Latin-script words in a row. Fewer are names and loan words (LoRA, MBTI, Python 3.10).
LATIN_PASSAGE = re.compile(
    rf"(?<![^\W\d_])[{LATIN}][{LATIN}'’-]*+(?:[\W\d_]{{1,12}}+[{LATIN}][{LATIN}'’-]*+){{2,}}+"
)


def empty(reply: str) -> Score:
    """1 where the reply is empty or holds nothing but punctuation, else 0.

    Range: 0 or 1; low is better.
    Source: the published selection, where many replies were nothing or a lone full stop.
    Limits: a lone emoji or ㅋㅋ is a reply; what it is worth is for other evaluators to say.
    """
    text = normal(reply)
    if SPEAKS.search(text) or PICTURE.search(text):
        return Score(0.0)
    return Score(1.0, "only punctuation" if text.strip(FILLERS + " \t\r\n") else "empty")


def hangul_share(reply: str) -> Score:
    """The share of Hangul among the letters of the reply.

    Range: 0 to 1; high is better. None where there are no letters.
    Source: counted by Unicode block after NFC. Compatibility jamo (ㅋㅋ, ㅠㅠ) count as Hangul,
    since chat is written with them; Hangul fillers, which nobody sees, do not count at all.
    Limits: a Latin name lowers it a little; it says nothing of whether the Korean makes sense.
    """
    text = normal(reply)
    letters = count_letters(text)
    if not letters:
        return Score(None, "the reply has no letters")
    return Score(min(1.0, count_hangul(text) / letters))


def foreign_script(reply: str) -> Score:
    """The share of the letters that stand in foreign passages.

    A foreign passage is three or more Latin-script words in a row, or letters of any script but
    Hangul and Latin (Han, kana, Cyrillic, …; a single one, as in (•ω•), only if it is Han or kana).

    Range: 0 to 1; low is better. None where there are no letters.
    Source: our own definition: one or two Latin words are names and loan words in Korean chat.
    Limits: code is a foreign passage too; romanised Korean is not told from English.
    """
    text = normal(reply)
    letters = count_letters(text)
    if not letters:
        return Score(None, "the reply has no letters")
    foreign = sum(map(count_letters, LATIN_PASSAGE.findall(text)))
    foreign += sum(len(run) for run in OTHER_SCRIPT_RUN.findall(text) if _is_foreign_word(run))
    return Score(min(1.0, foreign / letters))


def _is_foreign_word(run: str) -> bool:
    return len(run) > 1 or "\u3040" <= run <= "\u30ff" or "\u3400" <= run <= "\u9fff"


EMPTY = EachText("empty", empty, better="low", label_en="empty", label_ko="빈 답변")
HANGUL_SHARE = EachText("hangul_share", hangul_share, label_en="Hangul share", label_ko="한글 비율")
FOREIGN_SCRIPT = EachText(
    "foreign_script", foreign_script, better="low", label_en="foreign script", label_ko="외국어"
)


@hookimpl
def register_evaluators(register: Callable[[Evaluator], None]) -> None:
    """Offer the evaluators of this file."""
    register(EMPTY)
    register(HANGUL_SHARE)
    register(FOREIGN_SCRIPT)
