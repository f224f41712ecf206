"""Rephrases prompts for augmentation, so that a small model answers more wordings.

Every change is one that people make while typing: a letter left out, a politer ending, another
pronoun, a call at the start. The reply stays as it is.
"""

from __future__ import annotations

from random import Random

UNCHANGED = 0.3  # the share of prompts left as they are, so that they are learned exactly
DROPPED = 0.12  # the share of characters left out of a prompt that loses some

_CALLS = ("저기, ", "있잖아, ", "혹시 ", "음, ", "그런데 ", "근데 ", "안녕, ", "아 ", "저 ")
_MARKS = ("", "", "?", "!", ".", "~", "...", "ㅎㅎ", "ㅋㅋ", "ㅠㅠ")
_PRONOUNS = (("너는 ", "넌 ", "너 ", "당신은 "), ("나는 ", "난 ", "나 ", "저는 ", "전 "))
_FREQUENCY = ("요즘 ", "오늘 ", "지금 ", "정말 ", "진짜 ", "너무 ", "좀 ")
_OPENINGS = (*_CALLS, *_PRONOUNS[0], *_PRONOUNS[1], *_FREQUENCY)
_POLITE = ("이에요", "예요", "세요", "요")
_PLAIN = ("이야", "야", "어", "아", "해", "지", "네", "래", "까", "데", "게")


def vary(prompt: str, draw: Random) -> str:
    """The prompt, or another way to say it."""
    if draw.random() < UNCHANGED:
        return prompt
    text = _end_mark(_ending(prompt.rstrip("?!.~ "), draw), prompt, draw)
    if draw.random() < 0.3:
        text = _other_words(text, draw)
    if draw.random() < 0.4:
        text = _without_some(text, draw)
    if draw.random() < 0.4:
        text = draw.choice(_OPENINGS) + text
    return text.strip() or prompt


def _ending(text: str, draw: Random) -> str:
    """Sometimes the other level of speech: 먹었어 ↔ 먹었어요, 뭐예요 ↔ 뭐야."""
    if draw.random() < 0.6:
        return text
    for polite, plain in zip(_POLITE, ("이야", "야", "니", ""), strict=True):
        if text.endswith(polite) and len(text) > len(polite) + 1:
            return text.removesuffix(polite) + plain
    for plain, polite in zip(_PLAIN[:2], _POLITE[:2], strict=True):
        if text.endswith(plain) and len(text) > len(plain):
            return text.removesuffix(plain) + polite
    return text + "요" if text.endswith(_PLAIN) else text


def _end_mark(text: str, original: str, draw: Random) -> str:
    """The mark that was there, or any other, or none."""
    if draw.random() < 0.5:
        return text + original[len(original.rstrip("?!.~")) :]
    return text + draw.choice(_MARKS)


def _other_words(text: str, draw: Random) -> str:
    """Another pronoun, a word of degree more or less, or no spaces."""
    for forms in _PRONOUNS:
        for form in forms:
            if text.startswith(form):
                other: str = draw.choice((*forms, ""))
                return other + text.removeprefix(form)
    for word in _FREQUENCY:
        if word in text:
            return text.replace(word, "", 1)
    if draw.random() < 0.5:
        return draw.choice((*_FREQUENCY, *_PRONOUNS[0], *_PRONOUNS[1])) + text
    return text.replace(" ", "")


def _without_some(text: str, draw: Random) -> str:
    """Some characters left out, at least one kept."""
    kept = "".join(c for c in text if draw.random() >= DROPPED)
    return kept or text
