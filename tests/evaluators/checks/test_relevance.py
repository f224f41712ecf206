from __future__ import annotations

import json
import random

import pytest

from evaluators.checks.relevance import echo, relevance, takes_up
from tests.support.replies import ROOT, a_reply


@pytest.mark.parametrize(
    ("prompt", "fitting", "other"),
    [
        ("아 춥다", "감기 걸리지 않게 따뜻하게 입어!", "김밥 두 줄 포장해 주세요."),
        ("나 면접 합격했어!", "와, 정말 축하해! 고생 많았어.", "오늘은 비가 와서 우산을 썼어."),
        ("요즘 너무 힘들어", "많이 지쳤구나. 내가 들어줄게.", "파란색 바지가 세일 중이야."),
        ("로라야 요즘 뭐 해?", "나는 그림 그리고 있어.", "비밀번호를 바꾸면 안전합니다."),
    ],
)
def test_a_reply_on_the_topic_is_more_relevant(prompt: str, fitting: str, other: str) -> None:
    on, off = (relevance(a_reply(text, prompt)).value for text in (fitting, other))
    assert on is not None
    assert off is not None
    assert on > 0.5 > off


def test_a_name_that_is_called_is_not_what_the_prompt_is_about() -> None:
    one, other = (
        relevance(a_reply("로라야 로라야", prompt)) for prompt in ("로라야 배고파", "배고파")
    )
    assert one == other


def test_a_word_of_one_syllable_needs_a_particle() -> None:
    rain = relevance(a_reply("비가 그쳤어", "비가 와")).value or 0
    secret = relevance(a_reply("비밀번호 비교", "비가 와")).value or 0
    assert rain > secret


@pytest.mark.parametrize("reply", ["", "😊", "I am fine, thank you"])
def test_without_korean_words_nothing_can_be_said(reply: str) -> None:
    assert relevance(a_reply(reply, "오늘 춥다")).value is None


def test_a_prompt_without_a_topic_is_not_judged() -> None:
    assert relevance(a_reply("그래", "???")).value is None


def test_own_replies_are_told_from_other_prompts_replies() -> None:
    path = ROOT / "datasets" / "small_talk" / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    chance = random.Random(0)
    wins = 0.0
    judged = 0
    for row in rows:
        other = chance.choice(rows)["reply"]
        own, foreign = (
            relevance(a_reply(text, row["prompt"])).value for text in (row["reply"], other)
        )
        if own is not None and foreign is not None:
            judged += 1
            wins += 0.5 if own == foreign else own > foreign
    assert judged > 0.8 * len(rows)
    assert wins / judged > 0.68  # 0.5 would be guessing


def test_a_prompt_said_again_is_an_echo() -> None:
    assert echo(a_reply("나 요즘 왜 이럴까?", "나 요즘 왜 이럴까?")).value == 1
    assert echo(a_reply("나 요즘 왜 이럴까? 나 요즘 왜 이럴까", "나 요즘 왜 이럴까?")).value == 1
    assert (
        0.2
        < (echo(a_reply("나 요즘 왜 이럴까? 그러게 말이야 힘내", "나 요즘 왜 이럴까?")).value or 0)
        < 0.8
    )
    assert echo(a_reply("많이 지쳤나 봐요", "나 요즘 왜 이럴까?")).value == 0
    assert echo(a_reply("응", "응?")).value is None


@pytest.mark.parametrize(
    ("prompt", "reply", "share"),
    [
        ("사과와 바나나의 값은?", "사과는 천 원입니다.", 1 / 3),
        ("Rust 언어의 특징은?", "rust는 안전한 언어이고, 특징이 많습니다.", 1),
        ("12와 18의 합은?", "12 더하기 18은 30입니다.", 2 / 3),
        ("사과", "", 0),
        ("?", "네.", None),
    ],
)
def test_what_a_reply_takes_up_is_a_share_of_the_prompts_words(prompt, reply, share) -> None:
    assert takes_up(a_reply(reply, prompt)).value == share
