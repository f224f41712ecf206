"""A prompt that does not fit into a model's context is refused before anything is generated."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from transformers import AutoConfig

from benchmarks.study.contract import Contract
from benchmarks.workloads import asking
from benchmarks.workloads.log import MemoryLog
from model_registry.backends.backend import Answer, GenerationSettings, conversation
from model_registry.backends.local_answer import (
    encode_for_answer,
    with_prompt_problems,
    within_context,
)
from model_registry.backends.remote.failures import AskError
from model_registry.backends.transformers_local import (
    TransformersBackend,
    answer_batch,
    answer_one,
)
from model_registry.prompting.context import context_length
from model_registry.weights.loading import load
from rows.row import Row
from tests.support.small_study import worked
from tests.support.tiny_models import tiny_candidate

CONTEXT = 512  # of the tiny models
TOO_LONG = conversation("길" * 600)
SETTINGS = GenerationSettings(max_new_tokens=12)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def loaded(request, tiny_model_of):
    """Rotary positions, which go on into noise, and learned ones, which end."""
    return load(tiny_candidate(tiny_model_of(request.param)))


def fills(loaded, left: int):
    """A question that leaves room for so many tokens."""
    empty = len(encode_for_answer(loaded, conversation("")).ids)
    context = context_length(loaded.model.config)
    return conversation("a" * (context - empty - left))


@pytest.mark.parametrize(
    ("model_type", "values", "length"),
    [
        ("llama", {"max_position_embeddings": 300}, 300),
        ("gpt2", {"n_positions": 301}, 301),
        ("opt", {"max_position_embeddings": 302}, 302),
        ("gpt_neo", {"max_position_embeddings": 303}, 303),
        ("bloom", {"seq_length": 304}, 304),
        ("rwkv", {"context_length": 305}, None),
    ],
)
def test_the_context_is_what_the_configuration_says(model_type, values, length):
    assert context_length(AutoConfig.for_model(model_type, **values)) == length


@pytest.mark.parametrize(
    "name",
    ["max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "seq_length",
     "n_ctx"],
)  # fmt: skip
def test_whatever_a_configuration_calls_it_is_the_context(name):
    own = SimpleNamespace(model_type="own", **{name: 77})
    assert context_length(own) == 77
    assert context_length(SimpleNamespace(model_type="sees", get_text_config=lambda: own)) == 77
    assert context_length(SimpleNamespace(model_type="own", **{name: 0})) is None
    assert context_length(SimpleNamespace(model_type="own", **{name: None})) is None


@pytest.mark.parametrize("left", [1, 5, 11, 12, 13])
def test_the_room_for_an_answer_is_counted_to_the_token(loaded, left):
    given = within_context(loaded, encode_for_answer(loaded, fills(loaded, left)), SETTINGS)
    assert given.max_new_tokens == min(left, SETTINGS.max_new_tokens)


@pytest.mark.parametrize(("end", "problems"), [("length", ("context_full",)), ("stop", ())])
def test_only_an_answer_that_was_cut_says_that_the_context_was_full(loaded, end, problems):
    prompt = encode_for_answer(loaded, fills(loaded, left=5))
    given = within_context(loaded, prompt, SETTINGS)
    assert (
        with_prompt_problems(Answer("응", 2, end, 1.0), prompt, SETTINGS, given).problems
        == problems
    )
    assert (
        with_prompt_problems(Answer("응", 2, end, 1.0), prompt, SETTINGS, SETTINGS).problems == ()
    )


def test_a_prompt_longer_than_the_context_is_one_line_that_says_so(loaded):
    for answer in (
        lambda: answer_one(loaded, TOO_LONG, SETTINGS),
        lambda: list(TransformersBackend(loaded).stream(TOO_LONG, SETTINGS)),
    ):
        with pytest.raises(AskError, match=r"The prompt has [\d,]+ tokens.*shorten") as raised:
            answer()
        assert "\n" not in str(raised.value)


def test_an_answer_gets_what_the_context_has_left(loaded):
    answer = answer_one(loaded, fills(loaded, left=5), SETTINGS)
    assert answer.new_tokens <= 5
    if answer.finish_reason == "length":
        assert answer.problems == ("truncated", "context_full")
    streamed = TransformersBackend(loaded).reply(fills(loaded, left=5), SETTINGS)
    assert streamed.text == answer.text
    with pytest.raises(AskError):
        answer_one(loaded, fills(loaded, left=0), SETTINGS)


def test_in_a_batch_only_the_one_that_is_too_long_gets_no_answer(loaded):
    asked = [conversation("뭐?"), TOO_LONG, fills(loaded, left=3), conversation("안녕?")]
    answers = answer_batch(loaded, asked, SETTINGS)
    assert (answers[1].text, answers[1].finish_reason) == ("", "error")
    assert answers[1].problems == ("context_exceeded",)
    assert answers[2].new_tokens <= 3
    for index in (0, 3):
        assert answers[index].text == answer_one(loaded, asked[index], SETTINGS).text


def test_in_a_run_it_is_a_reply_that_says_so(loaded):
    rows = [Row("뭐?", ""), Row("길" * 600, ""), Row("안녕?", "")]
    log = MemoryLog()
    outcome = worked("inference", loaded, Contract(max_new_tokens=5), log, prompts=rows)
    greedy = [reply for reply in log.replies if reply.pass_ == "greedy"]
    assert [reply.finish_reason == "error" for reply in greedy] == [False, True, False]
    assert greedy[1].problems == ("context_exceeded",)
    assert outcome.figures["unanswered"] >= 1


def test_questions_that_are_too_long_do_not_end_an_asking_case(loaded):
    rows = [Row("길" * 600, ""), Row("길" * 601, ""), Row("안녕?", "")]
    log = MemoryLog()
    with pytest.raises(asking.Unanswered, match="1 of 3 questions answered; The prompt has"):
        worked("ask", replace(loaded), Contract(max_new_tokens=5), log, prompts=rows)
    assert [reply.problems[:1] for reply in log.replies[:2]] == [("context_exceeded",)] * 2
