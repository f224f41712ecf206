from __future__ import annotations

import unicodedata

import pytest

from evaluators.checks.text_integrity import broken_text, compression


@pytest.mark.parametrize(
    "reply",
    [
        "오늘은 정말 좋은 날이에요! 😊",
        "굿ㅋㅋㅋ 아ㅠㅠ ㅇㅇ ㄱㄱ",
        "Où êtes-vous? 今日は",
        "LoRA 3.10 (베타)",
    ],
)
def test_sound_text_is_not_broken(reply: str) -> None:
    assert broken_text(reply).value == 0


def test_decomposed_hangul_is_sound() -> None:
    assert broken_text(unicodedata.normalize("NFD", "오늘은 정말 좋은 날")).value == 0


@pytest.mark.parametrize(
    "reply",
    ["반가워\ufffd\ufffd", "안ㄴ녕ㅎ세요", "\ud83d 안녕", "뛟뷁은 쭳이다", "\u1112\u1112 가"],
)
def test_broken_characters_are_counted(reply: str) -> None:
    assert (broken_text(reply).value or 0) > 0


def test_mojibake_is_broken_through_and_through() -> None:
    assert (broken_text("안녕하세요".encode().decode("cp1252", "ignore")).value or 0) > 0.8


def test_a_loop_compresses_and_prose_does_not() -> None:
    prose = (
        "오늘은 비가 와서 집에서 책을 읽었어요. 내일은 친구와 바다에 가서 사진을 찍기로 했답니다."
    )
    assert (compression(prose).value or 0) > 0.6
    assert (compression("좋아요 " * 40).value or 1) < 0.2


def test_a_short_reply_is_not_compressed() -> None:
    assert compression("안녕하세요").value is None
