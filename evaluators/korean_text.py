"""Character classes and normalisation of Korean text, shared by the evaluators."""

from __future__ import annotations

import re
import unicodedata

#: Longer replies are judged by their beginning: chat replies have some hundred characters, and
#: putting long runs of combining marks into normal form takes time quadratic in their length.
MAX_CHARACTERS = 10_000

SYLLABLES = "\uac00-\ud7a3"
#: Compatibility jamo are Korean on purpose: ㅋㅋ, ㅠㅠ and ㅇㅇ are words of written chat. The
#: Hangul fillers (U+3164, U+115F, U+1160, U+FFA0) are not: they are letters that nobody sees.
JAMO = (
    "\u3131-\u3163\u3165-\u318e\u1100-\u115e\u1161-\u11ff"
    "\ua960-\ua97c\ud7b0-\ud7c6\ud7cb-\ud7fb\uffa1-\uffdc"
)
HANGUL = SYLLABLES + JAMO
LATIN = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
FILLERS = "\u3164\u115f\u1160\uffa0"
#: Characters that \w takes for letters though they are numbers: ², ½, Ⅷ, ①.
NUMBER_SIGNS = "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209c\u2150-\u218b\u2460-\u24ff\u2776-\u2793"

HANGUL_RUN = re.compile(f"[{HANGUL}]+")
SYLLABLE_RUN = re.compile(f"[{SYLLABLES}]+")
#: Letters of any script but Hangul and Latin: Han, kana, Cyrillic, Arabic, Thai, …
OTHER_SCRIPT_RUN = re.compile(rf"[^\W\d_{HANGUL}{LATIN}{FILLERS}{NUMBER_SIGNS}]+")

#: One emoji as it is seen: a flag of two letters, a keycap, or pictures that joiners make one, each
#: with its tone of skin. Signs of lists (● ▶) are emoji only where the selector U+FE0F says so.
_PICTURE = (
    "(?:[\u231a\u231b\u23e9-\u23f3\u23f8-\u23fa\u25fd\u25fe\u2600-\u27bf\u2b1b\u2b1c\u2b50\u2b55"
    "\U0001f000-\U0001f1e5\U0001f200-\U0001faff]|[\u00a9\u00ae\u203c-\u3299](?=\ufe0f))"
    "\ufe0f?[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*"
)
EMOJI = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3|{_PICTURE}(?:\u200d{_PICTURE})*"
)


def normal(text: str) -> str:
    """The text in NFC, so that 한 and ᄒ+ᅡ+ᆫ are the same; at most MAX_CHARACTERS of it."""
    return unicodedata.normalize("NFC", text[:MAX_CHARACTERS])


#: What is no prose: code, formulas, addresses. One that never ends goes to the end of the text.
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.S)
_SNIPPET = re.compile(r"`[^`\n]{1,80}`")
_FORMULA = re.compile(
    r"\$\$.{1,400}?\$\$|\$[^$\n]{1,80}\$|\\\(.{1,200}?\\\)|\\\[.{1,400}?\\\]", re.S
)
_ADDRESS = re.compile(r"https?://\S+")
_CODE_LINE = re.compile(
    r"^[ \t]*+(?:(?:import|from|def|class|return|print|for|if|while|public|const|let|var)\b"
    r"[^\n가-힣]*[(){}:;=.][^\n]*|</?\w+[^>\n]*>[^\n]*|[^\n가-힣]*[{};][ \t]*)$",
    re.M,
)


def prose(text: str) -> str:
    """The text in normal form, without its code, formulas and addresses."""
    said = normal(text).strip()
    if "`" in said:
        said = _SNIPPET.sub(" ", _FENCE.sub(" ", said))
    if "$" in said or "\\" in said:
        said = _FORMULA.sub(" ", said)
    if "://" in said:
        said = _ADDRESS.sub(" ", said)
    if any(mark in said for mark in "(){};=<"):
        said = _CODE_LINE.sub(" ", said)
    return said


def count_letters(text: str) -> int:
    """How many characters are letters of any script (Hangul fillers are not)."""
    letters = sum(map(str.isalpha, text))
    return letters - sum(map(text.count, FILLERS))


def count_hangul(text: str) -> int:
    """How many characters are Hangul: syllables, and jamo as in ㅋㅋ."""
    return sum(map(len, HANGUL_RUN.findall(text)))
