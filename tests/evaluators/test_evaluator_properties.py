"""Any text gives every evaluator a score or None with a reason, in bounded time."""

from __future__ import annotations

import math
import time
import unicodedata

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from evaluators.evaluator import Evaluator
from evaluators.evaluator_registry import load_evaluators
from model_registry.records import Score
from tests.support.replies import a_reply

BUILT_INS = load_evaluators(entry_points=False)
#: Those whose values are shares or grades; the others count something.
UNIT = set(BUILT_INS) - {"length", "compression", "diagram_geometry", "diagram_readability"}

KOREAN = st.text(alphabet=st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))
ODD = st.sampled_from(
    [
        "ㅋㅋㅋ",
        "ㅠㅠ",
        "😊",
        "👨‍👩‍👧",
        "\ud83d",
        "\ufffd",
        "\u3164",
        "\u200d",
        "\x00",
        "e\u0301",
        "ﷺ",
        "```",
        "**",
    ]
)
ANY = st.lists(
    st.one_of(
        KOREAN,
        ODD,
        st.text(),
        st.text(st.characters(exclude_categories=())),  # lone surrogates too
        st.sampled_from(["오늘은 ", "좋아요. ", "\n", "1. ", "How are you "]),
    ),
    max_size=12,
).map("".join)


def is_judged(evaluator: Evaluator, score: Score) -> bool:
    if score.value is None:
        return bool(score.reason)
    if not math.isfinite(score.value):
        return False
    return evaluator.name not in UNIT or -1e-9 <= score.value <= 1 + 1e-9


@pytest.mark.parametrize("name", BUILT_INS)
@given(
    text=ANY,
    prompt=ANY,
    reference=st.none() | ANY,
    finish=st.sampled_from(["", "stop", "length", "error"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_is_judged(
    name: str, text: str, prompt: str, reference: str | None, finish: str
) -> None:
    evaluator = BUILT_INS[name]
    replies = [
        a_reply(text, prompt, finish, reference=reference),
        a_reply(text, "다른 질문", finish, pass_="sample 1"),
    ]
    scores = evaluator.judge(replies)
    assert len(scores) == 2
    assert all(is_judged(evaluator, score) for score in scores)
    assert evaluator.judge(replies) == scores


@pytest.mark.parametrize("name", sorted(set(BUILT_INS) - {"compression"}))
@given(text=st.one_of(KOREAN, st.text(st.characters(exclude_categories=("Cs",)), max_size=50)))
@example(text="가자")  # an ending that shows feeling
@settings(max_examples=40, deadline=None)
def test_composed_and_decomposed_text_score_alike(name: str, text: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    one, other = (
        BUILT_INS[name].judge([a_reply(t, "오늘 뭐 해?")])[0] for t in (composed, decomposed)
    )
    assert one.value == other.value


@pytest.mark.parametrize("name", BUILT_INS)
@pytest.mark.parametrize(
    "text",
    [
        "가나다라마바사 " * 125_000,
        "a" * 1_000_000,
        "\u0301\u0316" * 500_000,  # combining marks: slow to put into normal form
        "\ud800" * 1_000_000,
        "(" * 1_000_000,
        "ab" * 499_999 + "c",
        "* " * 500_000,
        "\n" * 1_000_000,
        "#가 " * 300_000,
        "I am " * 200_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_a_million_characters_take_bounded_time(name: str, text: str) -> None:
    evaluator = BUILT_INS[name]
    started = time.thread_time()
    score = evaluator.judge([a_reply(text, text[:1000], reference=text)])[0]
    assert is_judged(evaluator, score)
    # A second at most; what grows with the square of the length takes hours.
    assert time.thread_time() - started < 20
