from __future__ import annotations

import random
import time

import pytest

from evaluators.checks.duplicates import near_duplicate, same_samples, similarity
from tests.support.replies import a_reply

SENTENCE = "오늘도 좋은 하루 보내시길 바라요. 저는 언제나 여기 있어요."


def test_one_reply_to_two_prompts_is_a_near_duplicate() -> None:
    scores = near_duplicate(
        [
            a_reply(SENTENCE, "나 시험 붙었어!"),
            a_reply("축하해요! 그동안 정말 고생 많았어요.", "취직했어"),
            a_reply(SENTENCE.replace(".", "!") + " 😊", "저녁 뭐 먹지"),
        ]
    )
    assert [score.value for score in scores] == [1, 0, 1]
    assert "저녁 뭐 먹지" in scores[0].reason


def test_prompts_that_ask_the_same_may_share_an_answer() -> None:
    scores = near_duplicate([a_reply(SENTENCE, "요즘 뭐 해?"), a_reply(SENTENCE, "요즘 뭐 해??")])
    assert [score.value for score in scores] == [0, 0]


def test_a_short_answer_may_serve_many_prompts() -> None:
    scores = near_duplicate([a_reply("응 맞아", "사과 좋아해?"), a_reply("응 맞아", "비 와?")])
    assert [score.value for score in scores] == [None, None]


def test_a_later_reply_reaches_all_earlier_ones_of_a_prompt() -> None:
    replies = [a_reply(SENTENCE, "시험 붙었어")] * 6 + [a_reply(SENTENCE, "저녁 뭐 먹지")]
    assert [score.value for score in near_duplicate(replies)] == [1] * 7


def test_samples_of_one_prompt_are_compared_with_each_other_only() -> None:
    replies = [
        a_reply(SENTENCE, "시험 붙었어", pass_="sample 1"),
        a_reply(SENTENCE, "시험 붙었어", pass_="sample 2"),
        a_reply("와, 정말 대단해요! 축하해요.", "시험 붙었어", pass_="sample 3"),
        a_reply(SENTENCE, "저녁 뭐 먹지", pass_="sample 1"),
    ]
    assert [score.value for score in same_samples(replies)] == [1, 1, 0, None]


def test_pairs_well_above_the_threshold_are_found_and_pairs_below_are_not() -> None:
    chance = random.Random(7)
    letters = [chr(ord("가") + i) for i in range(500)]
    replies, expected = [], []
    for number in range(200):
        text = "".join(chance.choices(letters, k=100))
        changed = (
            text[:-3] + "다른말"
            if number % 2
            else text[:60] + "".join(chance.choices(letters, k=40))
        )
        replies += [
            a_reply(text, "".join(chance.choices(letters, k=9))),
            a_reply(changed, "".join(chance.choices(letters, k=9))),
        ]
        expected += [float(similarity(text, changed) >= 0.8)] * 2
    found = [score.value for score in near_duplicate(replies)]
    assert sum(expected) == 200
    assert found == expected


@pytest.mark.parametrize("same", [False, True])
def test_the_time_grows_in_step_with_the_number_of_replies(same: bool) -> None:
    chance = random.Random(3)

    def seconds(count: int) -> float:
        texts = [SENTENCE if same else str(chance.getrandbits(330)) for _ in range(count)]
        replies = [a_reply(text, f"{i * 7919 % 99991}번 질문") for i, text in enumerate(texts)]
        started = time.thread_time()
        near_duplicate(replies)
        return time.thread_time() - started

    seconds(500)
    # The best of each by turns, so that what else the machine does falls on both. Quadratic growth
    # would be a factor of 25.
    many, few = zip(*[(seconds(20_000), seconds(4_000)) for _ in range(4)], strict=True)
    assert min(many) < 15 * min(few)


def pairs_that_share(share: float, count: int = 40) -> list[tuple[str, str]]:
    """Pairs of texts of 62 letters, no letter twice, with a similarity just beside `share`."""
    chance = random.Random(11)
    letters = [chr(ord("가") + i) for i in range(11_000)]
    made = []
    for _ in range(count):
        drawn = chance.sample(letters, 124)
        same = round(share * 120 / (1 + share)) + 2  # of 60 three-grams each
        made.append(("".join(drawn[:62]), "".join(drawn[:same] + drawn[62 : 62 + 62 - same])))
    return made


@pytest.mark.parametrize(("share", "expected"), [(0.76, 0.0), (0.83, 1.0)])
def test_replies_are_near_identical_from_four_fifths_on(share: float, expected: float) -> None:
    for number, (one, other) in enumerate(pairs_that_share(share)):
        assert similarity(one, other) == pytest.approx(share, abs=0.02)
        replies = [a_reply(one, f"물음 {number}"), a_reply(other, "전혀 다른 이야기")]
        assert [score.value for score in near_duplicate(replies)] == [expected] * 2


@pytest.mark.parametrize(("share", "expected"), [(0.42, 1.0), (0.6, 0.0), (0.85, 0.0)])
def test_prompts_that_share_half_ask_the_same(share: float, expected: float) -> None:
    for one, other in pairs_that_share(share, count=5):
        replies = [a_reply(SENTENCE, one), a_reply(SENTENCE, other)]
        assert [score.value for score in near_duplicate(replies)] == [expected] * 2


@pytest.mark.parametrize(("text", "expected"), [("여섯글자예요!", 1.0), ("다섯글자야!", None)])
def test_six_letters_are_enough_to_be_told_apart(text: str, expected: float | None) -> None:
    replies = [a_reply(text, "시험에 붙었어"), a_reply(text, "저녁은 뭐 먹지")]
    assert [score.value for score in near_duplicate(replies)] == [expected] * 2
