from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from evaluators.completion import STOPPED_BY_ITSELF
from evaluators.quality import QUALITY, WEIGHTS, faults
from evaluators.registry import judge_replies, load_evaluators
from evaluators.reply_table import read_replies
from tests.replies import REFERENCE, a_reply

PROMPT = "나 면접 합격했어!"
GOOD = "와, 정말 축하해! 그동안 준비하느라 고생 많았어."


def value(text: str, prompt: str = PROMPT, **fields: str) -> float:
    score = QUALITY.judge([a_reply(text, prompt, **fields)])[0]
    assert score.value is not None
    return score.value


def test_replies_rank_as_a_korean_reader_would_rank_them() -> None:
    ranked = [
        GOOD,
        "오늘은 비가 와서 우산을 챙겨 나갔어요. 신발이 다 젖었네요.",
        "* **합격** 규칙\n* 1주차: 앱 설정\n* 2주차: 측척 컨더링 낟\n#합격 #면접",
        "Congratulations on passing your interview! I am so happy for you.",
        "...",
    ]
    values = [value(text) for text in ranked]
    assert all(better > worse for better, worse in pairwise(values)), values


def test_a_good_reply_is_nearly_perfect_and_an_empty_one_is_worth_nothing() -> None:
    assert value(GOOD) > 0.85
    assert value("") == 0
    assert value(".") == 0


@pytest.mark.parametrize(
    ("worse", "name"),
    [
        (GOOD + " Congratulations, I am very happy for you today!", "foreign"),
        (GOOD + " 축하 축하해 축하 축하해 축하 축하해 축하 축하해 축하 축하해 축하 축하해", "loop"),
        (GOOD.replace("정말", "정\ufffd\ufffd"), "broken"),
        ("와, 측척 컨더링 축하 낟 피체트 규함 잽잽하고 달러되지는.", "unnatural"),
        ("빨간 모자를 쓴 아이가 강아지와 함께 공원에서 놀고 있어.", "off_topic"),
        (PROMPT, "echo"),
        ("**" + GOOD + "**\n# 축하", "markup"),
        ("축하", "thin"),
        ("요. " + GOOD, "continues"),
        ("와, 정말 축하해! 그동안 준비하느라 고생을", "cut"),
        (GOOD + " 앞으로도 응원할게요.", "impolite"),
    ],
)
def test_each_fault_costs_and_is_named(worse: str, name: str) -> None:
    assert value(worse) < value(GOOD)
    values = _values(worse)
    assert faults(a_reply(worse, PROMPT), values)[name] > 0


def _values(text: str) -> dict[str, float | None]:
    reply = a_reply(text, PROMPT)
    return {part.name: part.judge([reply])[0].value for part in QUALITY.parts}


def test_one_answer_to_everything_costs() -> None:
    alone = value("그렇군요. 오늘도 좋은 하루 보내세요.", "나 면접 합격했어!")
    replies = [
        a_reply("그렇군요. 오늘도 좋은 하루 보내세요.", prompt)
        for prompt in ("나 면접 합격했어!", "아 오늘 진짜 덥네", "배고프다 뭐 먹지")
    ]
    assert (QUALITY.judge(replies)[0].value or 0) < alone


def test_the_reason_names_the_gravest_fault_first() -> None:
    score = QUALITY.judge([a_reply("Congratulations on passing the interview!", PROMPT)])[0]
    assert score.reason.startswith("foreign 0.8")


def test_a_reply_that_was_not_made_has_no_quality() -> None:
    assert QUALITY.judge([a_reply("", finish_reason="error")])[0].value is None


def test_every_fault_has_one_weight() -> None:
    assert set(faults(a_reply(GOOD), _values(GOOD))) | {"empty"} == set(WEIGHTS)
    assert all(0 < weight <= 1 for weight in WEIGHTS.values())


def test_quality_is_the_same_alone_and_among_the_other_evaluators() -> None:
    replies = [a_reply(GOOD, PROMPT), a_reply("응", "배고파"), a_reply("", "덥다")]
    rows, _ = judge_replies(load_evaluators(entry_points=False), replies)
    together = [row.value for row in rows if row.evaluator == "quality"]
    assert together == [score.value for score in QUALITY.judge(replies)]


def test_a_part_that_another_evaluator_replaces_is_not_taken_for_it() -> None:
    from evaluators.evaluator import EachText
    from model_registry.records import Score

    impostor = EachText("stopped_by_itself", lambda text: Score(0.0))
    rows, _ = judge_replies([QUALITY, impostor], [a_reply(GOOD, PROMPT, finish_reason="stop")])
    assert STOPPED_BY_ITSELF in QUALITY.parts
    assert rows[0].value == value(GOOD, finish_reason="stop")


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference files are not here")
@pytest.mark.parametrize("with_empty", [True, False])
def test_gemma_is_above_fingu_with_a_paired_interval_that_excludes_zero(with_empty: bool) -> None:
    gemma, fingu = (
        np.array([score.value for score in QUALITY.judge(_real(name))], dtype=float)
        for name in ("gemma-2-2b-it", "FinguAI-Chat-v1")
    )
    kept = np.ones(len(fingu), bool) if with_empty else fingu > 0
    difference = (gemma - fingu)[kept]
    drawn = np.random.default_rng(0).integers(0, len(difference), (10_000, len(difference)))
    low, _ = np.percentile(difference[drawn].mean(axis=1), [2.5, 97.5])
    assert low > 0


def _real(name: str):
    file = REFERENCE / "replies" / f"inference_test_result_{name}.csv"
    return read_replies(file, reply_column="answer")
