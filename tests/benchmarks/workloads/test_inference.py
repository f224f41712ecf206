"""The inference workload: what is measured, what is kept, and that unknown stays unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.study.contract import Contract
from benchmarks.workloads import inference
from benchmarks.workloads.log import MemoryLog
from model_registry.backends.backend import Answer
from model_registry.records import Reply
from model_registry.weights.loading import LoadedModel, load
from rows.row import Row
from tests.conftest import ROWS
from tests.support.small_study import worked
from tests.support.tiny_models import tiny_candidate

pytestmark = pytest.mark.usefixtures("frozen_libraries")

CONTRACT = Contract(max_new_tokens=8, samples=2)


@pytest.fixture(scope="module")
def loaded(tiny_model) -> LoadedModel:
    return load(tiny_candidate(tiny_model))


def ask(loaded: LoadedModel, contract: Contract = CONTRACT, prompts=ROWS[:3]):
    log = MemoryLog()
    return worked("inference", loaded, contract, log, prompts=prompts), log


def test_each_prompt_has_a_reply_of_each_pass(loaded):
    _, log = ask(loaded)
    keys = [(reply.pass_, reply.prompt) for reply in log.replies]
    assert keys == [(p, r.prompt) for p in ("greedy", "sample 1", "sample 2") for r in ROWS[:3]]
    assert {reply.tuned for reply in log.replies} == {None}
    assert {reply.reference for reply in log.replies} == {row.reply for row in ROWS[:3]}


def test_the_same_seed_gives_the_same_replies_and_another_gives_others(loaded):
    def sampled(seed: int) -> list[str]:
        _, log = ask(loaded, replace(CONTRACT, seed=seed))
        return [reply.reply for reply in log.replies if reply.pass_ != "greedy"]

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(50)


def test_two_samples_are_two_draws(loaded):
    _, log = ask(loaded)
    by_pass = {
        name: [r.reply for r in log.replies if r.pass_ == name] for name in ("sample 1", "sample 2")
    }
    assert by_pass["sample 1"] != by_pass["sample 2"]


def test_no_reply_is_longer_than_the_contract_says_however_long_its_prompt(loaded):
    """The limit is of new tokens: a long prompt leaves as much room as a short one."""
    _, log = ask(loaded, prompts=(Row("긴 질문 " * 10, ""), Row("짧", "")))
    assert {reply.new_tokens for reply in log.replies if reply.finish_reason == "length"} == {8}


def test_a_prompt_without_an_answer_has_no_reference(loaded):
    _, log = ask(loaded, prompts=(Row("질문", ""),))
    assert {reply.reference for reply in log.replies} == {None}


def test_the_replies_that_people_grade_are_those_that_were_timed(loaded):
    outcome, _ = ask(loaded)
    assert outcome.figures["batch_differs"] == 0
    assert outcome.steps == 3


def test_answers_that_differ_between_batch_and_single_are_counted():
    singles = [Answer("가", 1, "stop"), Answer("나", 1, "stop")]
    made = [Reply("case", "c", "?", text, "greedy", None, 1, "stop") for text in ("가", "다")]
    assert inference._differing(singles, made) == 1


def test_warm_up_is_a_phase_of_its_own_and_not_in_the_latency(loaded):
    _, log = ask(loaded)
    assert list(log.phases) == ["warm_up", "inference", "replies"]


def test_figures_that_nothing_was_measured_for_are_unknown_not_zero():
    answers = [Answer("english", 1, "stop", seconds=0.5, first_token_seconds=0.5)]
    figures = inference._latency(answers, 0.5)
    assert figures["decode_tokens_per_second"] is None
    assert figures["seconds_per_100_korean_characters"] is None
    nothing = inference._latency([], 0.0)
    assert nothing["seconds_per_prompt"] is None
    assert nothing["first_token_seconds"] is None
    assert nothing["tokens_per_second"] is None


def test_prefill_and_decode_are_told_apart():
    answers = [Answer("가" * 50, 11, "stop", seconds=2.0, first_token_seconds=1.0)] * 2
    figures = inference._latency(answers, 4.0)
    assert figures["first_token_seconds"] == 1.0
    assert figures["decode_tokens_per_second"] == 10.0
    assert figures["tokens_per_second"] == 5.5
    assert figures["seconds_per_100_korean_characters"] == 4.0
    assert figures["seconds_per_prompt"] == 2.0
    assert figures["stopped"] == 2
