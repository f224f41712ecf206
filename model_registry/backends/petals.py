"""Backend for a Petals swarm's chat API, over a WebSocket or HTTP.

The server applies no chat template: the candidate's prompt policy writes the text that is
continued. Over a WebSocket tokens come one by one; over HTTP the whole answer comes at once, so
that its first token has no time. Errors come with HTTP 200 and "ok": false.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from model_registry.backends.backend import Answer, GenerationSettings
from model_registry.backends.remote.connection_failures import error_of_connection
from model_registry.backends.remote.endpoint import Endpoint, mask, read_endpoint
from model_registry.backends.remote.failures import AskError, ServerRefusal, one_line
from model_registry.backends.remote.retries import seconds_to_wait, with_retries
from model_registry.backends.remote.streamed_text import StreamedText
from model_registry.backends.remote.streaming_backend import StreamingBackend
from model_registry.backends.remote.timed_http import TimedClient
from model_registry.candidate import Candidate, PromptPolicy
from model_registry.errors import UnknownName
from model_registry.files.json_values import JsonDict
from model_registry.prompting.chat_template import Message
from model_registry.prompting.tokenization import render

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

TRANSPORTS = ("websocket", "http")


class PetalsBackend(StreamingBackend):
    """One swarm's chat API, one question at a time. Not shared between threads."""

    def __init__(self, endpoint: Endpoint, prompting: PromptPolicy) -> None:
        if endpoint.transport not in TRANSPORTS:
            raise UnknownName("transport", endpoint.transport, TRANSPORTS)
        self.endpoint, self.prompting = endpoint, prompting
        self._http = TimedClient(endpoint)

    @classmethod
    def connect(cls, candidate: Candidate) -> PetalsBackend:
        """A backend for a candidate's endpoint; nothing is sent before a question is asked.

        Raises:
            LoadError: "unreachable", where its address is not set.
        """
        return cls(read_endpoint(candidate), candidate.prompting)

    def stream(
        self, messages: Sequence[Message], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        """The answer piece by piece over a WebSocket, in one piece over HTTP."""
        prompt = render(self.prompting, None, messages)
        if self.endpoint.transport == "websocket":
            return (yield from self._over_websocket(prompt, settings))
        answer = self._over_http(prompt, settings)
        if answer.text:
            yield answer.text
        return answer

    # --- HTTP ------------------------------------------------------------------------------------

    def _over_http(self, prompt: str, settings: GenerationSettings) -> Answer:
        form = {"model": self.endpoint.model, "inputs": prompt,
                "max_new_tokens": str(settings.max_new_tokens), "do_sample": "0"}  # fmt: skip
        if settings.temperature > 0:
            form |= {"do_sample": "1", "temperature": str(settings.temperature),
                     "top_p": str(settings.top_p)}  # fmt: skip

        (document, seconds, connect), attempts = with_retries(
            lambda: self._post(form), self.endpoint
        )
        text = StreamedText(self.endpoint, _Clock(connect_seconds=connect), self._marks())
        text.feed(str(self._checked(document).get("outputs", "")))
        text.finish()
        text.first_seconds = None  # it came with all the others
        notes = (f"asked {attempts} times",) if attempts > 1 else ()
        return text.answer("stop" if text.ended else "length", None, seconds, notes)

    def _post(self, form: dict[str, str]) -> tuple[object, float, float | None]:
        watch = self._http.watch(self.endpoint.timeout)
        try:
            response = self._http.http.post(
                f"{self.endpoint.base_url}/api/v1/generate", data=form, headers=self._headers()
            )
            if response.status_code != 200:
                wait = seconds_to_wait(response.headers.get("retry-after"))
                raise ServerRefusal(response.status_code, response.text, wait)
            return response.json(), watch.elapsed(), watch.connect_seconds
        except (httpx2.HTTPError, OSError) as error:
            raise error_of_connection(error, self.endpoint, late=watch.late) from None
        except ValueError:
            raise self._nonsense() from None
        finally:
            watch.stop()

    def _headers(self) -> dict[str, str]:
        key = self.endpoint.api_key
        return {"Authorization": f"Bearer {key}"} if key else {}

    # --- WebSocket -------------------------------------------------------------------------------

    def _over_websocket(
        self, prompt: str, settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        from websockets.exceptions import WebSocketException

        clock = _Clock()
        text = StreamedText(self.endpoint, clock, self._marks())
        tokens, stop, attempts = 0, False, 1
        try:
            channel, attempts = with_retries(lambda: self._dial(clock), self.endpoint)
            with channel:
                for message in self._ask(channel, prompt, settings, clock):
                    tokens += int(message.get("token_count") or 1)
                    stop = bool(message.get("stop"))
                    if shown := text.feed(str(message.get("outputs", ""))):
                        yield shown
                    if stop or text.ended or tokens >= settings.max_new_tokens:
                        break
                seconds = clock.elapsed()  # before the connection is closed
        except (WebSocketException, OSError, TimeoutError) as error:
            raise self._lost(error, text, clock) from None
        except AskError as error:
            text.finish()
            if text.text:
                error.answer = text.answer("error", None, clock.elapsed(), (error.status,))
            raise
        if shown := text.finish():
            yield shown
        notes = (f"asked {attempts} times",) if attempts > 1 else ()
        return text.answer("stop" if stop or text.ended else "length", tokens, seconds, notes)

    def _dial(self, clock: _Clock) -> ClientConnection:
        """Connect, first the socket and then the WebSocket on it; the clock starts with this.

        Raises:
            ServerRefusal: the server answered with an HTTP status instead.
        """
        from websockets.exceptions import InvalidStatus
        from websockets.sync.client import connect

        clock.restart()
        parts = urlsplit(self.endpoint.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        connection = socket.create_connection(
            (parts.hostname or "", port), timeout=self.endpoint.connect_timeout
        )
        clock.connect_seconds = clock.elapsed()
        scheme = "wss" if parts.scheme == "https" else "ws"
        try:
            return connect(
                f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}/api/v2/generate",
                sock=connection,
                open_timeout=self.endpoint.connect_timeout,
                close_timeout=0.2,
                additional_headers=self._headers(),
            )
        except InvalidStatus as error:
            said = bytes(error.response.body or b"").decode("utf-8", "replace")
            wait = seconds_to_wait(error.response.headers.get("retry-after"))
            raise ServerRefusal(error.response.status_code, said, wait) from None

    def _ask(
        self, channel: ClientConnection, prompt: str, settings: GenerationSettings, clock: _Clock
    ) -> Generator[JsonDict, None, None]:
        """Open a session, ask, and give each message until the server says stop."""
        # A token is at least a byte, so that a session of so many has room for all.
        room = len(prompt.encode()) + settings.max_new_tokens + 1
        opening = {"type": "open_inference_session", "model": self.endpoint.model,
                   "max_length": room}  # fmt: skip
        channel.send(json.dumps(opening))
        self._receive(channel, clock)
        question: dict[str, object] = {
            "type": "generate", "inputs": prompt, "max_new_tokens": 1, "do_sample": False,
            # Without one the server stops after its first step.
            "stop_sequence": self.endpoint.end_mark,
        }  # fmt: skip
        if settings.temperature > 0:
            question |= {"do_sample": True, "temperature": settings.temperature,
                         "top_p": settings.top_p}  # fmt: skip
        channel.send(json.dumps(question, ensure_ascii=False))
        while True:
            yield self._receive(channel, clock)

    def _receive(self, channel: ClientConnection, clock: _Clock) -> JsonDict:
        left = self.endpoint.timeout - clock.elapsed()
        message = channel.recv(timeout=max(0.0, min(self.endpoint.stall_timeout, left)))
        try:
            return self._checked(json.loads(message))
        except ValueError:
            raise self._nonsense() from None

    def _lost(self, error: BaseException, text: StreamedText, clock: _Clock) -> AskError:
        late = clock.elapsed() >= self.endpoint.timeout
        failure = error_of_connection(error, self.endpoint, late=late)
        if clock.connect_seconds is None and failure.status == "timeout":
            failure = error_of_connection(httpx2.ConnectTimeout(""), self.endpoint, late=False)
        text.finish()
        if text.text:
            failure.answer = text.answer("error", None, clock.elapsed(), (failure.status,))
        return failure

    # --- Both ------------------------------------------------------------------------------------

    def _checked(self, document: object) -> JsonDict:
        """A message, if it is one and says that it is ok."""
        if not isinstance(document, dict):
            raise self._nonsense()
        if document.get("ok"):
            return document
        lines = str(document.get("traceback") or "no reason").strip().splitlines()
        said = one_line(mask(lines[-1], self.endpoint.secrets))
        if said.startswith("KeyError"):
            raise AskError(
                "error",
                f"{self.endpoint.shown_url} serves no model {self.endpoint.model!r} ({said})",
                f"{self.endpoint.shown_url}: {self.endpoint.model!r} 모델이 없습니다({said})",
                fatal=True,
            )
        # Its swarm is made of volunteers: blocks that nobody serves are an everyday answer.
        status = "unreachable" if "MissingBlocks" in said else "error"
        where = self.endpoint.shown_url
        raise AskError(status, f"{where} failed: {said}", f"{where}: 실패했습니다({said})")

    def _nonsense(self) -> AskError:
        where = self.endpoint.shown_url
        return AskError(
            "error",
            f"{where} sent what is no Petals message",
            f"{where}: Petals 메시지가 아닌 것이 왔습니다",
        )

    def _marks(self) -> list[str]:
        """Where an answer ends: the end mark, or where the model asks the next question itself."""
        asks = self.prompting.kind == "plain"
        form = self.prompting.form.partition("{prompt}")[0].strip() if asks else ""
        return [self.endpoint.end_mark, form]

    def close(self) -> None:
        self._http.close()


@dataclass(slots=True)
class _Clock:
    """When asking began, and how long connecting took."""

    began: float = field(default_factory=time.perf_counter)
    connect_seconds: float | None = None

    def restart(self) -> None:
        """It is asked once more: times count from here."""
        self.began, self.connect_seconds = time.perf_counter(), None

    def elapsed(self) -> float:
        return time.perf_counter() - self.began
