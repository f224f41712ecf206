"""Masks names of models and their makers in replies, which would reveal the candidate.

A model that says "저는 젬마예요" ends a blind grading. Names are taken from the candidates
themselves and from masked_names.toml, which has well-known ones in Latin and Hangul spelling.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from pathlib import Path

#: What stands in place of a name.
MASK = "▇▇▇"

_NAMES: dict[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("masked_names.toml").read_text(encoding="utf-8")
)
_PARTICLE = "|".join(_NAMES["particles"])
_ORDINARY = frozenset(_NAMES["ordinary"])


class Mask:
    """Masks the names of these candidates, and well-known ones, in replies."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        own = sorted({piece for name in names for piece in _pieces(name)}, key=len, reverse=True)
        latin = "|".join([*(_loosely(p) for p in own if not _has_hangul(p)), *_NAMES["latin"]])
        hangul = "|".join([*(re.escape(p) for p in own if _has_hangul(p)), *_NAMES["hangul"]])
        version = r"(?:[-_ ]?v?\d+(?:\.\d+)?[bBmM]?)*"
        self._latin = re.compile(rf"(?<![A-Za-z0-9])(?:{latin}){version}(?![A-Za-z])", re.I)
        self._hangul = re.compile(
            rf"(?<![가-힣])(?:{hangul}){version}(?=(?:{_PARTICLE})?(?![가-힣])|(?:{_PARTICLE}))"
        )

    def __call__(self, reply: str) -> str:
        """The reply with every name replaced; nothing else is changed but Unicode composition."""
        text = unicodedata.normalize("NFC", reply)
        return self._hangul.sub(MASK, self._latin.sub(MASK, text))


def _pieces(name: str) -> set[str]:
    """A name, its part behind the slash, and the words of both that are not ordinary."""
    whole = {name, name.rpartition("/")[2], name.partition("/")[0]}
    words = {word for part in whole for word in re.split(r"[-_/.\s]+", part)}
    telling = {w for w in words if len(w) >= 4 or (_has_hangul(w) and len(w) >= 2)}
    found = {p for p in whole | telling if p.lower() not in _ORDINARY}
    return {p for p in found if len(p) > 1 and not re.fullmatch(r"v?[\d.]+[bBmMkK]?", p)}


def _loosely(piece: str) -> str:
    """A pattern that matches "gemma-2-2b-it" as well as "Gemma 2 2B it"."""
    return "[-_ .]?".join(re.escape(part) for part in re.split(r"[-_ .]+", piece) if part)


def _has_hangul(text: str) -> bool:
    return any("가" <= c <= "힣" for c in text)
