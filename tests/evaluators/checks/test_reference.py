from __future__ import annotations

import itertools
import random

import pytest

from evaluators.checks.reference import chrf, rouge_l
from tests.support.replies import a_reply


@pytest.mark.parametrize("metric", [chrf, rouge_l])
def test_the_reference_itself_scores_one(metric) -> None:
    assert metric(a_reply("오늘 날씨 좋다", reference="오늘 날씨 좋다")).value == pytest.approx(1)


@pytest.mark.parametrize("metric", [chrf, rouge_l])
def test_without_a_reference_there_is_no_score(metric) -> None:
    assert metric(a_reply("안녕")).value is None
    assert metric(a_reply("안녕", reference="  ")).value is None


@pytest.mark.parametrize("metric", [chrf, rouge_l])
def test_an_empty_reply_shares_nothing_with_the_reference(metric) -> None:
    assert metric(a_reply("", reference="오늘 날씨 좋다")).value == 0


def test_chrf_is_sacrebleus() -> None:
    from sacrebleu import sentence_chrf

    value = chrf(a_reply("오늘 날씨가 참 좋네", reference="오늘은 날씨가 좋네요")).value
    assert value == sentence_chrf("오늘 날씨가 참 좋네", ["오늘은 날씨가 좋네요"]).score / 100


def test_rouge_l_equals_the_table_method_on_random_texts() -> None:
    chance = random.Random(1)
    for _ in range(50):
        one, other = ("".join(chance.choices("가나다라", k=chance.randint(1, 30))) for _ in "12")
        expected = 2 * _longest_common(one, other) / (len(one) + len(other))
        assert rouge_l(a_reply(one, reference=other)).value == pytest.approx(expected)


def _longest_common(one: str, other: str) -> int:
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, j in itertools.product(range(len(one)), range(len(other))):
        longer = max(table[i][j + 1], table[i + 1][j])
        table[i + 1][j + 1] = table[i][j] + 1 if one[i] == other[j] else longer
    return table[-1][-1]
