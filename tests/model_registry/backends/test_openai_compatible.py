"""The client of OpenAI-compatible servers: what it sends, what it survives, what it never shows."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("openai")

from model_registry.backends.backend import (
    Answer,
    GenerationSettings,
    collect_answer,
    conversation,
)
from model_registry.backends.openai_compatible import OpenAIBackend
from model_registry.backends.remote.endpoint import (
    MASK,
    Endpoint,
    StreamMask,
    missing_settings,
    read_endpoint,
)
from model_registry.backends.remote.failures import AskError
from model_registry.backends.remote.retries import with_retries
from model_registry.candidate import Candidate, License
from model_registry.errors import LoadError, OhloraError
from tests.support.fake_servers import (
    ANSWER,
    DONE,
    LAST,
    STREAM_HEAD,
    Faulty,
    answers,
    chunk,
    drips,
    drips_headers,
    endless,
    event,
    free_port,
    in_turn,
    piece,
    refusal,
    running,
    says,
    stalls,
    usage,
)

KEY = "sk-test-1234567890abcdef"
QUESTION = conversation("안녕?", system="짧게 답해.")
SETTINGS = GenerationSettings(max_new_tokens=16)
# A server of a test answers at once, and on a crowded machine after a while.
PATIENT: dict[str, Any] = {"stall_timeout": 60.0, "timeout": 120.0, "retry_seconds": 0.01}
STALL = 2.0  # seconds: long enough to take what a server has sent before it stalls
FREE = License("Apache-2.0", "yes")


def ask(server: Faulty, settings: GenerationSettings = SETTINGS, **limits: Any) -> Answer:
    backend = OpenAIBackend(Endpoint(server.url, "fake", KEY, **{**PATIENT, **limits}))
    return backend.reply(QUESTION, settings)


def failure(server: Faulty, **limits: Any) -> AskError:
    with pytest.raises(AskError) as caught:
        ask(server, **limits)
    assert KEY not in str(caught.value) and KEY not in repr(caught.value.answer)
    return caught.value


# --- What is sent and what comes back ----------------------------------------------------------


def test_an_answer_has_its_text_tokens_reason_and_three_times() -> None:
    taken = threading.Event()

    def behave(server: Faulty, connection: socket.socket, headers: dict, body: dict) -> None:
        time.sleep(0.02)
        connection.sendall(STREAM_HEAD + chunk(piece(ANSWER[0])))
        assert taken.wait(60)
        time.sleep(0.08)
        rest = [*map(piece, ANSWER[1:]), LAST, usage(6), DONE]
        connection.sendall(b"".join(map(chunk, rest)) + b"0\r\n\r\n")

    with Faulty(behave) as server:
        stream = OpenAIBackend(Endpoint(server.url, "fake")).stream(QUESTION, SETTINGS)
        assert next(stream) == ANSWER[0]
        taken.set()
        answer = collect_answer(stream)
    assert answer.text == "".join(ANSWER)
    assert (answer.new_tokens, answer.finish_reason, answer.problems) == (6, "stop", ())
    assert answer.connect_seconds is not None and answer.first_token_seconds is not None
    assert 0 < answer.connect_seconds < answer.first_token_seconds > 0.02
    assert answer.seconds is not None and answer.seconds > answer.first_token_seconds + 0.08


def test_a_stream_gives_the_pieces_as_they_come() -> None:
    with Faulty(answers()) as server:
        stream = OpenAIBackend(Endpoint(server.url, "fake")).stream(QUESTION, SETTINGS)
        assert list(stream) == ANSWER


def test_closing_a_stream_closes_the_connection() -> None:
    with Faulty(endless) as server:
        stream = OpenAIBackend(Endpoint(server.url, "fake")).stream(QUESTION, SETTINGS)
        assert next(stream) == "가"
        stream.close()
        assert server.cut.wait(60)


def test_the_system_text_the_model_and_greedy_settings_are_sent() -> None:
    with Faulty(answers()) as server:
        ask(server)
    assert server.bodies == [
        {
            "messages": [
                {"role": "system", "content": "짧게 답해."},
                {"role": "user", "content": "안녕?"},
            ],
            "model": "fake",
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 16,
            "temperature": 0.0,
            "seed": 0,
        }
    ]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_an_account_at_openai_is_told_to_openai_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library reads these variables by itself, whatever server is asked."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    with Faulty(answers()) as server:
        OpenAIBackend(Endpoint(server.url, "fake")).reply(QUESTION, SETTINGS)
        ask(server)
    sent = [" ".join(headers.values()) for headers in server.headers]
    for secret in ("org-secret", "proj-secret", "sk-of-somebody-else"):
        assert secret not in sent[0] and secret not in sent[1]
    assert KEY in sent[1] and KEY not in sent[0]
    theirs = OpenAIBackend(Endpoint("https://api.openai.com/v1", "gpt", KEY))
    assert theirs._client.organization == "org-secret"


def test_sampling_sends_top_p_and_a_reasoning_model_gets_neither_of_them() -> None:
    sampled = GenerationSettings(16, temperature=0.7, top_p=0.9, seed=3)
    with Faulty(answers()) as server:
        ask(server, sampled)
        ask(server, sampled, dialect="reasoning")
    first, second = server.bodies
    assert (first["temperature"], first["top_p"], first["seed"]) == (0.7, 0.9, 3)
    assert second["max_completion_tokens"] == 16
    assert not {"temperature", "top_p", "seed", "max_tokens"} & set(second)


def test_an_answer_that_reached_the_limit_is_truncated() -> None:
    cut = event({"index": 0, "delta": {}, "finish_reason": "length"})
    data = STREAM_HEAD + chunk(piece("가나다")) + chunk(cut) + chunk(DONE) + b"0\r\n\r\n"
    with Faulty(says(data)) as server:
        answer = ask(server)
    assert (answer.finish_reason, answer.problems) == ("length", ("truncated",))
    assert answer.new_tokens is None  # it was not told


def test_an_empty_answer_is_an_answer_with_a_problem() -> None:
    with Faulty(says(STREAM_HEAD + chunk(LAST) + chunk(DONE) + b"0\r\n\r\n")) as server:
        answer = ask(server)
    assert (answer.text, answer.finish_reason, answer.problems) == ("", "stop", ("empty",))
    assert answer.first_token_seconds is None


def test_a_syllable_cut_in_two_events_is_joined() -> None:
    syllable = "각".encode()
    halves = [
        piece("@").replace(b"@", part) for part in (b"\xec\x95\x88" + syllable[:1], syllable[1:])
    ]
    data = b"".join(chunk(each) for each in [*halves, LAST, DONE]) + b"0\r\n\r\n"
    with Faulty(says(STREAM_HEAD + data)) as server:
        stream = OpenAIBackend(Endpoint(server.url, "fake")).stream(QUESTION, SETTINGS)
        assert list(stream) == ["안", "각"]


def test_half_a_syllable_that_never_gets_its_other_half_is_named_as_a_problem() -> None:
    broken = piece("나@").replace(b"@", "각".encode()[:2])
    data = b"".join(chunk(each) for each in [broken, LAST, DONE]) + b"0\r\n\r\n"
    with Faulty(says(STREAM_HEAD + data)) as server:
        answer = ask(server)
    assert answer.text == "나�" and "invalid UTF-8" in answer.problems


# --- Faults ------------------------------------------------------------------------------------


def test_nobody_listening_is_unreachable_at_once() -> None:
    began = time.perf_counter()
    backend = OpenAIBackend(Endpoint(f"http://127.0.0.1:{free_port()}/v1", "fake", KEY))
    with pytest.raises(AskError, match="is the server running") as caught:
        backend.reply(QUESTION, SETTINGS)
    assert caught.value.status == "unreachable" and caught.value.fatal
    assert time.perf_counter() - began < 60


def test_a_server_that_accepts_no_connection_is_unreachable_within_the_timeout() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", "fake", connect_timeout=0.3)
        with pytest.raises(AskError, match="no connection within") as caught:
            OpenAIBackend(endpoint).reply(QUESTION, SETTINGS)
        for filler in fillers:
            filler.close()
    assert caught.value.status == "unreachable"


@pytest.mark.parametrize("after", [0, 3])
def test_a_stall_ends_at_the_stall_timeout_and_keeps_what_came(after: int) -> None:
    with Faulty(stalls(after)) as server:
        error = failure(server, stall_timeout=STALL)
    assert error.status == "timeout" and f"sent nothing for {STALL:g} s" in str(error)
    kept = error.answer.text if error.answer else ""
    assert kept == "".join(ANSWER[:after])


def test_a_stall_timeout_is_kept_though_it_is_what_the_library_would_take_for_none() -> None:
    backend = OpenAIBackend(Endpoint("http://127.0.0.1:9/v1", "fake", stall_timeout=5.0))
    assert backend._client.timeout == backend._http.http.timeout
    backend.close()


@pytest.mark.parametrize("behaviour", [drips, drips_headers])
def test_a_server_that_drips_for_ever_ends_at_the_timeout_of_the_whole(behaviour: Any) -> None:
    began = time.perf_counter()
    with Faulty(behaviour) as server:
        error = failure(server, timeout=0.5)
    assert error.status == "timeout" and 0.4 < time.perf_counter() - began < 60


def test_a_server_killed_in_the_middle_is_unreachable_and_its_words_are_kept() -> None:
    with running("dllama", *ANSWER, "@sleep") as (process, url):
        endpoint = Endpoint(f"{url}/v1", "m", dialect="dllama")
        stream = OpenAIBackend(endpoint).stream(QUESTION, SETTINGS)
        for _ in ANSWER:
            next(stream)
        process.send_signal(signal.SIGKILL)
        with pytest.raises(AskError) as caught:
            next(stream)
    assert caught.value.status == "unreachable"
    assert caught.value.answer is not None
    assert caught.value.answer.text == "".join(ANSWER)
    assert caught.value.answer.finish_reason == "error"


def test_a_stream_that_just_ends_is_no_finished_answer() -> None:
    data = STREAM_HEAD + chunk(piece("반쯤 말하다")) + b"0\r\n\r\n"
    with Faulty(says(data)) as server:
        error = failure(server)
    assert error.status == "unreachable" and "middle of an answer" in str(error)


def test_too_many_requests_are_asked_again_and_the_answer_says_so() -> None:
    busy = says(refusal(429, "slow down", "Retry-After: 0\r\n"))
    with Faulty(in_turn(busy, busy, answers())) as server:
        answer = ask(server)
    assert answer.text == "".join(ANSWER) and answer.problems == ("asked 3 times",)
    assert answer.seconds is not None and answer.seconds < 60


def test_a_server_broken_for_ever_is_asked_a_few_times_only() -> None:
    with Faulty(says(refusal(500, "CUDA error"))) as server:
        error = failure(server, retries=2)
        assert len(server.bodies) == 3
    assert error.status == "error" and "after 3 attempts" in str(error)
    assert "CUDA error" in str(error)


@pytest.mark.parametrize(("code", "status"), [(400, "error"), (404, "error"), (401, "gated")])
def test_what_we_asked_wrongly_is_asked_once(code: int, status: str) -> None:
    with Faulty(says(refusal(code, "no such model: fake"))) as server:
        error = failure(server)
        assert len(server.bodies) == 1
    assert error.status == status and error.fatal
    assert "no such model" in str(error)


def test_waiting_doubles_and_a_server_s_own_wish_is_bounded() -> None:
    from model_registry.backends.remote.failures import ServerRefusal

    waits: list[float] = []
    wishes = iter([None, None, 9000.0])

    def refuse() -> None:
        raise ServerRefusal(503, "busy", next(wishes, None))

    with pytest.raises(AskError) as caught:
        with_retries(refuse, Endpoint("http://x", "m", retries=3), sleep=waits.append)
    assert waits == [0.5, 1.0, 20.0] and caught.value.status == "unreachable"


def test_retries_never_wait_beyond_the_timeout() -> None:
    from model_registry.backends.remote.failures import ServerRefusal

    waits: list[float] = []

    def refuse() -> None:
        raise ServerRefusal(429, "busy", 15.0)

    with pytest.raises(AskError):
        with_retries(refuse, Endpoint("http://x", "m", timeout=10), sleep=waits.append)
    assert waits == []


@pytest.mark.parametrize(
    "data",
    [
        STREAM_HEAD + chunk(b"data: {no json\n\n") + b"0\r\n\r\n",
        STREAM_HEAD + chunk(b'data: {"error": {"message": "CUDA gone"}}\n\n') + b"0\r\n\r\n",
        STREAM_HEAD + chunk(b'data: "just a text"\n\n') + b"0\r\n\r\n",
        b"SMTP ready\r\n",
    ],
)
def test_nonsense_is_a_failure_and_no_crash(data: bytes) -> None:
    with Faulty(says(data)) as server:
        assert failure(server).status in ("error", "unreachable")


# --- Keys --------------------------------------------------------------------------------------


def test_a_key_that_the_server_repeats_is_masked_in_answers_and_errors() -> None:
    with Faulty(answers("너의 키는 ", KEY[:7], KEY[7:], "!")) as server:
        assert ask(server).text == f"너의 키는 {MASK}!"
    with Faulty(says(refusal(401, f"Incorrect API key provided: {KEY}"))) as server:
        assert MASK in str(failure(server))


def test_a_streamed_key_never_shows_even_in_parts() -> None:
    hidden = StreamMask([KEY])
    shown = [hidden.feed(letter) for letter in f"<{KEY}> sk"] + [hidden.finish()]
    assert "".join(shown) == f"<{MASK}> sk"


def test_an_endpoint_shows_neither_key_nor_login_nor_path() -> None:
    endpoint = Endpoint("https://me:pass@host:8443/secret-path/v1", "m", KEY)
    assert repr(endpoint) == "Endpoint(https://host:8443, m)"


def candidate(**endpoint: Any) -> Candidate:
    return Candidate("served", FREE, backend="openai", endpoint=endpoint)


def test_a_key_written_into_a_catalog_is_refused_with_the_cure() -> None:
    with pytest.raises(OhloraError, match="write api_key_env"):
        read_endpoint(candidate(base_url="http://x/v1", model="m", api_key=KEY))


def test_the_environment_gives_address_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = candidate(base_url="http://x/v1", base_url_env="X_URL", api_key_env="X_KEY", model="m")
    assert missing_settings(asked)[0] == "set X_KEY to your key"
    with pytest.raises(LoadError, match="set X_KEY") as caught:
        read_endpoint(asked)
    assert caught.value.status == "unreachable"
    monkeypatch.setenv("X_KEY", f" {KEY} ")
    monkeypatch.setenv("X_URL", "http://y/v1/")
    assert read_endpoint(asked) == Endpoint("http://y/v1", "m", KEY, "X_KEY")


# --- distributed-llama -------------------------------------------------------------------------


def dllama(url: str, settings: GenerationSettings = SETTINGS) -> Answer:
    endpoint = Endpoint(f"{url}/v1", "distributed-llama", dialect="dllama")
    return OpenAIBackend(endpoint).reply(QUESTION, settings)


def test_distributed_llama_answers_again_and_again_and_reads_all_that_is_sent() -> None:
    with running("dllama") as (process, url):
        found = [dllama(url) for _ in range(3)]
        assert process.poll() is None
        process.kill()
        assert process.stdout is not None and "unread" not in process.stdout.read()
    assert [answer.text for answer in found] == ["".join(ANSWER)] * 3
    assert {(a.new_tokens, a.finish_reason) for a in found} == {(6, "stop")}


def test_distributed_llama_says_stop_at_the_limit_and_we_say_length() -> None:
    with running("dllama") as (_, url):
        answer = dllama(url, GenerationSettings(max_new_tokens=2))
    assert (answer.text, answer.finish_reason) == ("안녕하세요", "length")


def test_distributed_llama_may_cut_a_syllable() -> None:
    with running("dllama", "안", "\udcea\udcb0", "\udc80") as (_, url):
        assert dllama(url).text == "안가"


@pytest.mark.parametrize(
    "wrong",
    [
        {"stop": "끝"},
        {"max_tokens": None},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "안녕?"}]}]},
    ],
)
def test_the_fake_distributed_llama_aborts_as_the_real_one_does(wrong: dict[str, Any]) -> None:
    body = {"messages": [{"role": "user", "content": "안녕?"}], "stream": True, **wrong}
    data = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    with (
        running("dllama") as (process, url),
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection,
    ):
        connection.sendall(head + data)
        assert process.wait(60) == -signal.SIGABRT


def test_the_fake_distributed_llama_aborts_at_a_bare_connect() -> None:
    with running("dllama") as (process, url):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))).close()
        assert process.wait(60) == -signal.SIGABRT


def test_two_clients_at_once_are_served_one_after_the_other() -> None:
    found: list[str] = []
    with running("dllama") as (_, url):
        threads: Sequence[threading.Thread] = [
            threading.Thread(target=lambda: found.append(dllama(url).text)) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert found == ["".join(ANSWER)] * 2


# --- A real server -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bundled-llama-2.5m", "bundled-qwen2-1m", "bundled-neox-0.4m"])
def test_transformers_serve_answers_as_the_same_model_does_here(name: str) -> None:
    """Qwen's too, of which a server thinks that it writes ChatML unless its folder says more."""
    from model_registry.backends.transformers_local import TransformersBackend
    from model_registry.registry import Registry
    from tests.support.real_server import transformers_serve

    bundled = Registry().candidate(name)
    here = TransformersBackend.load(bundled, weights="bundled", device="cpu")
    with transformers_serve(str(bundled.path)) as url:
        served = OpenAIBackend(Endpoint(url, str(bundled.path), timeout=60))
        for question in ("오늘 기분 어때?", "심심한데 뭐 하지?"):
            messages, settings = conversation(question), GenerationSettings(max_new_tokens=60)
            answer, expected = served.reply(messages, settings), here.reply(messages, settings)
            assert answer.text == expected.text
            assert answer.finish_reason == expected.finish_reason == "stop"
            assert answer.connect_seconds is not None and answer.first_token_seconds is not None
            assert answer.connect_seconds < answer.first_token_seconds < (answer.seconds or 0)
        pieces = list(served.stream(conversation("오늘 기분 어때?"), SETTINGS))
        assert len(pieces) > 2 and any("가" <= c <= "힣" for c in "".join(pieces))
        cut = served.reply(conversation("오늘 기분 어때?"), GenerationSettings(max_new_tokens=2))
        assert (cut.finish_reason, cut.new_tokens) == ("length", 2)
        with pytest.raises(AskError, match="is 'other' a model that it serves") as caught:
            OpenAIBackend(Endpoint(url, "other")).reply(QUESTION, SETTINGS)
        assert caught.value.status == "error"
