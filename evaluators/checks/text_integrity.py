"""Text integrity: broken characters, mojibake, and how far a reply can be compressed."""

from __future__ import annotations

import re
import unicodedata
import zlib
from functools import cache

from evaluators.evaluator import EachText
from evaluators.korean_text import SYLLABLE_RUN, normal
from model_registry.records import Score

#: No text has these: replacement marks, lone surrogates, private use, control characters,
#: conjoining jamo that found no partner.
NO_CHARACTER = re.compile(
    "[\ufffd\ufffe\uffff\ud800-\udfff\ue000-\uf8ff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]"
)
#: A jamo inside a word: 안ㄴ녕. At its end it is chat (굿ㅋㅋ, 아ㅠ, 넹ㅇㅇ).
STRAY_JAMO = re.compile("(?<=[가-힣])[ㄱ-ㅎㅏ-ㅣ](?=[가-힣])")
#: What UTF-8 Korean looks like when it was read as Latin text: ì•ˆë…•.
MOJIBAKE = re.compile("[\u00a0-\u00ff\u0152-\u0192\u02c6-\u02dc\u2013-\u2122]{3,}")
FEWEST_BYTES = 120


def broken_text(reply: str) -> Score:
    """The share of the characters that are broken.

    Broken are characters that no text has, jamo inside a word (안ㄴ녕), Hangul syllables outside
    the 2,350 that Korean is written with (뛟), and mojibake (ì•ˆë…•).

    Range: 0 to 1; low is better. None for an empty reply.
    Source: Unicode classes; KS X 1001 for the common syllables; mojibake is what gives Hangul when
    it is decoded again.
    Limits: a few sound words have a rare syllable (똠얌); a wrong syllable that is common is not
    seen here.
    """
    text = normal(reply)
    if not text.strip():
        return Score(None, "the reply is empty")
    broken = len(NO_CHARACTER.findall(text)) + len(STRAY_JAMO.findall(text))
    broken += len(_rare_syllables().findall(text))
    broken += sum(len(run) for run in MOJIBAKE.findall(text) if _hides_hangul(run))
    return Score(min(1.0, broken / len(text)))


@cache
def _rare_syllables() -> re.Pattern[str]:
    """Syllables that KS X 1001 has no place for."""
    rare = (chr(code) for code in range(ord("가"), ord("힣") + 1))
    return re.compile("[" + "".join(s for s in rare if not _encodes(s)) + "]")


def _encodes(syllable: str) -> bool:
    try:
        return len(syllable.encode("euc_kr")) == 2
    except UnicodeEncodeError:
        return False


def _hides_hangul(run: str) -> bool:
    return any(
        SYLLABLE_RUN.search(
            unicodedata.normalize("NFC", run.encode(wrong, "ignore").decode("utf-8", "ignore"))
        )
        for wrong in ("latin-1", "cp1252")
    )


def compression(reply: str) -> Score:
    """How far the reply can be compressed: bytes after zlib by bytes before.

    Range: above 0, seldom over 1; high is better (nothing is said twice). None below 120 bytes,
    where the format's own bytes would count.
    Source: zlib level 6 on UTF-8, as used to find looping output of speech and language models.
    Limits: grows with shorter texts; compare replies of like length. Korean prose of 100
    characters has about 0.75, a loop less than 0.3.
    """
    raw = normal(reply).encode("utf-8", errors="replace")
    if len(raw) < FEWEST_BYTES:
        return Score(None, "too short to compress")
    return Score(len(zlib.compress(raw)) / len(raw))


BROKEN_TEXT = EachText(
    "broken_text", broken_text, better="low", label_en="broken text", label_ko="깨진 글자"
)
COMPRESSION = EachText("compression", compression, label_en="compression", label_ko="압축률")
