"""Servers that answer in another form than was asked for, or refuse a field of the request."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

pytest.importorskip("openai")

from model_registry.backends.backend import Answer, GenerationSettings, conversation
from model_registry.backends.openai_compatible import OpenAIBackend
from model_registry.backends.remote.endpoint import Endpoint, read_endpoint
from model_registry.backends.remote.failures import AskError
from model_registry.candidate import Candidate, License
from tests.support.fake_servers import (
    ANSWER,
    DONE,
    STREAM_HEAD,
    Behaviour,
    Faulty,
    answers,
    chunk,
    event,
    piece,
    refusal,
    says,
)

QUESTION = conversation("안녕?")
SETTINGS = GenerationSettings(max_new_tokens=16)
END = b"0\r\n\r\n"


def backend_for(url: str, **more: Any) -> OpenAIBackend:
    return OpenAIBackend(Endpoint(url, "fake", **{"retry_seconds": 0.01, "retries": 1} | more))


def ask(server: Faulty, settings: GenerationSettings = SETTINGS) -> Answer:
    return backend_for(server.url).reply(QUESTION, settings)


def failure(server: Faulty) -> AskError:
    with pytest.raises(AskError) as caught:
        ask(server)
    return caught.value


def streamed(*pieces: str, end: bytes) -> bytes:
    return STREAM_HEAD + b"".join(chunk(piece(text)) for text in pieces) + end


def whole(body: str, kind: str = "application/json", code: int = 200) -> bytes:
    data = body.encode()
    head = f"HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def completion(**message: Any) -> str:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return json.dumps({"object": "chat.completion", "choices": [choice],
                       "usage": {"completion_tokens": 4}}, ensure_ascii=False)  # fmt: skip


# --- The end of a stream -----------------------------------------------------------------------


@pytest.mark.parametrize("done", [DONE, b"data:[DONE]\n\n", b"data: [DONE]"])
def test_a_stream_that_ends_in_done_without_a_reason_is_an_answer(done: bytes) -> None:
    with Faulty(says(streamed(*ANSWER, end=chunk(done) + END))) as server:
        answer = ask(server)
    assert (answer.text, answer.finish_reason) == ("".join(ANSWER), "stop")
    assert answer.problems == ()


def test_a_stream_without_a_reason_that_reached_the_limit_ended_by_length() -> None:
    counted = chunk(event(None, usage={"completion_tokens": 16}))
    with Faulty(says(streamed(*ANSWER, end=counted + chunk(DONE) + END))) as server:
        answer = ask(server)
    assert (answer.finish_reason, answer.problems) == ("length", ("truncated",))


def test_a_stream_without_done_and_without_a_reason_is_still_broken() -> None:
    with Faulty(says(streamed(*ANSWER, end=END))) as server:
        assert "in the middle of an answer" in str(failure(server))


def test_done_inside_the_answer_s_own_text_is_no_end() -> None:
    with Faulty(says(streamed("data: [DONE]\n", "아직", end=END))) as server:
        assert "in the middle of an answer" in str(failure(server))


# --- Other forms than were asked for -------------------------------------------------------------


def test_a_json_body_where_a_stream_was_asked_for_is_read() -> None:
    with Faulty(says(whole(completion(content="안녕하세요")))) as server:
        answer = ask(server)
    assert (answer.text, answer.finish_reason, answer.new_tokens) == ("안녕하세요", "stop", 4)
    assert answer.first_token_seconds is None  # it came in one piece
    assert answer.seconds is not None


def test_a_json_body_with_content_parts_is_read() -> None:
    parts = [{"type": "text", "text": "안녕"}, {"type": "text", "text": "하세요"}]
    with Faulty(says(whole(completion(content=parts)))) as server:
        assert ask(server).text == "안녕하세요"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "the model crashed"}}', "the model crashed"),
        ('{"choices": []}', "no chat completion"),
        ('["no", "object"]', "no chat completion"),
        ('{"choices": [', "no chat completion"),
        ('{"choices": ["text"]}', "no chat completion"),
    ],
)
def test_a_json_body_that_is_no_completion_is_one_clear_line(body: str, words: str) -> None:
    with Faulty(says(whole(body))) as server:
        error = failure(server)
    assert error.status == "error" and words in str(error)


@pytest.mark.parametrize("code", [200, 404])
def test_an_html_page_says_that_the_address_is_wrong(code: int) -> None:
    page = whole("<!doctype html><title>Welcome to nginx</title>", "text/html; charset=utf-8", code)
    with Faulty(says(page)) as server:
        error = failure(server)
    assert error.status == "error" and error.fatal
    assert "an HTML page" in str(error) and "base_url" in str(error)
    assert "<" not in str(error)


def test_a_base_url_without_v1_is_told_what_is_missing() -> None:
    with Faulty(says(refusal(404, "Not Found"))) as server:
        with pytest.raises(AskError, match="usually ends in /v1") as caught:
            backend_for(server.url.removesuffix("/v1")).reply(QUESTION, SETTINGS)
        assert caught.value.fatal
        assert "/v1" not in str(failure(server))  # this one has it: the model is asked about


# --- Fields that a server refuses ----------------------------------------------------------------


def refuses(field: str, said: str, code: int = 400, param: str | None = None) -> Behaviour:
    """Refuse every request that holds a field, in the words of some server; else answer."""

    def behave(server: Faulty, connection: socket.socket, headers: dict, body: dict) -> None:
        if field not in body:
            answers()(server, connection, headers, body)
            return
        document = {"error": {"message": said, "param": param}}
        connection.sendall(whole(json.dumps(document), code=code))

    return behave


@pytest.mark.parametrize(
    ("field", "said", "code", "param"),
    [
        ("stream_options", "Unrecognized request argument supplied: stream_options", 400, None),
        ("seed", "Extra inputs are not permitted: ('body', 'seed')", 422, None),
        ("seed", "Unsupported parameter.", 400, "seed"),
        ("temperature", "'temperature' does not support 0.0 with this model.", 400, None),
        ("temperature", "`temperature` (=0.0) has to be a strictly positive float", 422, None),
        (
            "max_tokens",
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            400,
            None,
        ),
    ],
)
def test_a_refused_field_is_left_out_and_said(
    field: str, said: str, code: int, param: str | None
) -> None:
    with Faulty(refuses(field, said, code, param)) as server:
        backend = backend_for(server.url)
        first, second = (backend.reply(QUESTION, SETTINGS) for _ in range(2))
        assert [field in body for body in server.bodies] == [True, False, False]
        limits = [b.get("max_tokens") or b.get("max_completion_tokens") for b in server.bodies]
        assert limits == [16, 16, 16]
    assert first.text == "".join(ANSWER)
    assert first.problems == second.problems == (f"asked without {field}",)


def test_several_refused_fields_are_left_out_one_after_the_other() -> None:
    def behave(server: Faulty, connection: socket.socket, headers: dict, body: dict) -> None:
        for field in ("seed", "stream_options", "temperature"):
            if field in body:
                connection.sendall(refusal(400, f"unknown field {field}"))
                return
        answers()(server, connection, headers, body)

    with Faulty(behave) as server:
        answer = ask(server)
        assert len(server.bodies) == 4
    assert set(answer.problems) == {
        "asked without seed", "asked without stream_options", "asked without temperature",
    }  # fmt: skip


def test_a_server_that_refuses_a_field_it_was_not_sent_is_asked_once() -> None:
    with Faulty(says(refusal(400, "top_p must be below 1"))) as server:
        error = failure(server)  # greedily no top_p is sent
        assert len(server.bodies) == 1
    assert "top_p must be below 1" in str(error)


def test_a_server_that_goes_on_refusing_is_not_asked_for_ever() -> None:
    with Faulty(says(refusal(400, "seed, temperature, stream_options, max_tokens"))) as server:
        error = failure(server)
        assert len(server.bodies) <= 6
    assert error.status == "error" and error.fatal


# --- The server's context ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 2048 tokens. However, you requested 2100 tokens "
        "(2084 in the messages, 16 in the completion). Please reduce the length of max_tokens.",
        "the request exceeds the available context size, try increasing it",
        "`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2084 `inputs` tokens",
        "Prompt too long: context_length_exceeded",
    ],
)
def test_a_question_longer_than_the_server_s_context_says_so(said: str) -> None:
    with Faulty(says(refusal(400, said))) as server:
        error = failure(server)
        assert len(server.bodies) == 1  # no field is to blame
    assert error.status == "error" and "longer than its context" in str(error)
    assert "a model that it serves" not in str(error)
    assert not error.fatal  # a shorter question may be answered


# --- Keys ----------------------------------------------------------------------------------------


def test_a_wrong_key_names_the_variable_and_no_login_at_a_hub(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_SERVER_KEY", "sk-wrong-0123456789")
    with Faulty(says(refusal(401, "Incorrect API key provided"))) as server:
        served = Candidate(
            "served", License("Apache-2.0", "yes"), backend="openai",
            endpoint={"base_url": server.url, "model": "m", "api_key_env": "MY_SERVER_KEY"},
        )  # fmt: skip
        with pytest.raises(AskError, match="set MY_SERVER_KEY to one that it accepts") as caught:
            OpenAIBackend(read_endpoint(served)).reply(QUESTION, SETTINGS)
    assert caught.value.status == "gated"


def test_a_server_that_wants_a_key_where_none_is_sent_says_how_to_name_one() -> None:
    with Faulty(says(refusal(401, "No API key"))) as server:
        assert "api_key_env" in str(failure(server))
