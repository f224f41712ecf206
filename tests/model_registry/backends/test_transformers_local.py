"""Answers from a local model: the same tokens however batched, and nothing drawn twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model_registry.backends import transformers_local
from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.local_answer import to_answer
from model_registry.backends.local_generation import generate_ids
from model_registry.backends.sampling import of_prompt
from model_registry.backends.transformers_local import (
    Question,
    TransformersBackend,
    answer_batch,
    answer_many,
    answer_one,
    batching_of,
)
from model_registry.prompting.tokenization import prompt_ids
from model_registry.weights.loading import LoadedModel, load
from tests.model_registry.backends.in_step import InStep
from tests.support.tiny_models import tiny_candidate

QUESTIONS = ["뭐?", "안녕? 잘 지내?", "a", "오늘 날씨가 참 좋다, 그렇지 않니?", "밥?", "물?", "?"]
CONVERSATIONS = [conversation(question) for question in QUESTIONS]
GREEDY = GenerationSettings(max_new_tokens=12)
SAMPLED = GenerationSettings(max_new_tokens=12, temperature=1.0, top_p=0.9, seed=3)


@pytest.fixture(scope="module", params=["llama", "gpt_neox", "rwkv"])
def loaded(request, tiny_model_of) -> LoadedModel:
    return load(tiny_candidate(tiny_model_of(request.param)))


@pytest.fixture(scope="module")
def llama(tiny_model) -> LoadedModel:
    return load(tiny_candidate(tiny_model))


def encoded(loaded: LoadedModel) -> list[list[int]]:
    policy = loaded.candidate.prompting
    return [prompt_ids(policy, loaded.tokenizer, messages) for messages in CONVERSATIONS]


def test_a_batch_gives_the_same_greedy_tokens_as_one_by_one(loaded):
    answers = answer_batch(loaded, CONVERSATIONS, GREEDY)
    singles = [answer_one(loaded, messages, GREEDY) for messages in CONVERSATIONS]
    assert [a.text for a in answers] == [a.text for a in singles]
    assert [a.new_tokens for a in answers] == [a.new_tokens for a in singles]


def test_how_many_answers_are_made_at_once_is_told(loaded, monkeypatch):
    assert batching_of(loaded) == "continuous"
    monkeypatch.setattr(transformers_local, "reader_of", lambda *_: None)
    assert batching_of(loaded) == "sorted"


def test_in_sorted_batches_answers_are_those_of_one_by_one(llama, monkeypatch):
    monkeypatch.setattr(transformers_local, "reader_of", lambda *_: None)
    for settings in (GREEDY, SAMPLED):
        answers = answer_batch(llama, CONVERSATIONS, settings, slots=3)
        singles = [
            answer_one(llama, messages, of_prompt(settings, number))
            for number, messages in enumerate(CONVERSATIONS)
        ]
        assert [a.text for a in answers] == [a.text for a in singles]


def test_sampled_answers_are_those_of_one_by_one(llama):
    answers = answer_batch(llama, CONVERSATIONS, SAMPLED)
    assert [a.text for a in answers] == [
        answer_one(llama, messages, of_prompt(SAMPLED, number)).text
        for number, messages in enumerate(CONVERSATIONS)
    ]


def test_answers_come_in_the_order_of_the_questions(llama):
    small = answer_batch(llama, CONVERSATIONS, GREEDY, slots=2)
    assert [a.text for a in small] == [
        answer_one(llama, messages, GREEDY).text for messages in CONVERSATIONS
    ]


def test_sampled_answers_repeat_under_the_same_seed_and_differ_under_another(llama):
    def drawn(seed: int) -> list[str]:
        settings = GenerationSettings(12, temperature=1.0, top_p=0.9, seed=seed)
        return [answer.text for answer in answer_batch(llama, CONVERSATIONS, settings)]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


def test_what_was_drawn_before_changes_nothing(llama):
    import torch

    first = answer_one(llama, CONVERSATIONS[0], SAMPLED).text
    torch.manual_seed(99)
    torch.randn(7)
    assert answer_one(llama, CONVERSATIONS[0], SAMPLED).text == first


def test_answering_leaves_the_callers_random_state_alone(llama):
    import torch

    torch.manual_seed(5)
    wanted = torch.randn(3)
    torch.manual_seed(5)
    answer_one(llama, CONVERSATIONS[0], SAMPLED)
    assert torch.equal(torch.randn(3), wanted)


def test_the_same_question_in_two_batches_draws_two_answers(llama):
    same = [conversation("뭐?")] * 6
    answers = answer_batch(llama, same, SAMPLED, slots=3)
    assert len({answer.text for answer in answers}) > 1


def test_an_answer_that_ends_by_itself_is_told_from_one_cut_off(llama):
    end = llama.end_ids[0]
    stopped = to_answer(llama, [70, 71, end])
    cut = to_answer(llama, [70, 71])
    assert (stopped.finish_reason, stopped.problems, stopped.new_tokens) == ("stop", (), 3)
    assert (cut.finish_reason, cut.problems) == ("length", ("truncated",))


def test_nothing_after_the_end_token_is_kept(llama, monkeypatch):
    """In a batch `generate` goes on padding answers that have ended."""
    import torch

    end = llama.end_ids[0]

    def generate(input_ids, **_):
        tail = torch.tensor([[70, end, 72, end], [70, 71, 72, 73]])
        return torch.cat([input_ids, tail], dim=1)

    monkeypatch.setattr(llama.model, "generate", generate)
    assert generate_ids(llama, [[5], [6]], GREEDY) == [[70, end], [70, 71, 72, 73]]


def test_a_models_own_generation_config_does_not_change_its_answers(llama):
    """A repetition penalty or a top-k that one candidate ships would make it sample otherwise."""
    plain = answer_one(llama, CONVERSATIONS[3], SAMPLED).text
    greedy = answer_one(llama, CONVERSATIONS[3], GREEDY).text
    config = llama.model.generation_config
    before = config.to_dict()
    config.update(repetition_penalty=1.8, top_k=2, do_sample=True, no_repeat_ngram_size=2)
    try:
        assert answer_one(llama, CONVERSATIONS[3], SAMPLED).text == plain
        assert answer_one(llama, CONVERSATIONS[3], GREEDY).text == greedy
        assert llama.model.generation_config is config
    finally:
        config.update(**before)


def test_the_first_token_is_timed_within_the_whole(llama):
    answer = answer_one(llama, CONVERSATIONS[0], GREEDY)
    assert 0 < answer.first_token_seconds < answer.seconds


def test_a_batch_tells_no_times_because_they_would_be_the_batchs(llama):
    assert {a.seconds for a in answer_batch(llama, CONVERSATIONS, GREEDY)} == {None}


def test_a_stream_gives_the_text_of_the_reply_piece_by_piece(llama, monkeypatch):
    monkeypatch.setattr(transformers_local, "Queue", InStep)
    backend = TransformersBackend(llama)
    pieces = []
    stream = backend.stream(CONVERSATIONS[1], SAMPLED)
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as end:
        answer = end.value
    assert answer.text == backend.reply(CONVERSATIONS[1], SAMPLED).text
    assert len(pieces) > 1
    assert "".join(pieces).strip() == answer.text
    assert answer.first_token_seconds <= answer.seconds


def test_closing_a_stream_stops_the_work(llama, monkeypatch):
    made: list[object] = []

    whole = TransformersBackend._generate_into

    def generate_into(backend, pieces, halt, ids, settings) -> None:
        class Told:
            def put(self, piece) -> None:
                pieces.put(piece)
                made.append(piece)
                if len(made) == 20:
                    assert halt.wait(60)  # or it might be done before the reader's turn comes

        whole(backend, Told(), halt, ids, settings)

    monkeypatch.setattr(TransformersBackend, "_generate_into", generate_into)
    backend = TransformersBackend(llama)
    long = replace(SAMPLED, max_new_tokens=400)
    stream = backend.stream(CONVERSATIONS[0], long)
    next(stream)
    stream.close()
    tokens = backend.reply(CONVERSATIONS[0], long).new_tokens
    assert len(made) < 40 < tokens


def test_an_error_in_a_stream_reaches_the_reader(llama, monkeypatch):
    def fail(**_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(llama.model, "generate", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(TransformersBackend(llama).stream(CONVERSATIONS[0], GREEDY))


def test_sampling_keeps_to_the_likeliest_tokens_that_top_p_allows(llama):
    def drawn(top_p: float, temperature: float = 2.0) -> list[str]:
        settings = GenerationSettings(12, temperature=temperature, top_p=top_p, seed=5)
        return [answer.text for answer in answer_batch(llama, CONVERSATIONS, settings)]

    greedy = [answer.text for answer in answer_batch(llama, CONVERSATIONS, GREEDY)]
    assert drawn(1e-6) == greedy  # nothing but the likeliest is left
    assert drawn(1.0) != greedy
    assert drawn(1.0, temperature=0.001) == greedy


def test_sampling_draws_from_all_tokens_that_top_p_allows(llama):
    """At such a temperature all are as likely: no top-k of some library keeps to 50."""
    settings = GenerationSettings(1, temperature=1e4, top_p=1.0, seed=5)
    each = [of_prompt(settings, number) for number in range(300)]
    drawn = generate_ids(llama, [encoded(llama)[0]] * 300, settings, each=each)
    assert len({ids[0] for ids in drawn}) > 120


@pytest.mark.parametrize("batching", ["continuous", "sorted"])
def test_prompts_that_are_too_long_count_as_ended(llama, monkeypatch, batching):
    if batching == "sorted":
        monkeypatch.setattr(transformers_local, "reader_of", lambda *_: None)
    long = conversation("길" * 2_000)
    questions = [Question(asked, GREEDY) for asked in (long, *CONVERSATIONS[:3], long)]
    told: list[int] = []
    answers = answer_many(llama, questions, ended=told.append)
    assert [bool(answer.new_tokens) for answer in answers] == [False, True, True, True, False]
    assert told == sorted(told) and told[-1] == 5
    told.clear()
    answer_many(llama, questions[:1], ended=told.append)
    assert told == [1]
