from __future__ import annotations

import pytest

from evaluators.checks.politeness import manner, politeness, sentence_levels
from tests.support.replies import a_reply


@pytest.mark.parametrize(
    ("reply", "levels"),
    [
        ("반가워요. 어떻게 지내세요?", ["polite", "polite"]),
        ("고맙습니다! 또 뵙겠습니까?", ["polite", "polite"]),
        ("뭐 해? 나는 밥 먹었어 ㅋㅋ", ["plain", "plain"]),
        ("네. 그렇죠~", ["polite", "polite"]),
        ("좋다 😊 같이 가자", ["plain", "plain"]),
        ("축하! 123 OK", []),
    ],
)
def test_endings_show_the_level(reply: str, levels: list[str]) -> None:
    assert sentence_levels(reply) == levels


def test_both_levels_in_one_reply_are_mixed() -> None:
    assert manner("반가워요. 뭐 해? 잘 지냈어요?") == (1, pytest.approx(1 / 3))
    assert manner("반가워요. 잘 지냈어요?") == (1, 1)


def test_articles_and_lists_of_words_are_said_to_nobody() -> None:
    third = pytest.approx(1 / 3)
    assert manner("비가 왔다. 우산을 샀다. 좋네요.") == (third, third)
    assert manner("합격 규칙") == (0, 1)


def test_a_reply_is_measured_by_the_level_its_candidate_mostly_speaks() -> None:
    replies = [a_reply("반가워. 뭐 해?"), a_reply("밥 먹었어."), a_reply("고마워요. 잘 자.")]
    assert [score.value for score in politeness(replies)] == [1, 1, 0.5]


def test_without_endings_there_is_no_level() -> None:
    assert politeness([a_reply("😊"), a_reply("")])[0].value is None
