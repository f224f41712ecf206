"""Masks names of models and their makers in replies, which would reveal the candidate.

A model that says "저는 젬마예요" ends a blind grading. Names are taken from the candidates
themselves and from a list of well-known ones, in Latin and Hangul spelling.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

#: What stands in place of a name.
MASK = "▇▇▇"

#: Well-known models and makers as replies write them. Latin ones match whole words in any case.
_LATIN = (
    "ai hub|alibaba|alpaca|anthropic|chat ?gpt|claude|clova ?x?|cohere|command-?r|copilot|"
    "deep ?mind|deep ?seek|eeve|eleuther ?ai|eleuther|exaone|fingu ?ai|fingu|gemini|gemma|"
    "google|gpt|grok|hugging ?face|hyper ?clova ?x?|kanana|ko ?alpaca|ko ?gpt|ko ?rwkv|kullm|"
    "llama|meta ai|mi[sx]tral|open ?ai|oh[- ]?lora|perplexity|phi|poly ?glot|qwen|rwkv|"
    "solar|tong ?yi|upstage|vicuna"
)

#: Hangul ones match where no other syllable stands before (드라마 is no 라마) and only a
#: particle or an ending stands behind.
_HANGUL = (
    "구글|네이버|딥 ?마인드|딥 ?시크|라마|뤼튼|미스트랄|믹스트랄|비쿠나|알리바바|알파카|"
    "앤트로픽|앤스로픽|업 ?스테이지|엑사원|오픈 ?에이아이|오픈 ?AI|일루더|제미나이|제미니|"
    "젬마|쥐피티|지피티|챗 ?(?:지피티|쥐피티|GPT)|카나나|카카오|코알파카|코지피티|"
    "코파일럿|큐원|큐웬|클로드|"
    "클로바|퍼플렉시티|폴리글[랏롯럿]|핑구|하이퍼 ?클로바|허깅 ?페이스"
)

_PARTICLE = (
    "은|는|이|가|을|를|의|에|에게|와|과|로|으로|도|만|야|아|이야|예요|이에요|에요|입니다|이고|고|라고|"
    "이라고|라는|이라는|라|이라|였|이었|랑|이랑|처럼|보다|한테|께서|에서|인데|님|씨|봇|모델"
)

#: Pieces of candidates' names that are ordinary words or say nothing about whose model it is.
_ORDINARY = frozenset(
    [
        "adapter",
        "base",
        "bundled",
        "chat",
        "code",
        "coder",
        "finetuned",
        "friend",
        "greedy",
        "instruct",
        "instruction",
        "japanese",
        "korean",
        "language",
        "large",
        "lite",
        "lora",
        "math",
        "medium",
        "micro",
        "mini",
        "model",
        "nano",
        "orpo",
        "persona",
        "random",
        "sample",
        "small",
        "talk",
        "tiny",
        "tuned",
        "text",
        "true",
        "version",
        "warm",
        "cool",
        "plain",
        "style",
    ]
)


class Mask:
    """Masks the names of these candidates, and well-known ones, in replies."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        own = sorted({piece for name in names for piece in _pieces(name)}, key=len, reverse=True)
        latin = "|".join([*(_loosely(p) for p in own if not _has_hangul(p)), _LATIN])
        hangul = "|".join([*(re.escape(p) for p in own if _has_hangul(p)), _HANGUL])
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
