"""Empty replies, share of Hangul, and passages in a foreign script."""

from __future__ import annotations

import re

from evaluators.evaluator import EachReply, EachText
from evaluators.korean_text import (
    FILLERS,
    LATIN,
    OTHER_SCRIPT_RUN,
    count_hangul,
    count_letters,
    normal,
    prose,
)
from model_registry.records import Reply, Score

#: Emoji and pictographs: a lone 😊 is a thin reply, yet it is one.
PICTURE = re.compile("[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]")
SPEAKS = re.compile(rf"[^\W_{FILLERS}]")
#: Three Latin-script words in a row. Fewer are names and loan words (LoRA, MBTI, Python 3.10).
LATIN_PASSAGE = re.compile(
    rf"(?<![^\W\d_])[{LATIN}][{LATIN}'’-]*+(?:[\W\d_]{{1,12}}+[{LATIN}][{LATIN}'’-]*+){{2,}}+"
)

#: A gloss in brackets, as in 심층 작업(deep work): it explains a Korean word and replaces none.
GLOSS = re.compile(r"[(（\[][^()\n]{0,60}[)）\]]")
#: Latin words in small letters. Capitals are names, and two letters are units (cm, kg).
SMALL_LATIN = re.compile(r"(?<![A-Za-z])[a-z\u00df-\u024f]{3,}(?![A-Za-z])")
FULL_LATIN = 0.15  # small Latin words among all words from which a reply is all foreign
FULL_OTHER = 3  # foreign runs of other scripts from which it is


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


def korean_prose(reply: str) -> Score:
    """The share of Hangul among the letters of the reply's prose: code and formulas aside.

    Range: 0 to 1; high is better. 0 where there is no prose.
    Source: counted, after code blocks, lines of code, formulas and addresses are taken out.
    Limits: code that is not fenced and looks like prose counts as prose.
    """
    said = prose(reply)
    letters = count_letters(said)
    return Score(min(1.0, count_hangul(said) / letters) if letters else 0.0)


def foreign_words(reply: Reply) -> Score:
    """How far foreign words stand in for Korean ones in the reply's prose.

    Foreign words are Latin words in small letters, and runs of Han, kana, Cyrillic and the like.
    What the prompt wrote, what stands in brackets beside its Korean word, names in capitals, code
    and formulas are none.

    Range: 0 to 1; low is better. 1 from 15 % Latin words, or from three runs of another script.
    Source: our own definition; the two limits were set by eye.
    Limits: technical words that are written in Latin by custom count.
    """
    said = GLOSS.sub(" ", prose(reply.reply))
    asked = normal(reply.prompt).lower()
    latin = sum(word not in asked for word in SMALL_LATIN.findall(said))
    other = sum(
        _is_foreign_word(run) and run not in asked for run in OTHER_SCRIPT_RUN.findall(said)
    )
    share = latin / (said.count(" ") + said.count("\n") + 1)
    return Score(min(1.0, max(share / FULL_LATIN, other / FULL_OTHER)))


EMPTY = EachText("empty", empty, better="low", label_en="empty", label_ko="빈 답변")
HANGUL_SHARE = EachText("hangul_share", hangul_share, label_en="Hangul share", label_ko="한글 비율")
FOREIGN_SCRIPT = EachText(
    "foreign_script", foreign_script, better="low", label_en="foreign script", label_ko="외국어"
)

KOREAN_PROSE = EachText(
    "korean_prose", korean_prose, label_en="Korean prose", label_ko="한국어 문장"
)
FOREIGN_WORDS = EachReply(
    "foreign_words",
    foreign_words,
    better="low",
    label_en="foreign words",
    label_ko="섞인 외국어",
)
