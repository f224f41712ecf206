from __future__ import annotations

import time
import unicodedata

import pytest

from evaluators.checks.korean import (
    empty,
    foreign_script,
    foreign_words,
    hangul_share,
    korean_prose,
)
from tests.support.replies import a_reply


@pytest.mark.parametrize("reply", ["", "   \n", ".", "…", '"?!"', "\u3164", "\u200b", "- \n- \n"])
def test_a_reply_of_only_punctuation_is_empty(reply: str) -> None:
    assert empty(reply).value == 1


@pytest.mark.parametrize("reply", ["네", "ㅋㅋㅋ", "ㅠㅠ", "😊", "7", "ok", "一"])
def test_a_short_reply_is_not_empty(reply: str) -> None:
    assert empty(reply).value == 0


def test_hangul_is_counted_alike_in_every_normal_form() -> None:
    text = "오늘은 LoRA 공부!"
    shares = {hangul_share(unicodedata.normalize(form, text)).value for form in ("NFC", "NFD")}
    assert shares == {5 / 9}


def test_laughter_in_jamo_is_korean() -> None:
    assert hangul_share("ㅋㅋㅋㅋ ㅠㅠ").value == 1


def test_a_hangul_filler_is_no_letter() -> None:
    assert hangul_share("\u3164\u3164").value is None
    assert hangul_share("가\u3164a").value == 0.5


def test_without_letters_there_is_no_share_of_hangul() -> None:
    score = hangul_share("1234 😊")
    assert score.value is None
    assert "no letters" in score.reason


def test_names_and_loan_words_are_not_foreign() -> None:
    assert foreign_script("내 이름은 LoRA야. MBTI는 ENTJ! Python 3.10.11로 만들었어").value == 0


def test_an_english_sentence_is_foreign() -> None:
    score = foreign_script("좋아요. How are you doing today? 😊")
    assert score.value == pytest.approx(18 / 22, abs=0.05)


@pytest.mark.parametrize("reply", ["今天天气很好", "今日はいい天気", "Привет как дела", "สวัสดีครับ"])
def test_other_scripts_are_foreign(reply: str) -> None:
    assert (foreign_script(reply).value or 0) > 0.8


def test_one_foreign_word_inside_korean_is_seen() -> None:
    assert 0.1 < (foreign_script("나는 정말 행복している 사람이야").value or 0) < 0.5


def test_a_face_made_of_a_greek_letter_is_not_foreign() -> None:
    assert foreign_script("반가워 (´･ω･`)").value == 0


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("세종대왕이 한글을 만들었습니다.", 0),
        ("세종대왕이 한글을 created 했습니다.", 1),  # one of four words is more than 15 %
        ("심층 작업(deep work)은 몰입(immersion)을 뜻합니다.", 0),
        ("NASA와 IBM은 LoRA로 GPT를 튜닝했습니다.", 0),
        ("그 길이는 5 cm 입니다.", 0),
        ("오늘은 非常 좋은 날입니다.", 1 / 3),
        ("오늘은 非常 очень とても 좋습니다.", 1),
        ("이렇게 씁니다.\n```python\nvalue = first + second\n```", 0),
        ("이렇게 씁니다: `value = first`", 0),
    ],
)
def test_foreign_words_are_those_that_stand_for_korean_ones(reply: str, value: float) -> None:
    found = foreign_words(a_reply(reply, "이것이 뭐야?")).value
    assert found == pytest.approx(value)


def test_a_word_that_the_prompt_wrote_is_not_foreign() -> None:
    reply = "python 코드는 짧습니다."
    assert foreign_words(a_reply(reply, "Python 코드는 왜 짧아?")).value == 0
    assert foreign_words(a_reply(reply, "코드는 왜 짧아?")).value == 1


def test_code_and_formulas_do_not_lower_the_share_of_korean() -> None:
    prose = "두 수의 합을 돌려줍니다."
    code = "\n```\nreturn first + second\n```\n$a + b$ \\(x^2\\) https://example.org/sum"
    assert korean_prose(prose + code).value == korean_prose(prose).value == 1
    assert korean_prose("It gives the sum.").value == 0
    assert korean_prose("```\nreturn 1\n```").value == 0


def test_long_runs_of_blanks_take_no_time_that_grows_with_their_square() -> None:
    seconds = []
    for _ in range(3):  # the best of three: collecting garbage takes as long as the limit
        began = time.thread_time()
        for sign in (" ", "\t"):
            korean_prose("가;\n" + sign * 9_900 + "나")
        seconds.append(time.thread_time() - began)
    assert min(seconds) < 0.2
