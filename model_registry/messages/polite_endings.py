"""Sentences in 합니다체, as the command line and documents speak, turned into the page's 해요체.

Each text of ours is written once, in 합니다체; a page that shows it changes its last words. Source
of the rules: 국립국어원, 한국어 어문 규범, 한글 맞춤법 제16–18항, 제34–36항 (endings after vowels,
their contractions, irregular stems).
"""

from __future__ import annotations

import re

_FIRST = 0xAC00  # the first of the syllables, which lie in the order lead, vowel, final
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = 28
_RIEUL, _BIEUP, _SSANGSIOT = 8, 17, 20
_RIEUL_LEAD = 5
_BRIGHT = "ㅏㅗ"  # vowels after which an ending has 아, not 어
#: What a stem's last vowel becomes with the ending's; others stay as they are.
_WITH_ENDING = {"ㅗ": "ㅘ", "ㅜ": "ㅝ", "ㅣ": "ㅕ", "ㅚ": "ㅙ"}

#: Words of which no rule tells: the dictionary form decides.
_WORDS = {
    "묻습니다": "물어요",
    "고맙습니다": "고맙습니다",  # said so on the page, too
    # a stem in ㄹ, which is lost before ㅂ
    "압니다": "알아요",
    "엽니다": "열어요",
    "깁니다": "길어요",
    # a stem in 이, which looks like the 이 of a noun's "is"
    "보입니다": "보여요",
    "쓰입니다": "쓰여요",
    "줄입니다": "줄여요",
}
#: The same of words' ends, where no other word of ours ends so.
_ENDS = {
    "아닙니다": "아니에요",
    "합니다": "해요",
    "듭니다": "들어요",
    "붙입니다": "붙여요",
    "섞입니다": "섞여요",
    "높입니다": "높여요",
    "따릅니다": "따라요",
}
_END = re.compile(r"([가-힣]*?)([가-힣])(니다|니까)(?![가-힣])")


def polite(text: str) -> str:
    """The text with the endings of its sentences in 해요체; quotations too, so quote afterwards."""
    return _END.sub(_ending, text) if "니다" in text or "니까" in text else text


def _ending(found: re.Match[str]) -> str:
    before, last, ending = found.groups()
    lead, vowel, final = _parts(last)
    if final != _BIEUP:  # "다니다": no ending of this kind
        return found[0]
    if ending == "니까":
        return _question(before, last)
    if (known := _WORDS.get(found[0])) is not None:
        return known
    for end, instead in _ENDS.items():
        if found[0].endswith(end):
            return found[0].removesuffix(end) + instead
    if last == "습":
        return _after_final(before)
    if last == "입":
        return before + _is_after(before)
    if last == "릅" and before:
        return _reu(before)
    if vowel == "ㅡ":
        bright = bool(before) and _parts(before[-1])[1] in _BRIGHT
        return before + _syllable(lead, "ㅏ" if bright else "ㅓ") + "요"
    if vowel == "ㅟ":
        return before + _syllable(lead, vowel) + "어요"
    return before + _syllable(lead, _WITH_ENDING.get(vowel, vowel)) + "요"


def _question(before: str, last: str) -> str:
    if last == "습":
        return before + "나요"
    if last == "입":
        return before + "인가요"
    lead, vowel, _ = _parts(last)
    return before + _syllable(lead, vowel) + "나요"


def _after_final(stem: str) -> str:
    """있+습니다 to 있어요: the ending is 아요 after a bright vowel, but never after 았."""
    if not stem:
        return "습니다"
    _, vowel, final = _parts(stem[-1])
    return stem + ("아요" if vowel in _BRIGHT and final != _SSANGSIOT else "어요")


def _is_after(noun: str) -> str:
    """'Is' after a noun; after a figure or a name, of which the sound isn't known, the longer."""
    return "예요" if noun and not _parts(noun[-1])[2] else "이에요"


def _reu(before: str) -> str:
    """다르+ㅂ니다 to 달라요: the syllable before gets the ㄹ."""
    lead, vowel, _ = _parts(before[-1])
    closed = _syllable(lead, vowel, _RIEUL)
    return before[:-1] + closed + _syllable(_RIEUL_LEAD, "ㅏ" if vowel in _BRIGHT else "ㅓ") + "요"


def _parts(syllable: str) -> tuple[int, str, int]:
    """The number of its lead, its vowel, and the number of its final (0: none)."""
    place = ord(syllable) - _FIRST
    lead, rest = divmod(place, len(_VOWELS) * _FINALS)
    return lead, _VOWELS[rest // _FINALS], rest % _FINALS


def _syllable(lead: int, vowel: str, final: int = 0) -> str:
    return chr(_FIRST + (lead * len(_VOWELS) + _VOWELS.index(vowel)) * _FINALS + final)
