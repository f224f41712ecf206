"""Servers for tests: those that behave as the real ones do, and those that misbehave on purpose.

`dllama` is written after distributed-llama's own server: one thread, sockets by hand, a process
that aborts at what it can't read. `petals` is written after the Petals chat API. `Faulty` speaks
OpenAI's form and breaks in one given way.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ANSWER = ["안녕", "하세요", ", 저는", " 오로라", "예요", "."]


#: One for each port that was given out here, by whose name other processes see that it is taken.
_CLAIMS: list[socket.socket] = []


def free_port() -> int:
    """A port that stays free until the test's server has started, which may take long.

    It is none of those that the kernel gives to connections meanwhile, none that another test
    process was given, and none of the 10002 to 19999 that Ray's workers take.
    """
    for port in random.SystemRandom().sample(range(20_000, _first_of_the_kernels()), k=1000):
        try:
            _claim(port)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise OSError("no port is free")


def _claim(port: int) -> None:
    """Take a name that no two processes can have: Linux gives it back when this one ends."""
    if sys.platform != "linux":
        return
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0a port of ohlora's tests: {port}")
    except OSError:
        claim.close()
        raise
    _CLAIMS.append(claim)


def _first_of_the_kernels() -> int:
    """The first of the ports that connections are given; where there is no room below, no limit."""
    told = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(told.read_text().split()[0]) if told.exists() else 32_768
    return first if first >= 22_000 else 60_000


# --- A small HTTP server by hand: every byte on the wire is the test's to choose --------------


def read_request(connection: socket.socket) -> tuple[str, dict[str, str], bytes]:
    """Request line, headers as they were written, body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("closed before the headers were there")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    length = int(headers.get("Content-Length", 0))
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("closed before the body was there")
        body += more
    return first, headers, body


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(choice: dict[str, Any] | None, **more: Any) -> bytes:
    """One event of a streamed chat completion, as OpenAI's own server writes it."""
    document = {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "fake",
        "choices": [choice] if choice else [], **more,
    }  # fmt: skip
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


def piece(text: str) -> bytes:
    return event({"index": 0, "delta": {"content": text}, "finish_reason": None})


LAST = event({"index": 0, "delta": {}, "finish_reason": "stop"})
DONE = b"data: [DONE]\n\n"
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def usage(tokens: int) -> bytes:
    counts = {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens}
    return event(None, usage=counts)


def refusal(code: int, message: str, headers: str = "") -> bytes:
    body = json.dumps({"error": {"message": message, "type": "fake"}}).encode()
    return (
        f"HTTP/1.1 {code} Refused\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    ).encode() + body


Behaviour = Callable[["Faulty", socket.socket, dict[str, str], dict[str, Any]], None]


class Faulty:
    """An OpenAI-compatible server in this process that does what `behaviour` says.

    It keeps what it was sent, and how many connections and requests there were.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.released = threading.Event()  # lets a stalling server go at the end of a test
        self.cut = threading.Event()  # a client went away while it was being answered
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                _, headers, body = read_request(connection)
                self.headers.append(headers)
                self.bodies.append(json.loads(body))
                self.behaviour(self, connection, headers, self.bodies[-1])
            except OSError:
                self.cut.set()

    def close(self) -> None:
        self.released.set()
        self._listener.close()

    def __enter__(self) -> Faulty:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def answers(*pieces: str, tokens: int | None = None, seconds: float = 0.0) -> Behaviour:
    """Behave well: these pieces, the reason, the count if it was asked for, and [DONE]."""

    def behave(server: Faulty, connection: socket.socket, headers: dict, body: dict) -> None:
        connection.sendall(STREAM_HEAD)
        for text in pieces or ANSWER:
            time.sleep(seconds)
            connection.sendall(chunk(piece(text)))
        connection.sendall(chunk(LAST))
        if body.get("stream_options", {}).get("include_usage"):
            connection.sendall(chunk(usage(tokens or len(pieces or ANSWER))))
        connection.sendall(chunk(DONE) + b"0\r\n\r\n")

    return behave


def says(data: bytes) -> Behaviour:
    """Send exactly these bytes."""

    def behave(server: Faulty, connection: socket.socket, headers: dict, body: dict) -> None:
        connection.sendall(data)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first behaviour for the first request, and so on; the last one for ever."""
    numbers = itertools.count()

    def behave(server: Faulty, connection: socket.socket, headers: dict, body: dict) -> None:
        number = min(next(numbers), len(behaviours) - 1)
        behaviours[number](server, connection, headers, body)

    return behave


def stalls(after: int) -> Behaviour:
    """Send so many pieces, at once, then nothing more, for ever."""

    def behave(server: Faulty, connection: socket.socket, headers: dict, body: dict) -> None:
        if after:
            said = b"".join(chunk(piece(text)) for text in ANSWER[:after])
            connection.sendall(STREAM_HEAD + said)
        server.released.wait(60)

    return behave


def endless(server: Faulty, connection: socket.socket, headers: dict, body: dict) -> None:
    """Send pieces as long as somebody takes them: no buffer on the way holds all of them."""
    connection.sendall(STREAM_HEAD)
    while not server.released.is_set():
        connection.sendall(chunk(piece("가")))


def drips(server: Faulty, connection: socket.socket, headers: dict, body: dict) -> None:
    """Send a comment every now and then, for ever: no read ever times out."""
    connection.sendall(STREAM_HEAD)
    while not server.released.wait(0.05):
        connection.sendall(chunk(b": still here\n\n"))


def drips_headers(server: Faulty, connection: socket.socket, headers: dict, body: dict) -> None:
    """Send a header's letters one by one, for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not server.released.wait(0.05):
        connection.sendall(b"a")


# --- distributed-llama ------------------------------------------------------------------------


def dllama_event(text: str | None) -> bytes:
    """As dllama-api writes it: the last one has a reason and no delta, the others a delta."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": "" if text is not None else "stop"}
    if text is not None:
        choice["delta"] = {"role": "assistant", "content": text}
    document = {
        "id": "cmpl-c0", "object": "chat.completion", "created": 1, "model": "Distributed Model",
        "choices": [choice],
    }  # fmt: skip
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\r\n\r\n"


def dllama(port: int, pieces: list[bytes]) -> None:
    """Serve for ever, one connection after the other, and abort where the real one does.

    A connection is never closed from here and never read twice, a bare connect ends the process
    (the read throws what nobody catches), and so do invalid JSON and fields of another type.
    """
    listener = socket.create_server(("127.0.0.1", port))
    print("ready", flush=True)
    kept = []
    while True:
        connection, _ = listener.accept()
        kept.append(connection)
        try:
            first, _headers, body = read_request(connection)
        except (OSError, ValueError):
            os.abort()
        method, path, _ = first.split(" ")
        if (method, path) == ("GET", "/v1/models"):
            models = b'{"object": "list","data": [{"id": "dl", "object": "model"}]}'
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(models) + models
            )
        elif (method, path) == ("POST", "/v1/chat/completions"):
            _dllama_complete(connection, body, pieces)
        else:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\n")


_READ_BY_DLLAMA = {"messages", "stream", "max_tokens", "temperature", "seed", "stop"}


def _dllama_complete(connection: socket.socket, body: bytes, pieces: list[bytes]) -> None:
    try:
        asked = json.loads(body)
    except ValueError:
        os.abort()
    if set(asked) - _READ_BY_DLLAMA:
        print("unread", sorted(set(asked) - _READ_BY_DLLAMA), flush=True)
    wrong = (
        any(not isinstance(m["content"], str | None) for m in asked["messages"])
        or not isinstance(asked.get("stream", False), bool)
        or not isinstance(asked.get("max_tokens", 0), int | float)
        or not isinstance(asked.get("temperature", 0), int | float)
        or not isinstance(asked.get("seed", 0), int)
        or not isinstance(asked.get("stop", []), list)
    )
    if wrong:
        os.abort()
    limit = asked.get("max_tokens", -1)
    told = pieces[:limit] if limit > 0 else pieces
    if not asked.get("stream"):
        try:
            text = b"".join(told).decode()
        except UnicodeDecodeError:
            os.abort()  # its JSON library throws at invalid UTF-8
        choice = {"index": 21845, "message": {"role": "assistant", "content": text},
                  "finish_reason": ""}  # fmt: skip
        document = json.dumps({"id": "cmpl-j0", "choices": [choice]}).encode()
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(document) + document
        )
        return
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n"
        b"Content-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    try:
        for raw in told:
            if raw == b"@sleep":  # a piece that takes for ever, for tests that end the process
                time.sleep(60)
            data = dllama_event("@@").replace(b"@@", raw.replace(b'"', b'\\"'))
            connection.sendall(chunk(data))
        connection.sendall(chunk(dllama_event(None)) + chunk(b"data: [DONE]") + b"0000\r\n\r\n")
    except OSError:
        return  # a write to a client that has gone is caught and told


# --- Petals -----------------------------------------------------------------------------------

PETALS_MODEL = "petals-team/StableBeluga2"


def _petals_failed(error: BaseException) -> dict[str, Any]:
    trace = f"Traceback (most recent call last):\n  File …\n{type(error).__name__}: {error}\n"
    return {"ok": False, "traceback": trace}


def _petals_knows(model: str) -> None:
    if model != PETALS_MODEL:
        raise KeyError(model)


def petals(port: int, pieces: list[str]) -> None:
    """The Petals chat API: form fields over HTTP, JSON over a WebSocket; errors are HTTP 200."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    async def over_http(request: Request) -> JSONResponse:
        form = await request.form() if "form" in request.headers.get("content-type", "") else {}
        try:
            _petals_knows(form["model"])
            int(form.get("do_sample", 0))  # "True" is no int, there as here
            float(form.get("temperature", 1.0))
            limit = int(form["max_new_tokens"])
            if not form.get("inputs"):
                raise ValueError("nothing to go on with")
            return JSONResponse({"ok": True, "outputs": "".join(pieces[:limit])})
        except Exception as error:  # noqa: BLE001 - as the real one does
            return JSONResponse(_petals_failed(error))

    async def over_websocket(ws: WebSocket) -> None:
        await ws.accept()
        try:
            opened = json.loads(await ws.receive_text())
            assert opened["type"] == "open_inference_session"
            _petals_knows(opened["model"])
            session = int(opened["max_length"])
            await ws.send_text(json.dumps({"ok": True}))
            asked = json.loads(await ws.receive_text())
            assert asked["type"] == "generate"
            used = len(asked["inputs"].encode()) // 4
            end, step = asked.get("stop_sequence"), int(asked["max_new_tokens"])
            if not isinstance(asked.get("do_sample", False), bool | int):
                raise TypeError("do_sample")
            said, position, stop = "", 0, False
            while not stop:  # for ever, if the end mark never comes
                told = "".join(pieces[position : position + step]) or "…"
                position, said, used = position + step, said + told, used + step
                if used > session:
                    raise ValueError(f"Maximum length exceeded: {used} > {session}")
                stop = end is None or said.endswith(end)
                message = {"ok": True, "outputs": told, "stop": stop, "token_count": step}
                await ws.send_text(json.dumps(message))
        except WebSocketDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - as the real one does
            await ws.send_text(json.dumps(_petals_failed(error)))

    app = Starlette(
        routes=[
            Route("/api/v1/generate", over_http, methods=["POST"]),
            WebSocketRoute("/api/v2/generate", over_websocket),
        ]
    )
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


# --- Servers as processes ---------------------------------------------------------------------


@contextmanager
def running(kind: str, *pieces: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that serves `kind` ("dllama", "petals"), and its address.

    The process is asked for by address only once it listens; dllama is never probed.
    """
    port = free_port()
    command = [sys.executable, "-m", "tests.support.fake_servers", kind, str(port), *pieces]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        if kind == "dllama":
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
        else:
            wait_for(port)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def wait_for(port: int, seconds: float = 240.0) -> None:
    """Until something listens there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def main() -> None:
    kind, port, *pieces = sys.argv[1:]
    if kind == "dllama":
        raw = [p.encode("utf-8", "surrogateescape") for p in pieces]
        dllama(int(port), raw or [p.encode() for p in ANSWER])
    elif kind == "petals":
        petals(int(port), pieces or [*ANSWER, "</s>"])


if __name__ == "__main__":
    main()
