from __future__ import annotations

import time

import pytest

from evaluators.checks.repetition import RICH, loop, repetition, said_again, vocabulary

PLAIN = "오늘은 비가 와서 집에서 책을 읽었어요. 내일은 친구와 바다에 가기로 했어요!"


def test_plain_korean_does_not_repeat_itself() -> None:
    assert repetition(PLAIN).value == 0
    assert loop(PLAIN).value == 0


def test_a_sentence_said_again_and_again_is_a_loop() -> None:
    assert (repetition("저도 좋아요. " * 8).value or 0) > 0.8
    assert (loop("저도 좋아요. " * 8).value or 0) > 0.8


def test_a_loop_after_a_sound_beginning_is_counted_by_its_length() -> None:
    score = loop("오늘은 날씨가 정말 좋네요. 산책 산책 산책 산책 산책").value
    assert 0.3 < (score or 0) < 0.6


def test_laughter_and_many_exclamation_marks_are_no_repetition() -> None:
    reply = "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ 진짜 축하해!!!!!!!!!!!!!!"
    assert loop(reply).value == 0
    assert repetition(reply).value == 0


def test_numbered_items_repeat_though_they_do_not_loop() -> None:
    reply = "\n".join(f"{i}. 좋은 하루를 보내는 방법" for i in range(1, 9))
    assert (repetition(reply).value or 0) > 0.5


def test_a_short_reply_has_no_repetition_to_measure() -> None:
    assert repetition("그래, 좋아").value is None


def test_a_million_characters_take_bounded_time() -> None:
    started = time.thread_time()
    for text in ("가나다 " * 250_000, "a" * 1_000_000, "ab" * 500_000 + "c"):
        repetition(text)
        loop(text)
    # A tenth of a second; what grows with the square of the length takes hours.
    assert time.thread_time() - started < 20


def test_vocabulary_is_distinct_words_by_the_root_of_all_words() -> None:
    assert vocabulary("하나 둘 셋 넷").value == pytest.approx(4 / 2 / RICH)
    assert vocabulary("하나 하나 하나 하나").value == pytest.approx(1 / 2 / RICH)
    assert vocabulary("one two three").value == 0
    assert vocabulary(" ".join(f"{chr(0xAC00 + 28 * i)}말" for i in range(200))).value == 1


@pytest.mark.parametrize(
    ("reply", "again"),
    [("하나 둘 셋 넷", 0), ("하나 둘 하나 둘", 0.5), ("응", 0), ("", None), ("only English", None)],
)
def test_words_said_again_are_a_share_of_all(reply: str, again: float | None) -> None:
    assert said_again(reply).value == again
