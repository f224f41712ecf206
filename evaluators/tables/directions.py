"""Direction of a column (higher or lower is better), by its name; None where it does not say.

A name is read as people read it: its head comes last ("accuracy_loss" is a loss), before a
preposition ("time to first token" is a time) and before "per" ("seconds per token" are seconds).
What column_words.toml does not know is not guessed: the user is asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from evaluators.tables.column_words import WORDS, korean_head, singular, words_of

_HIGH, _LOW, _RATE, _COST = WORDS["high"], WORDS["low"], WORDS["rate"], WORDS["cost"]
_UNITS, _TIMES, _COUNTS = WORDS["units"], WORDS["times"], WORDS["counts"]
_BETTER_BY, _WORK, _BLURS = WORDS["better_by"], WORDS["work"], WORDS["blurs"]
_ARROWS = {"↓": "low", "▼": "low", "⬇": "low", "↑": "high", "▲": "high", "⬆": "high"}
_SAID = {
    "low": re.compile(r"\blow(?:er)?\s*(?:is|=)?\s*better|낮을수록|작을수록|적을수록", re.I),
    "high": re.compile(r"\bhigh(?:er)?\s*(?:is|=)?\s*better|높을수록|클수록|많을수록", re.I),
}
_KNOWN = _HIGH | _RATE | _LOW | _COST | _UNITS | _BETTER_BY | _WORK | _BLURS | _COUNTS
_KOREAN = frozenset(word for word in _KNOWN if re.match("[가-힣]", word))
_DENIES = ("무", "비", "불", "미")  # before a Korean noun: 무오류


def direction_of(name: str, unit: str = "") -> str | None:
    """ "high" or "low": which values of a column of this name are the better ones.

    Args:
        name: of the column.
        unit: that its cells carry, which tells where the name does not.

    Returns:
        None where nothing known tells it, or two things tell it differently.
    """
    said = _said(name)
    if said is not None:
        return said
    return _of_words(column_words(name) + column_words(unit))


def column_words(name: str) -> list[str]:
    """The words of a column's name in the forms that these tables know."""
    return _resolved(words_of(name, _KNOWN))


def is_cost(name: str, unit: str = "") -> bool:
    """Whether a column is a cost: time, memory, money, energy."""
    return direction_of(name, unit) == "low" and bool(
        set(column_words(name) + column_words(unit)) & (_COST | _UNITS)
    )


def rate_of_work(words: Sequence[str]) -> bool:
    """Whether the words name work done a second, such as tokens per second."""
    joined = " ".join(w for w in words if w not in _COUNTS)
    work = "|".join(re.escape(word) for word in sorted(_WORK, key=len, reverse=True))
    forwards = rf"\b(?:{work})\b(?: (?:per|/))? (?:s|sec|second|초)\b"
    found = re.search(rf"{forwards}|\b초 당(?: \S+)?? (?:{work})\b", joined)
    return bool(found) and "first" not in words


def _said(name: str) -> str | None:
    """What the name says outright, by an arrow or in words."""
    name = unicodedata.normalize("NFC", name)
    found = {way for arrow, way in _ARROWS.items() if arrow in name}
    found |= {way for way, pattern in _SAID.items() if pattern.search(name)}
    return found.pop() if len(found) == 1 else None


def _resolved(words: Sequence[str]) -> list[str]:
    """Known forms of the words; a denied Korean noun becomes a word that blurs."""
    found: list[str] = []
    for word in words:
        if not re.match("[가-힣]", word):
            found.append(singular(word, _KNOWN))
            continue
        if word.endswith("당") and korean_head(word[:-1], _KOREAN)[0]:  # 초당 토큰: tokens a second
            found += [korean_head(word[:-1], _KOREAN)[0], "당"]
            continue
        head, before = korean_head(word, _KOREAN)
        if not head:
            found.append(word)
        elif before.endswith(_DENIES) and head in _LOW:
            found.append("not")
        else:
            found += [*_resolved([before] if before else []), head]
    return found


def _of_words(words: list[str]) -> str | None:
    if "당" in words:
        place = words.index("당")
        return _a_per_b(words[place + 1 :], words[:place][-1:])
    for i, word in enumerate(words[1:], start=1):
        a, b = words[:i], words[i + 1 :]
        if word == "per" or (word == "/" and b and b[0] in _WORK | _UNITS | _TIMES):
            return _a_per_b(a, b)
        if word in WORDS["prepositions"]:
            return _of_words(b) if all(w in _COUNTS for w in a) else _head(a)
    return _head(words)


def _a_per_b(a: Sequence[str], b: Sequence[str]) -> str | None:
    """Which way "tokens per second", "seconds per token" or "score per dollar" is better."""
    a = [word for word in a if word not in _COUNTS]
    if any(word in _HIGH | _RATE | _LOW | _COST | _BETTER_BY for word in a):
        return _head(a)
    if any(word in _WORK for word in a[-1:]):
        return "high" if any(word in _TIMES | _UNITS | _COST for word in b[:1]) else None
    return "low" if any(word in _UNITS | _TIMES for word in a) else None


def _head(words: Sequence[str]) -> str | None:
    """What the last telling word says, where nothing beside it denies it."""
    if _BLURS.intersection(words):
        return None
    strong = [w for w in words if w in _HIGH | _RATE | _LOW | _COST | _BETTER_BY]
    units = [w for w in words if w in _UNITS]
    if not strong:
        return _of_units(words, units)
    last = strong[-1]
    if last in _BETTER_BY:
        return "high"
    if last in _COST | _LOW:
        return "high" if {"win", "loss"} <= set(strong) else "low"
    if last in WORDS["generic"] and len(strong) > 1:
        return _generic(strong[:-1])
    if units and last in _RATE:
        return "high" if set(words) & _WORK else "low" if set(units) & _TIMES else "high"
    return None if units and last in _HIGH and units[-1] != "%" else "high"


def _generic(before: Sequence[str]) -> str | None:
    """What a "score" of something is: that of a fault counts the fault; of a cost, who knows."""
    kinds = {"low" if w in _LOW else "high" if w in _HIGH | _RATE else "?" for w in before}
    return kinds.pop() if len(kinds) == 1 and "?" not in kinds else None


def _of_units(words: Sequence[str], units: Sequence[str]) -> str | None:
    """Seconds and gigabytes are paid for; tokens_s and tok_sec are tokens a second."""
    if not units:
        rate = len(words) > 1 and words[-1] in ("rate", "ratio") and words[-2] in _WORK
        return "high" if rate and words[-1] == "rate" else None
    pairs = list(pairwise(words))
    if any(a in _WORK and b in ("s", "sec", "초") for a, b in pairs):
        return None if "first" in words or "time" in words else "high"
    return "low"
