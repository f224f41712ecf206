"""HTTP client that times connecting and cuts a request off at its deadline.

Timeouts of an HTTP library start anew with each byte, so that a server which sends one now and
then is waited for without end: here a timer shuts the socket at the deadline. Every request has a
connection of its own: connecting is then a figure of every answer, and no server is left with an
idle connection that it may not know to handle.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from model_registry.backends.remote.endpoint import Endpoint
from model_registry.files.json_values import JsonObject

if TYPE_CHECKING:
    from httpcore2 import NetworkStream

_DONE = re.compile(rb"^data: ?\[DONE\]\s*$", re.MULTILINE)


class RequestTimer:
    """Times one request: its start, connecting, its deadline."""

    def __init__(self, seconds: float) -> None:
        self.began = time.perf_counter()
        self.connect_seconds: float | None = None
        self.late = False
        self.done = False  # the server said that its stream is over
        self._connecting = 0.0
        self._stream: NetworkStream | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def start(self) -> None:
        """Let the deadline run."""
        self._timer.start()

    def stop(self) -> None:
        """The request is over."""
        self._timer.cancel()

    def elapsed(self) -> float:
        """Seconds since the request began."""
        return time.perf_counter() - self.began

    def trace(self, event: str, info: JsonObject) -> None:
        """httpcore's trace hook: connecting ends when TCP, or TLS on it, is up."""
        if event == "connection.connect_tcp.started":
            self._connecting = self.elapsed()
        elif event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self.connect_seconds = self.elapsed() - self._connecting
            self._stream = info["return_value"]
            if self.late:  # the deadline passed while connecting
                self._cut()

    def _cut(self) -> None:
        self.late = True
        if self._stream is not None:
            connection = self._stream.get_extra_info("socket")
            with contextlib.suppress(OSError):
                # Unlike closing, shutting down wakes up whoever waits for bytes.
                connection.shutdown(socket.SHUT_RDWR)


class TimedClient:
    """An httpx2 client for one endpoint, a request at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._watch: RequestTimer | None = None
        local = urlsplit(endpoint.base_url).hostname in ("127.0.0.1", "localhost", "::1")
        self.http = httpx2.Client(
            timeout=httpx2.Timeout(endpoint.stall_timeout, connect=endpoint.connect_timeout),
            limits=httpx2.Limits(max_connections=1, max_keepalive_connections=0),
            headers={"Connection": "close", "Accept-Encoding": "identity"},
            event_hooks={"request": [self._on_request], "response": [self._on_response]},
            trust_env=not local,  # a proxy for the internet knows nothing of this machine
        )

    def watch(self, seconds: float) -> RequestTimer:
        """Time the next request and cut it off after so many seconds; stop the watch after it."""
        self._watch = RequestTimer(seconds)
        self._watch.start()
        return self._watch

    def _on_request(self, request: httpx2.Request) -> None:
        if self._watch is not None:
            request.extensions["trace"] = self._watch.trace

    def _on_response(self, response: httpx2.Response) -> None:
        if not response.headers.get("content-encoding"):
            response.stream = _Utf8Lines(response.stream, self._watch)  # type: ignore[arg-type]  # sync

    def close(self) -> None:
        """Close the client; safe to call twice."""
        self.http.close()


class _Utf8Lines(httpx2.SyncByteStream):
    """Lines of a response as valid UTF-8: a byte that is none becomes a JSON escape.

    Servers cut tokens in the middle of a Korean syllable and send the halves in two events. A
    half is no UTF-8, but with its bytes kept as escapes (U+DC80 to U+DCFF, as Python's
    surrogateescape writes them) the JSON is readable and the halves can be joined.

    The watch is told of the line that ends a stream: some servers give no other sign of an end.
    """

    def __init__(self, stream: httpx2.SyncByteStream, watch: RequestTimer | None) -> None:
        self._stream, self._watch = stream, watch

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        for data in self._stream:
            whole, newline, rest = (rest + data).rpartition(b"\n")
            if newline:
                yield self._seen(whole + newline)
        if rest:
            yield self._seen(rest)

    def _seen(self, lines: bytes) -> bytes:
        if self._watch is not None and _DONE.search(lines):
            self._watch.done = True
        return _escaped(lines)

    def close(self) -> None:
        self._stream.close()


def _escaped(data: bytes) -> bytes:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
        return "".join(f"\\u{ord(c):04x}" if "\udc80" <= c <= "\udcff" else c for c in text).encode(
            "utf-8"
        )
    return data
