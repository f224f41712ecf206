"""Splits a column's name into words: at case, signs and scripts, without Korean particles."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection
from pathlib import Path

_TABLE = Path(__file__).with_name("column_words.toml")
#: The words that tell something of a column, by what they tell.
WORDS = {
    kind: frozenset(words.split())
    for kind, words in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items()
}
#: Particles that may stand behind a Korean noun, the longer first.
_PARTICLES = ("으로", "에서", "까지", "이", "가", "은", "는", "을", "를", "의", "로", "과", "와")
_PIECE = re.compile(
    r"[A-Z]{2,}s(?![a-z])|[A-Z]+\d*(?![a-z])|[A-Z]?[a-z]+\d*|[가-힣]+|\d+(?:\.\d+)?|[/%$₩€@]"
)
_RUN = re.compile(r"[A-Za-z][A-Za-z\d]*|[가-힣]+|\d+(?:\.\d+)?|[/%$₩€@]")


def words_of(name: str, whole: Collection[str] = ()) -> list[str]:
    """The words of a name, in lower case: "tokensPerSecond" and "tokens_per_second" are the same.

    Args:
        name: as it stands in a table's header.
        whole: words that are not parted although their case changes, such as "chrf".
    """
    name = unicodedata.normalize("NFKC", name).replace("µ", "u").replace("μ", "u")
    found = []
    for run in _RUN.findall(name):
        lowered = run.lower()
        pieces = [run] if singular(lowered, whole) in whole else _PIECE.findall(run)
        found += [piece.lower() for piece in pieces]
    return found


def singular(word: str, known: Collection[str]) -> str:
    """The word itself if it is known, else without its plural, else as it is."""
    if word not in known:
        for ending in ("es", "s"):
            if word.endswith(ending) and word.removesuffix(ending) in known:
                return word.removesuffix(ending)
    return word


def korean_head(word: str, known: Collection[str]) -> tuple[str, str]:
    """The known noun that a Korean compound ends in, and what stands before it.

    The head of a compound comes last: 추론시간 is a 시간. Both are "" where none is known.
    """
    for form in (word, *(word.removesuffix(p) for p in _PARTICLES if word.endswith(p))):
        for start in range(len(form)):
            if form[start:] in known:
                return form[start:], form[:start]
    return "", ""
