from __future__ import annotations

import unicodedata

import pytest

from evaluators.checks.korean import empty, foreign_script, hangul_share


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
