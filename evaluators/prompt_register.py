"""What a prompt asks for: talk or a task, Korean or another language, a word or an account."""

from __future__ import annotations

import re
from functools import lru_cache

from evaluators.korean_text import HANGUL_RUN, normal

#: A chat message is one line of Korean without formulas, brackets or two numbers, of at most so
#: many characters, that asks for no piece of work. A note in brackets before it does not count.
CHAT_CHARACTERS = 40
NOTE = re.compile(r"^\[[^\]\n]{1,40}\]\s*")
NOT_CHAT = re.compile(
    r"[\n(){}=\[\]<>/]|\d\D+\d|하시오|하여라|해라|보아라|설명|작성|구현|번역|요약|풀이|분석|비교"
    r"|서술|예시|정의|[을를] (?:구해|써 ?줘|써 ?봐|찾아)"
)
#: Tasks that ask for more than a value, a word or a sentence.
ASKS_FOR_AN_ACCOUNT = re.compile(
    r"설명|작성|분석|제안|제시|소개|서술|비교|요약|생각해|방법|특징|[글편]을|문단|만들어|구현"
)
#: Prompts that ask for another language than Korean.
OTHER_LANGUAGE = re.compile(
    r"(?:영어|영문|일본어|일어|중국어|불어|프랑스어|독일어|스페인어|러시아어)로|in English", re.I
)


@lru_cache(maxsize=10_000)
def register_of(prompt: str) -> str:
    """The profile that a prompt calls for: "chat" or "exam"."""
    asked = NOTE.sub("", normal(prompt).strip())
    task = len(asked) > CHAT_CHARACTERS or NOT_CHAT.search(asked) or not HANGUL_RUN.search(asked)
    return "exam" if task else "chat"


@lru_cache(maxsize=10_000)
def wants_korean(prompt: str) -> bool:
    """Whether a reply should be Korean: the prompt is, and asks for no other language."""
    asked = normal(prompt)
    return bool(HANGUL_RUN.search(asked)) and not OTHER_LANGUAGE.search(asked)


@lru_cache(maxsize=10_000)
def asks_for_an_account(prompt: str) -> bool:
    """Whether more than a value, a word or a sentence is asked for."""
    return bool(ASKS_FOR_AN_ACCOUNT.search(normal(prompt)))
