from __future__ import annotations

import pytest

from evaluators.checks.completion import continues_prompt, length, stopped_by_itself
from tests.support.replies import a_reply


def test_the_finish_reason_of_the_record_counts() -> None:
    assert stopped_by_itself(a_reply("끝났", finish_reason="stop")).value == 1
    assert stopped_by_itself(a_reply("끝났어요.", finish_reason="length")).value == 0
    assert stopped_by_itself(a_reply("", finish_reason="error")).value is None


@pytest.mark.parametrize(
    "reply", ["좋아요!", "그렇구나 ㅋㅋ", "축하해 🎉", "나도 그래", '"그래."', "재미있죠~"]
)
def test_without_a_finish_reason_a_finished_sentence_stopped_by_itself(reply: str) -> None:
    assert stopped_by_itself(a_reply(reply)).value == 1


@pytest.mark.parametrize("reply", ["오늘은 날씨가 좋아서 산책을", "1. 첫째,", "왜냐하면 저는 ("])
def test_without_a_finish_reason_a_broken_off_sentence_was_cut(reply: str) -> None:
    assert stopped_by_itself(a_reply(reply)).value == 0


def test_an_empty_reply_neither_stopped_nor_was_cut() -> None:
    assert stopped_by_itself(a_reply("  ")).value is None


def test_length_is_counted_in_composed_characters() -> None:
    assert length(" 한글 ").value == 2


@pytest.mark.parametrize(
    "reply", ["요. 요즘 밖에 나가면", "면, 감기에 걸리기 쉬워", ".\n그래서", "다. 그리고"]
)
def test_a_reply_that_completes_the_prompts_sentence_continues_it(reply: str) -> None:
    assert continues_prompt(reply).value == 1


@pytest.mark.parametrize(
    "reply", ["네, 좋아요", "다 괜찮아", "...그래", "고마워", "요즘 바빠", "은행에 가", "."]
)
def test_a_reply_of_its_own_does_not(reply: str) -> None:
    assert continues_prompt(reply).value == 0


def test_nothing_continues_nothing() -> None:
    assert continues_prompt(" ").value is None
