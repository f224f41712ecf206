"""The client of the Petals chat API, over a WebSocket and over HTTP."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("httpx2")
pytest.importorskip("websockets")
pytest.importorskip("uvicorn")

from model_registry.backends.backend import Answer, GenerationSettings, conversation
from model_registry.backends.petals import PetalsBackend
from model_registry.backends.remote.endpoint import MASK, Endpoint
from model_registry.backends.remote.failures import AskError
from model_registry.candidate import PromptPolicy
from model_registry.errors import OhloraError
from tests.support.fake_servers import ANSWER, PETALS_MODEL, free_port, read_request, running

PLAIN = PromptPolicy("plain", "### 질문: {prompt} ### 답변: ")
SETTINGS = GenerationSettings(max_new_tokens=20)
KEY = "petals-secret-0987654321"
BOTH = pytest.mark.parametrize("transport", ["websocket", "http"])


@pytest.fixture(scope="module")
def swarm() -> Iterator[str]:
    """The address of a fake swarm in a process of its own."""
    with running("petals") as (_, url):
        yield url


def ask(url: str, transport: str, settings: GenerationSettings = SETTINGS, **values: Any) -> Answer:
    values = {"model": PETALS_MODEL, "connect_timeout": 60, "retry_seconds": 0.01} | values
    backend = PetalsBackend(Endpoint(url, transport=transport, **values), PLAIN)
    return backend.reply(conversation("안녕?"), settings)


@BOTH
def test_an_answer_ends_before_its_end_mark(swarm: str, transport: str) -> None:
    answer = ask(swarm, transport)
    assert (answer.text, answer.finish_reason, answer.problems) == ("".join(ANSWER), "stop", ())
    assert answer.connect_seconds is not None and answer.seconds is not None
    assert answer.connect_seconds < answer.seconds


def test_over_a_websocket_tokens_are_counted_and_the_first_is_timed(swarm: str) -> None:
    answer = ask(swarm, "websocket")
    assert answer.new_tokens == 7  # the end mark is a token that was waited for
    assert answer.first_token_seconds is not None
    assert (answer.connect_seconds or 0) < answer.first_token_seconds <= (answer.seconds or 0)


def test_over_http_neither_tokens_nor_the_first_one_are_known(swarm: str) -> None:
    answer = ask(swarm, "http")
    assert answer.new_tokens is None and answer.first_token_seconds is None


def test_a_stream_never_shows_a_part_of_the_end_mark(swarm: str) -> None:
    with running("petals", "가", "나<", "/", "s>", "다") as (_, url):
        backend = PetalsBackend(Endpoint(url, PETALS_MODEL), PLAIN)
        assert list(backend.stream(conversation("?"), SETTINGS)) == ["가", "나"]


@BOTH
def test_a_model_that_asks_itself_the_next_question_is_stopped(transport: str) -> None:
    with running("petals", "서울이야.", " ### 질", "문: 그럼", " 부산은?") as (_, url):
        answer = ask(url, transport)
    assert (answer.text, answer.finish_reason) == ("서울이야.", "stop")


@BOTH
def test_the_limit_cuts_an_answer(swarm: str, transport: str) -> None:
    answer = ask(swarm, transport, GenerationSettings(max_new_tokens=2))
    assert (answer.text, answer.finish_reason) == ("안녕하세요", "length")
    assert answer.problems == ("truncated",)


@BOTH
def test_sampling_is_understood(swarm: str, transport: str) -> None:
    sampled = GenerationSettings(20, temperature=0.7, top_p=0.9)
    assert ask(swarm, transport, sampled).text == "".join(ANSWER)


@BOTH
def test_a_model_that_the_swarm_does_not_serve_is_an_error_that_names_it(
    swarm: str, transport: str
) -> None:
    with pytest.raises(AskError, match="serves no model 'bloom'") as caught:
        ask(swarm, transport, model="bloom")
    assert caught.value.status == "error" and caught.value.fatal


@BOTH
def test_nobody_listening_is_unreachable(transport: str) -> None:
    with pytest.raises(AskError, match="is the server running") as caught:
        ask(f"http://127.0.0.1:{free_port()}", transport)
    assert caught.value.status == "unreachable"


@BOTH
def test_a_swarm_that_stalls_is_a_timeout(transport: str) -> None:
    began, ended = time.perf_counter(), threading.Event()
    with served(lambda connection: ended.wait(60)) as url:
        with pytest.raises(AskError) as caught:
            ask(url, transport, stall_timeout=0.3, connect_timeout=2)
        ended.set()
    assert caught.value.status == "timeout" and time.perf_counter() - began < 60


def test_a_swarm_killed_in_the_middle_keeps_what_it_said() -> None:
    with running("petals", *["가"] * 100_000) as (process, url):
        backend = PetalsBackend(Endpoint(url, PETALS_MODEL), PLAIN)
        stream = backend.stream(conversation("?"), GenerationSettings(max_new_tokens=90_000))
        for _ in range(20):
            next(stream)
        process.kill()
        with pytest.raises(AskError) as caught:
            for _ in stream:
                pass
    assert caught.value.status in ("unreachable", "error")
    assert caught.value.answer is not None and caught.value.answer.text.startswith("가" * 20)


def reply(code: int, document: Any, headers: str = "") -> Callable[[socket.socket], None]:
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {code} Said\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def test_missing_blocks_of_volunteers_are_unreachable() -> None:
    trace = "Traceback\npetals.MissingBlocksError: No servers holding blocks [0, 1] are online"
    with (
        served(reply(200, {"ok": False, "traceback": trace})) as url,
        pytest.raises(AskError, match="No servers holding blocks") as caught,
    ):
        ask(url, "http")
    assert caught.value.status == "unreachable"


def test_a_busy_swarm_is_asked_again() -> None:
    turns = iter([reply(503, {}), reply(200, {"ok": True, "outputs": "응</s>"})])
    with served(lambda connection: next(turns)(connection)) as url:
        answer = ask(url, "http")
    assert answer.text == "응" and answer.problems == ("asked 2 times",)


def knocks(*codes: int) -> tuple[str, list[str], Callable[[], None]]:
    """A swarm over WebSockets that answers its first knocks by these HTTP statuses.

    Its address, what Authorization each knock showed, and what ends it.
    """
    from websockets.sync.server import ServerConnection, serve

    left, shown = list(codes), []

    def refuse(connection: ServerConnection, request: Any) -> Any:
        shown.append(request.headers.get("Authorization", ""))
        return connection.respond(left.pop(0), f"not you: {shown[-1]}") if left else None

    def answer(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(json.dumps({"ok": True}))
        connection.recv()
        connection.send(json.dumps({"ok": True, "outputs": "응", "stop": True, "token_count": 1}))

    server = serve(answer, "127.0.0.1", 0, process_request=refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.socket.getsockname()[1]}", shown, server.shutdown


def test_a_swarm_that_is_busy_at_the_door_is_asked_again_over_a_websocket() -> None:
    url, shown, end = knocks(503, 429)
    answer = ask(url, "websocket", api_key=KEY)
    end()
    assert answer.text == "응" and answer.problems == ("asked 3 times",)
    assert shown == [f"Bearer {KEY}"] * 3
    assert answer.seconds is not None and answer.seconds < 60


def test_a_wrong_key_over_a_websocket_is_gated_and_not_asked_again() -> None:
    url, shown, end = knocks(401, 401)
    with pytest.raises(AskError, match="it refuses the key") as caught:
        ask(url, "websocket", api_key=KEY)
    end()
    assert caught.value.status == "gated" and len(shown) == 1
    assert KEY not in str(caught.value) and MASK in str(caught.value)


def test_a_swarm_broken_at_the_door_for_ever_is_asked_a_few_times_only() -> None:
    url, shown, end = knocks(*[502] * 9)
    with pytest.raises(AskError, match="after 3 attempts") as caught:
        ask(url, "websocket", retries=2)
    end()
    assert caught.value.status == "unreachable" and len(shown) == 3


def test_a_key_that_comes_back_is_masked() -> None:
    with served(reply(200, {"ok": True, "outputs": f"키: {KEY}</s>"})) as url:
        assert ask(url, "http", api_key=KEY).text == f"키: {MASK}"
    trace = f"Traceback\nValueError: bad token {KEY}"
    with (
        served(reply(200, {"ok": False, "traceback": trace})) as url,
        pytest.raises(AskError, match="bad token") as caught,
    ):
        ask(url, "http", api_key=KEY)
    assert KEY not in str(caught.value)


def test_a_page_of_html_is_no_petals_message() -> None:
    page = b"<html>proxy</html>"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(page)}\r\n\r\n".encode()
    with (
        served(lambda connection: connection.sendall(head + page)) as url,
        pytest.raises(AskError, match="no Petals message"),
    ):
        ask(url, "http")


def test_an_unknown_transport_names_those_there_are() -> None:
    with pytest.raises(OhloraError, match="http, websocket"):
        PetalsBackend(Endpoint("http://x", "m", transport="carrier pigeon"), PLAIN)


class served:
    """A server that reads each request and does what it is given to do with the connection."""

    def __init__(self, behave: Callable[[socket.socket], None]) -> None:
        self.behave = behave
        self.listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._accept, daemon=True).start()
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
                with connection:
                    read_request(connection)
                    self.behave(connection)
            except OSError:
                return

    def __exit__(self, *_: object) -> None:
        self.listener.close()
