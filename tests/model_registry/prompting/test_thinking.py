"""What a model thinks before it answers is no part of its answer, wherever that comes from."""

from __future__ import annotations

import csv
import json

import pytest
import torch

from benchmarks.study.contract import Contract
from benchmarks.workloads.log import MemoryLog
from evaluators.csv_scoring import score_csv
from model_registry.backends import transformers_local
from model_registry.backends.backend import (
    Answer,
    GenerationSettings,
    conversation,
    with_thinking_apart,
)
from model_registry.backends.local_answer import to_answer
from model_registry.backends.transformers_local import TransformersBackend, answer_one
from model_registry.candidate import PromptPolicy
from model_registry.prompting.thinking import VisibleReply, split_thinking
from model_registry.weights.loading import LoadedModel
from rows.row import Row
from tests.model_registry.backends.test_server_answers import ask
from tests.support.chat_templates import QWEN3, R1, tokenizer_with
from tests.support.fake_servers import DONE, STREAM_HEAD, Faulty, chunk, event, says
from tests.support.small_study import worked
from tests.support.tiny_models import make_tiny_model, tiny_candidate

SETTINGS = GenerationSettings(max_new_tokens=200)
ANSWER = "네, 반갑습니다. 오늘은 날씨가 참 좋네요!"
FORMS = {
    "both tags": f"<think>\n인사다. 반갑게 답하자.\n</think>\n\n{ANSWER}",
    "only the closing one": f"인사다. 반갑게 답하자.\n</think>\n\n{ANSWER}",
    "an empty block": f"<think>\n\n</think>\n\n{ANSWER}",
    "none": ANSWER,
}


@pytest.mark.parametrize("reply", FORMS.values(), ids=FORMS)
def test_the_answer_is_what_stands_behind_the_thinking(reply):
    assert split_thinking(reply).answer == ANSWER


@pytest.mark.parametrize("reply", ["<think>\n음, 이건", "<think>", "  <think>음"])
def test_a_reply_that_broke_off_inside_its_thinking_is_no_answer(reply):
    assert (split_thinking(reply).answer, split_thinking(reply).ended) == ("", False)
    assert with_thinking_apart(Answer(reply, 9, "length", problems=("truncated",))).problems == (
        "truncated", "no_answer",
    )  # fmt: skip


def test_a_prompt_that_opened_the_block_makes_a_reply_without_tags_thinking():
    assert split_thinking("음, 인사구나", begun=True).answer == ""


@pytest.mark.parametrize("text", ["a < b", "<b>굵게</b>", "1<2 그리고 3>2", "<thinker>"])
def test_other_text_is_left_as_it_is(text):
    assert split_thinking(text).answer == text


@pytest.mark.parametrize("form", ["both tags", "an empty block", "none"])
def test_what_is_shown_of_a_growing_reply_is_its_answer_only(form):
    reply, shown = FORMS[form], VisibleReply()
    pieces = [shown.more(reply[:end]) for end in range(1, len(reply) + 1)]
    assert "".join(pieces) + shown.more(reply, last=True) == ANSWER


def test_a_text_that_only_began_like_a_tag_is_shown_in_the_end():
    shown = VisibleReply()
    assert shown.more("1 <thi") == "1 "
    assert shown.more("1 <thi", last=True) == "<thi"


def speak(loaded: LoadedModel, text: str, *, ends: bool = True) -> LoadedModel:
    """Make the model say this, whatever it is asked."""
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    ids = [*ids, loaded.tokenizer.convert_tokens_to_ids("<|im_end|>")] if ends else ids

    def generate(input_ids, streamer=None, stopping_criteria=(), **_):
        if streamer is not None:
            streamer.put(input_ids)
        for count in range(1, len(ids) + 1):
            told = torch.cat([input_ids, torch.tensor([ids[:count]] * len(input_ids))], dim=1)
            for criterion in stopping_criteria:
                criterion(told, None)
            if streamer is not None:
                streamer.put(torch.tensor(ids[count - 1 : count]))
        return told

    loaded.model.generate = generate
    return loaded


@pytest.fixture
def thinker(tmp_path):
    """A model with the tokenizer of one that thinks."""
    from model_registry.weights.loading import load

    loaded = load(tiny_candidate(make_tiny_model(tmp_path)))
    loaded.tokenizer = tokenizer_with(QWEN3)
    loaded.end_ids = (loaded.tokenizer.convert_tokens_to_ids("<|im_end|>"),)
    return loaded


def test_a_local_model_s_thinking_is_kept_apart_and_counted(thinker):
    speak(thinker, FORMS["both tags"])
    answer = answer_one(thinker, conversation("안녕?"), SETTINGS)
    assert (answer.text, answer.thinking) == (ANSWER, "인사다. 반갑게 답하자.")
    thought = FORMS["both tags"].partition("\n\n")[0]
    assert answer.thinking_tokens == len(thinker.tokenizer(thought)["input_ids"]) - 1  # its <bos>
    assert answer.new_tokens > answer.thinking_tokens
    assert 0 < answer.thinking_seconds < answer.seconds
    assert answer.problems == ()


def test_thinking_is_counted_and_timed_to_the_end_of_its_last_block(thinker):
    thought, answer = "<think>하나</think>음 <think>둘</think>", "반가워!"
    tokens = thinker.tokenizer
    ids, whole = (
        tokens(text, add_special_tokens=False)["input_ids"] for text in (thought, thought + answer)
    )
    times = [float(n * n) for n in range(len(whole) + 1)]
    said = to_answer(thinker, [*whole, *thinker.end_ids], 1.0, token_seconds=times)
    assert said.text == f"음 {answer}"
    assert said.thinking_tokens == len(ids)
    assert said.thinking_seconds == times[len(ids) - 1]
    assert said.new_tokens == len(whole) + 1


def test_tags_that_are_special_tokens_are_seen_all_the_same(thinker):
    thinker.tokenizer.add_special_tokens({"extra_special_tokens": ["<think>", "</think>"]})
    speak(thinker, FORMS["both tags"])
    assert answer_one(thinker, conversation("안녕?"), SETTINGS).text == ANSWER


def test_a_stream_shows_the_answer_and_nothing_of_the_thinking(thinker):
    speak(thinker, FORMS["both tags"])
    pieces = list(TransformersBackend(thinker).stream(conversation("안녕?"), SETTINGS))
    assert "".join(pieces) == ANSWER


def test_a_reply_that_was_cut_while_it_thought_says_so(thinker):
    speak(thinker, "<think>\n인사다", ends=False)
    answer = answer_one(thinker, conversation("안녕?"), SETTINGS)
    assert (answer.text, answer.thinking) == ("", "인사다")
    assert answer.problems == ("truncated", "no_answer")
    assert answer.thinking_tokens == answer.new_tokens


def test_the_block_that_a_prompt_opened_is_known_to_be_open(thinker):
    thinker.tokenizer = tokenizer_with(R1)
    thinker.candidate = tiny_candidate(
        "unused", prompting=PromptPolicy("chat", thinking="template")
    )
    speak(thinker, "인사다", ends=False)
    answer = answer_one(thinker, conversation("안녕?"), SETTINGS)
    assert (answer.text, answer.thinking) == ("", "인사다")
    assert list(TransformersBackend(thinker).stream(conversation("안녕?"), SETTINGS)) == []


def test_an_end_token_that_is_not_special_is_no_part_of_the_text(thinker):
    end = thinker.tokenizer.convert_tokens_to_ids("<end_of_turn>")
    thinker.end_ids = (end,)
    speak(thinker, f"{ANSWER}<end_of_turn>", ends=False)
    assert answer_one(thinker, conversation("안녕?"), SETTINGS).text == ANSWER
    assert "".join(TransformersBackend(thinker).stream(conversation("안녕?"), SETTINGS)) == ANSWER


def test_a_run_keeps_the_thinking_beside_the_reply(thinker, monkeypatch):
    speak(thinker, FORMS["both tags"])
    # What it says is put in place of `generate`, which continuous batching does without.
    monkeypatch.setattr(transformers_local, "reader_of", lambda *_: None)
    log = MemoryLog()
    outcome = worked("inference", thinker, Contract(samples=0), log, prompts=[Row("안녕?", "")])
    assert {(r.reply, r.thinking) for r in log.replies} == {(ANSWER, "인사다. 반갑게 답하자.")}
    assert outcome.figures["thinking_tokens"] == sum(r.thinking_tokens or 0 for r in log.replies)
    for reply in log.replies:
        assert 0 < (reply.thinking_tokens or 0) < (reply.new_tokens or 0)


class Plugin:
    """A backend of somebody's own, which hands over what its model wrote."""

    def reply(self, messages, settings):
        return Answer(FORMS["both tags"], 40, "stop", 1.0)

    def close(self): ...


def test_thinking_is_taken_off_what_any_backend_answers():
    log = MemoryLog()
    worked("ask", Plugin(), Contract(warm_up=0), log, prompts=[Row("안녕?", "")])
    assert (log.replies[0].reply, log.replies[0].thinking) == (ANSWER, "인사다. 반갑게 답하자.")


@pytest.mark.parametrize("form", FORMS)
def test_scores_are_the_same_with_and_without_thinking(form, tmp_path):
    def mean(name: str, replies: list[str]) -> float:
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["prompt", "reply"])
            rows.writerows(zip(["안녕?", "날씨 어때?", "뭐 해?"], replies, strict=True))
        return score_csv(path)["mean"]["quality"]  # type: ignore[return-value]

    answers = [ANSWER, "오늘은 맑고 따뜻해서 걷기 좋아요.", "저는 책을 읽고 있었어요."]
    thought = [FORMS[form].replace(ANSWER, answer) for answer in answers]
    assert abs(mean("plain.csv", answers) - mean("thought.csv", thought)) <= 0.02


def delta(**fields) -> bytes:
    return chunk(event({"index": 0, "delta": fields, "finish_reason": None}))


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_server_that_sends_its_reasoning_apart_has_it_kept_apart(field):
    sent = STREAM_HEAD + delta(**{field: "인사"}) + delta(**{field: "다"}) + delta(content="네!")
    with Faulty(says(sent + chunk(DONE) + b"0\r\n\r\n")) as server:
        answer = ask(server)
    assert (answer.text, answer.thinking, answer.problems) == ("네!", "인사다", ())
    assert 0 <= answer.thinking_seconds <= answer.seconds


class Counts:
    """A backend whose server counts what its model thought."""

    def reply(self, messages, settings):
        return Answer(ANSWER, 40, "stop", 1.0, thinking="음", thinking_tokens=7)

    def close(self): ...


def test_what_a_server_counts_as_thinking_stands_beside_the_reply():
    log = MemoryLog()
    worked("ask", Counts(), Contract(warm_up=0), log, prompts=[Row("안녕?", "")])
    assert (log.replies[0].thinking_tokens, log.replies[0].new_tokens) == (7, 40)
    usage = {"completion_tokens": 40, "completion_tokens_details": {"reasoning_tokens": 7}}
    end = chunk(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
    sent = STREAM_HEAD + delta(reasoning_content="음") + delta(content="네!") + end
    with Faulty(says(sent + chunk(DONE) + b"0\r\n\r\n")) as server:
        answer = ask(server)
    assert (answer.thinking_tokens, answer.new_tokens) == (7, 40)


def test_a_server_that_only_reasons_gave_no_answer_and_says_so():
    sent = STREAM_HEAD + delta(reasoning_content="음") + chunk(DONE) + b"0\r\n\r\n"
    with Faulty(says(sent)) as server:
        answer = ask(server)
    assert (answer.text, answer.thinking, answer.problems) == ("", "음", ("no_answer",))


@pytest.mark.parametrize("form", ["both tags", "only the closing one"])
def test_tags_that_a_server_sends_along_are_taken_off(form):
    sent = b"".join(delta(content=letter) for letter in FORMS[form])
    with Faulty(says(STREAM_HEAD + sent + chunk(DONE) + b"0\r\n\r\n")) as server:
        answer = ask(server)
    assert (answer.text, answer.thinking) == (ANSWER, "인사다. 반갑게 답하자.")


def test_the_page_ends_with_the_answer_though_it_began_with_thinking():
    from model_registry.backends.partial_answers import text_so_far

    def pieces():
        yield "인사다"
        return Answer(ANSWER, 9, "stop")

    assert list(text_so_far(pieces()))[-1] == ANSWER
