from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import spearmanr

from evaluators.checks.completion import STOPPED_BY_ITSELF
from evaluators.evaluator_registry import judge_replies, load_evaluators
from evaluators.learnt_weights import learnt_weights
from evaluators.prompt_register import register_of
from evaluators.quality import (
    CHAT,
    FAULTS,
    QUALITY,
    QUALITY_CHAT,
    QUALITY_EXAM,
    faults,
    merits,
    quality_chat,
    quality_exam,
)
from model_registry.records import Reply, Score
from tests.support.replies import REFERENCE, a_reply, read_replies

PROMPT = "나 면접 합격했어!"
GOOD = "와, 정말 축하해! 그동안 준비하느라 고생 많았어."
TASK = "재택근무의 장점과 단점을 세 가지씩 설명하고, 회사가 도입할 때 준비할 일을 제안해 주세요."
ANSWER = """재택근무의 장점과 단점, 그리고 회사가 준비할 일을 정리하면 다음과 같습니다.

**장점**
1. 출퇴근 시간이 사라져 하루를 여유롭게 쓸 수 있습니다.
2. 조용한 곳에서 집중하므로 업무 효율이 올라갑니다.
3. 사무실 임대료와 관리비가 줄어듭니다.

**단점**
1. 얼굴을 마주할 기회가 적어 협업이 느려지기 쉽습니다.
2. 쉬는 때와 일하는 때의 경계가 흐려집니다.
3. 신입 사원이 조직에 적응하기 어렵습니다.

**도입 준비**
우선 보안 장비를 지급하고 근무 규칙을 문서로 합의해야 합니다. 매주 화상 회의를 열어
진행 상황을 나누고, 분기마다 설문으로 만족도를 살피면 좋습니다."""


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
    assert value(ANSWER, TASK) > 0.85
    for nothing in ("", ".", "\n", "…!?"):
        assert value(nothing) == value(nothing, TASK) == 0


def foreign(text: str) -> str:
    words = text.split(" ")
    return " ".join("important" if i % 3 == 1 else word for i, word in enumerate(words))


SPOILT = {
    "cut off": lambda text: text[: len(text) // 2].rstrip(" .!다요"),
    "a word": lambda text: text[:2],
    "said twice": lambda text: f"{text} {text}",
    "looped": lambda text: f"{text[:20]} " * 12,
    "foreign words": foreign,
    "other scripts": lambda text: text.replace(" ", " 非常 ", 3).replace("고", "очень ", 1),
    "broken": lambda text: text[:5] + "\ufffd" * 5 + text[10:],
    "English": lambda text: "This is what I would say to you about it, and I hope that it helps.",
    "syllables by chance": lambda text: (
        "뷁 넛줴 귬 룰얀펠 쇤 갯챗품 욺 몃쟁 흠펫 꽁줍 뮬턴 낵 츰뱉." * 2
    ),
    "next turn": lambda text: text + "<|im_end|>\n<|im_start|>user\n다음은?",
    "empty": lambda text: "",
}


@pytest.mark.parametrize("way", SPOILT)
@pytest.mark.parametrize(("prompt", "good"), [(PROMPT, GOOD), (TASK, ANSWER)])
def test_a_spoilt_reply_is_worth_less(prompt: str, good: str, way: str) -> None:
    assert value(SPOILT[way](good), prompt) < value(good, prompt) - 0.01


@pytest.mark.parametrize(("prompt", "good"), [(PROMPT, GOOD), (TASK, ANSWER)])
def test_the_prompt_said_again_is_no_answer(prompt: str, good: str) -> None:
    assert value(prompt, prompt) < 0.5 * value(good, prompt)
    assert value(f"{prompt} {prompt}", prompt) < 0.5 * value(good, prompt)


def test_a_word_or_a_refusal_is_no_account_but_may_be_an_answer() -> None:
    assert value("네.", TASK) < 0.3 * value(ANSWER, TASK)
    assert value("죄송하지만 답변할 수 없습니다.", TASK) < 0.5 * value(ANSWER, TASK)
    short = "12와 18의 최대공약수를 구하시오."
    assert "thin" not in QUALITY.judge([a_reply("최대공약수는 6입니다.", short)])[0].reason


def test_code_names_and_glosses_are_no_foreign_words_where_they_belong() -> None:
    prompt = "Python으로 두 수를 더하는 함수를 작성하고 쓰는 법을 설명해 주세요."
    plain = "두 수를 받아 합을 돌려주는 함수입니다. 다른 파일에서도 그대로 불러 쓸 수 있습니다."
    code = plain + "\n```python\ndef add(first, second):\n    return first + second\n```"
    gloss = plain.replace("함수", "함수(function)", 1)
    for text in (code, gloss):
        has = merits(a_reply(text, prompt), _values(text, prompt), "exam")
        assert has["native"] == 1 and has["korean"] > 0.8


def test_another_language_is_right_where_it_is_asked_for() -> None:
    english = "I passed the interview yesterday, and my family is very happy about it."
    asked = "'어제 면접에 합격해서 가족이 기뻐했다'를 영어로 번역해 주세요."
    has = merits(a_reply(english, asked), _values(english, asked), "exam")
    assert has["korean"] == has["native"] == 1


@pytest.mark.parametrize(
    ("prompt", "profile"),
    [
        (PROMPT, "chat"), ("요즘 뭐하고 지내?", "chat"),
        ("[오늘 날씨: 비] 약속 있는데 어떡하지?", "chat"),
        ("나 메이플 렙 100인데 잘하지?", "chat"), ("", "exam"), (TASK, "exam"),
        ("12와 18의 최대공약수는?", "exam"), ("광합성을 설명해 줘", "exam"),
        ("다음을 고치시오.\n나는 밥을 먹었다.", "exam"), ("Why is the sky blue?", "exam"),
    ],
)  # fmt: skip
def test_a_short_message_is_chat_and_a_task_is_exam(prompt: str, profile: str) -> None:
    assert register_of(prompt) == profile
    one = a_reply(GOOD, prompt)
    by_profile = {"chat": QUALITY_CHAT, "exam": QUALITY_EXAM}[profile]
    assert QUALITY.judge([one]) == by_profile.judge([one])


def test_markup_is_a_merit_of_a_task_and_a_fault_in_a_chat() -> None:
    flat = ANSWER.replace("**", "").replace("\n", " ")
    assert value(ANSWER, TASK) > value(flat, TASK)
    laid_out = f"# 축하\n\n**{GOOD}**"
    assert value(laid_out) < value(GOOD)


def _values(text: str, prompt: str = PROMPT) -> dict[str, float | None]:
    reply = a_reply(text, prompt)
    return {part.name: part.judge([reply])[0].value for part in QUALITY.parts}


def test_one_answer_to_everything_costs() -> None:
    alone = value("그렇군요. 오늘도 좋은 하루 보내세요.", "나 면접 합격했어!")
    replies = [
        a_reply("그렇군요. 오늘도 좋은 하루 보내세요.", prompt)
        for prompt in ("나 면접 합격했어!", "아 오늘 진짜 덥네", "배고프다 뭐 먹지")
    ]
    assert (QUALITY.judge(replies)[0].value or 0) < alone


def test_the_reason_names_what_costs_most_first() -> None:
    english = "Congratulations on passing the interview! I wish you luck."
    assert QUALITY.judge([a_reply(GOOD * 9, PROMPT)])[0].reason.startswith("loop ")
    assert {"korean", "topic"} & set(QUALITY.judge([a_reply(english, PROMPT)])[0].reason.split())
    assert QUALITY.judge([a_reply("", PROMPT)])[0].reason == "empty 1.00"


def test_a_reply_that_was_not_made_has_no_quality() -> None:
    for one in (QUALITY, QUALITY_CHAT, QUALITY_EXAM):
        assert one.judge([a_reply("", finish_reason="error")])[0].value is None


def test_every_merit_and_fault_has_one_weight() -> None:
    assert set(merits(a_reply(GOOD), _values(GOOD), "chat")) == set(CHAT)
    assert set(merits(a_reply(GOOD), _values(GOOD), "exam")) == set(learnt_weights().weights)
    assert set(faults(a_reply(GOOD), _values(GOOD), "chat")) | {"empty"} == set(FAULTS)
    assert sum(CHAT.values()) == pytest.approx(1)
    assert all(0 < weight <= 1 for weight in (*CHAT.values(), *FAULTS.values()))
    assert all(weight >= 0 for weight in learnt_weights().weights.values())


#: Parts of which more is better; of the others of `QUALITY` but these two, less is.
GOOD_PARTS = (
    "well_formed", "relevance", "stopped_by_itself", "korean_prose", "vocabulary", "takes_up",
)  # fmt: skip
EITHER_WAY = ("layout", "length")


def scored(profile: str, **values: float | None) -> float:
    parts = {part.name: 0.3 for part in QUALITY.parts} | {"empty": 0.0, "length": 30.0} | values
    of = quality_exam if profile == "exam" else quality_chat
    found = of([a_reply(GOOD, PROMPT)], {name: [Score(value)] for name, value in parts.items()})
    assert found[0].value is not None
    return found[0].value


@pytest.mark.parametrize("profile", ["chat", "exam"])
@pytest.mark.parametrize("part", [part.name for part in QUALITY.parts])
def test_each_part_has_one_direction(part: str, profile: str) -> None:
    steps = (0.0, 0.1, 0.3, 0.6, 1.0)
    values = [scored(profile, **{part: step}) for step in steps]
    if part in GOOD_PARTS or part in EITHER_WAY:
        assert values == sorted(values)
    else:
        assert values == sorted(values, reverse=True)
    assert 0 <= scored(profile, **{part: None}) <= 1


@pytest.mark.parametrize("profile", ["chat", "exam"])
def test_a_longer_reply_is_better_up_to_a_length_and_no_further(profile: str) -> None:
    values = [scored(profile, length=n) for n in (1, 10, 50, 600, 5_000)]
    assert values == sorted(values) and values[0] < values[2]
    assert values[3] == values[4]


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


JUDGED = REFERENCE / "judged" / "logickor_single_turn.csv"


@pytest.mark.slow
@pytest.mark.skipif(not JUDGED.exists(), reason="the judged replies are not here")
def test_the_shipped_weights_agree_with_the_judge_they_were_learnt_from() -> None:
    from evaluators.training.train_quality import read_judged, values_of

    judged = read_judged(JUDGED)
    values = values_of(judged, np.ones(len(judged.grades), bool), learnt_weights())
    of_model = [(values[judged.models == m].mean(), judged.grades[judged.models == m].mean())
                for m in np.unique(judged.models)]  # fmt: skip
    assert spearmanr(of_model).statistic > 0.85
    assert spearmanr(values, judged.grades).statistic > 0.5


def test_neither_the_model_nor_the_case_changes_a_value() -> None:
    one, other = a_reply(GOOD, PROMPT, case="a"), a_reply(GOOD, PROMPT, case="b")
    assert isinstance(one, Reply)
    assert QUALITY.judge([one]) == QUALITY.judge([other])
