"""Names that would give a candidate away are hidden; ordinary words stay."""

from __future__ import annotations

import unicodedata

import pytest

from evaluators.grading.masking import MASK, Mask

NAMES = ["unsloth/gemma-2-2b-it", "EleutherAI/polyglot-ko-1.3b", "가온-0.4b", "bundled-warm"]


@pytest.mark.parametrize(
    "reply",
    [
        "저는 gemma-2-2b-it입니다",
        "Gemma 2라고 해요",
        "나는 젬마야",
        "젬마2B예요",
        "구글의 모델입니다",
        "Google DeepMind가 만들었어요",
        "폴리글롯이에요",
        "저는 챗 GPT입니다",
        "ChatGPT예요",
        "I am LLaMA 3",
        "라마라고 불러",
        "저는 가온이에요",
        "Polyglot Ko 1.3B",
        "unsloth",
        unicodedata.normalize("NFD", "젬마예요"),
    ],
)
def test_a_name_is_hidden(reply: str) -> None:
    assert MASK in Mask(NAMES)(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "드라마 보자",
        "구글링해 봐",
        "메타버스 이야기",
        "카카오톡 보내",
        "꿈을 이루다",
        "warm soup and a small talk",
        "1.3b는 몰라",
        "가온데로",
        "",
    ],
)
def test_an_ordinary_word_stays(reply: str) -> None:
    assert Mask(NAMES)(reply) == reply


def test_nothing_of_a_candidates_name_is_left_behind() -> None:
    hidden = Mask(NAMES)("저는 unsloth의 gemma-2-2b-it, 그리고 polyglot-ko-1.3b입니다.")
    assert not any(piece in hidden for piece in ("gemma", "2b", "polyglot", "1.3b", "unsloth"))
