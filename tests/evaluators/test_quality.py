from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from evaluators.checks.completion import STOPPED_BY_ITSELF
from evaluators.evaluator_registry import judge_replies, load_evaluators
from evaluators.quality import QUALITY, WEIGHTS, faults, quality
from model_registry.records import Score
from tests.support.replies import REFERENCE, a_reply, read_replies

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

    impostor = EachText("stopped_by_itself", lambda text: Score(0.0))
    rows, _ = judge_replies([QUALITY, impostor], [a_reply(GOOD, PROMPT, finish_reason="stop")])
    assert STOPPED_BY_ITSELF in QUALITY.parts
    assert rows[0].value == value(GOOD, finish_reason="stop")


#: Values of the parts for a reply without a fault.
FAULTLESS = {part.name: 0.0 for part in QUALITY.parts} | {
    "well_formed": 1.0, "relevance": 1.0, "stopped_by_itself": 1.0,
}  # fmt: skip


def scored(text: str = "아침밥 맛있게 냠냠", **values: float | None) -> Score:
    """The quality of a reply whose parts have these values, and no fault besides."""
    parts = {name: [Score(value)] for name, value in (FAULTLESS | values).items()}
    return quality([a_reply(text, PROMPT)], parts)[0]


@pytest.mark.parametrize(
    ("part", "value", "left"),
    [
        ("empty", 1.0, 0.0), ("foreign_script", 1.0, 0.15), ("loop", 1.0, 0.2),
        ("broken_text", 1.0, 0.2), ("well_formed", 0.0, 0.5), ("echo", 1.0, 0.4),
        ("relevance", 0.0, 0.4), ("markup", 1.0, 0.65), ("near_duplicate", 1.0, 0.7),
        ("continues_prompt", 1.0, 0.85), ("stopped_by_itself", 0.0, 0.88),
    ],
)  # fmt: skip
def test_a_whole_fault_leaves_what_its_weight_says(part: str, value: float, left: float) -> None:
    assert scored().value == 1.0
    assert scored(**{part: value}).value == pytest.approx(left)
    assert scored(**{part: None}).value == 1.0


@pytest.mark.parametrize(
    ("part", "value", "left"),
    [
        ("broken_text", 0.1, 1 - 0.8 * 0.5),  # one character in ten is half of one in five
        ("broken_text", 0.2, 0.2), ("broken_text", 0.4, 0.2),
        ("repetition", 0.3, 1 - 0.8 * 0.5), ("repetition", 0.6, 0.2), ("repetition", 0.9, 0.2),
        ("well_formed", 0.25, 0.75), ("well_formed", 0.5, 1.0), ("well_formed", 0.45, 0.95),
        ("relevance", 0.35, 0.7), ("relevance", 0.7, 1.0), ("relevance", 0.63, 0.94),
        ("stopped_by_itself", 0.5, 0.94),
    ],
)  # fmt: skip
def test_half_a_fault_takes_half_and_what_is_good_enough_nothing(
    part: str, value: float, left: float
) -> None:
    assert scored(**{part: value}).value == pytest.approx(left)


@pytest.mark.parametrize(
    ("text", "left"),
    [("여섯글자예요", 1.0), ("다섯글자야", 1 - 0.4 / 6), ("세글자", 0.8), ("!!", 0.6)],
)
def test_a_reply_of_fewer_than_six_letters_is_thin(text: str, left: float) -> None:
    assert scored(text).value == pytest.approx(left)


def test_half_the_sentences_in_another_level_are_the_whole_fault() -> None:
    assert scored("정말 축하해. 고생 많았어요.").value == pytest.approx(0.9)
    assert scored("정말 축하해. 고생 많았어. 참 좋다. 쉬세요.").value == pytest.approx(0.95)


def test_faults_add_up_and_the_three_gravest_are_named() -> None:
    found = scored(markup=1.0, continues_prompt=1.0, stopped_by_itself=0.0, near_duplicate=1.0)
    assert found.value == pytest.approx(0.65 * 0.85 * 0.88 * 0.7)
    assert found.reason == "markup 0.35, duplicate 0.30, continues 0.15"


@pytest.mark.parametrize(("markup", "reason"), [(0.16, "markup 0.06"), (0.12, "")])
def test_a_fault_that_takes_less_than_a_twentieth_is_not_named(markup: float, reason: str) -> None:
    assert scored(markup=markup).reason == reason


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
