"""Backend for servers with OpenAI's chat API: ChatGPT, vLLM, llama.cpp, `transformers serve`.

Answers are always streamed, so that the first token has a time. A dialect says which fields are
sent: distributed-llama ends its own process when it meets one that it can't read.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai

from model_registry.backends.backend import Answer, GenerationSettings
from model_registry.backends.remote.chat_chunks import (
    chunks_of,
    content_of,
    is_one_document,
    media_type,
    server_message,
    thinking_of,
    thinking_tokens_of,
)
from model_registry.backends.remote.connection_failures import error_of_connection
from model_registry.backends.remote.endpoint import Endpoint, mask, read_endpoint
from model_registry.backends.remote.failures import (
    AskError,
    ServerRefusal,
    error_of_web_page,
    one_line,
)
from model_registry.backends.remote.request_fields import refused_field, without
from model_registry.backends.remote.retries import seconds_to_wait, with_retries
from model_registry.backends.remote.streamed_text import StreamedText
from model_registry.backends.remote.streaming_backend import StreamingBackend
from model_registry.backends.remote.timed_http import RequestTimer, TimedClient
from model_registry.candidate import Candidate
from model_registry.errors import UnknownName
from model_registry.prompting.chat_template import Message


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a kind of server accepts and reports."""

    names_model: bool = True
    limit: str = "max_tokens"  # the field of the most new tokens
    samples: bool = True  # whether temperature and top_p may be set
    top_p: bool = True
    usage: bool = True  # whether the last chunk can hold the count of tokens
    one_token_a_piece: bool = False  # whether pieces may be counted as tokens


#: By the `dialect` of an endpoint.
DIALECTS = {
    "openai": Dialect(),
    # OpenAI's newer models: another field for the limit, no temperature.
    "reasoning": Dialect(limit="max_completion_tokens", samples=False),
    "dllama": Dialect(names_model=False, top_p=False, usage=False, one_token_a_piece=True),
}


_NOT_A_CHUNK = (AttributeError, TypeError, KeyError)  # what other JSON than a chunk leads to


class OpenAIBackend(StreamingBackend):
    """One server, one model, one question at a time. Not shared between threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        if endpoint.dialect not in DIALECTS:
            raise UnknownName("dialect", endpoint.dialect, DIALECTS)
        self.endpoint, self.dialect = endpoint, DIALECTS[endpoint.dialect]
        self._refused: tuple[str, ...] = ()  # fields that this server takes no request with
        self._http = TimedClient(endpoint)
        self._client = openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key or "none",  # the library wants one; a local server reads none
            max_retries=0,  # ours say how often they were needed
            http_client=self._http.http,
            # Its client's own, said once more: one that equals httpx's default it takes for none.
            timeout=self._http.http.timeout,
        )
        if not f".{urlsplit(endpoint.base_url).hostname}".endswith(".openai.com"):
            # The library tells every server what OPENAI_ORG_ID and OPENAI_PROJECT_ID hold.
            self._client.organization = self._client.project = None

    @classmethod
    def connect(cls, candidate: Candidate) -> OpenAIBackend:
        """A backend for a candidate's endpoint; nothing is sent before a question is asked.

        Raises:
            LoadError: "unreachable", where its address or its key is not set.
        """
        return cls(read_endpoint(candidate))

    def stream(
        self, messages: Sequence[Message], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        """The answer piece by piece; closing the generator closes the connection."""
        body = self.body(messages, settings)

        def attempt() -> tuple[RequestTimer, openai.Stream[object]]:
            watch = self._http.watch(self.endpoint.timeout)
            try:
                return watch, self._open_as_accepted(body, watch)
            except BaseException:
                watch.stop()
                raise

        (watch, events), attempts = with_retries(attempt, self.endpoint)
        try:
            return (yield from self._read(events, watch, settings, attempts))
        finally:
            watch.stop()
            with suppress(Exception):
                events.close()

    def body(self, messages: Sequence[Message], settings: GenerationSettings) -> dict[str, object]:
        """Exactly the fields that the server's dialect reads."""
        dialect = self.dialect
        body: dict[str, object] = {
            "messages": [{"role": m["role"], "content": m["content"]} for m in messages],
            "stream": True,
            dialect.limit: settings.max_new_tokens,
        }
        if dialect.names_model:
            body["model"] = self.endpoint.model
        if dialect.usage:
            body["stream_options"] = {"include_usage": True}
        if dialect.samples:
            body["temperature"] = settings.temperature
            body["seed"] = settings.seed
            if dialect.top_p and settings.temperature > 0:
                body["top_p"] = settings.top_p
        return body

    def _open_as_accepted(
        self, body: dict[str, object], watch: RequestTimer
    ) -> openai.Stream[object]:
        """Send the question, without whatever optional field the server refuses."""
        while True:
            sent = without(body, self._refused)
            try:
                return self._open(sent, watch)
            except ServerRefusal as refused:
                wrong = refused.code in (400, 422)
                field = refused_field(refused.said, refused.param, sent) if wrong else None
                if field is None:
                    raise
                self._refused += (field,)

    def _open(self, body: dict[str, object], watch: RequestTimer) -> openai.Stream[object]:
        """Send the question; returns when the server begins to answer."""
        try:
            stream = self._client.post(
                "/chat/completions",
                body=body,
                # Plain dictionaries: building the library's models takes longer than all the rest
                # of it, and some servers' chunks are none.
                cast_to=object,
                stream=True,
                stream_cls=openai.Stream[object],
            )
        except openai.APIStatusError as error:
            if error.status_code < 500 and "html" in media_type(error.response):
                raise error_of_web_page(self.endpoint) from None
            wait = seconds_to_wait(error.response.headers.get("retry-after"))
            raise ServerRefusal(
                error.status_code, server_message(error), wait, error.param
            ) from None
        except (openai.APIError, httpx2.HTTPError, OSError) as error:
            raise self._lost(error, watch) from None
        if "html" in media_type(stream.response):
            stream.close()
            raise error_of_web_page(self.endpoint)
        return stream

    def _read(
        self,
        events: openai.Stream[Any],
        watch: RequestTimer,
        settings: GenerationSettings,
        attempts: int,
    ) -> Generator[str, None, Answer]:
        text = StreamedText(self.endpoint, watch)
        reason, tokens, thoughts = "", None, None
        try:
            for chunk in chunks_of(events):
                usage = chunk.get("usage") or {}
                tokens = usage.get("completion_tokens", tokens)
                thoughts = thinking_tokens_of(usage) or thoughts
                for choice in (chunk.get("choices") or [])[:1]:
                    reason = choice.get("finish_reason") or reason
                    # The last chunk of some servers has no delta at all.
                    delta = choice.get("delta") or {}
                    if thought := thinking_of(delta):
                        text.think(thought)
                    piece = content_of(delta)
                    if piece and (shown := text.feed(piece)):
                        yield shown
        except (openai.APIError, httpx2.HTTPError, OSError, ValueError, *_NOT_A_CHUNK) as error:
            text.finish()
            failure = self._lost(error, watch)
            failure.answer = text.answer("error", None, watch.elapsed(), (failure.status,))
            raise failure from None
        seconds = watch.elapsed()
        if shown := text.finish():
            yield shown
        notes = tuple(f"asked without {field}" for field in self._refused)
        if attempts > 1:
            notes = (f"asked {attempts} times", *notes)
        if is_one_document(events):
            text.first_seconds = None
        if not reason and not watch.done:
            where = self.endpoint.shown_url
            message = f"{where} ended its stream in the middle of an answer"
            korean = f"{where}: 답변 도중에 스트림이 끝났습니다"
            status = "timeout" if watch.late else "unreachable"
            broken = text.answer("error", None, seconds, (status, *notes))
            raise AskError(status, message, korean, answer=broken)
        if self.dialect.one_token_a_piece:
            tokens = text.pieces
        reason = self._finish(reason, tokens, settings)
        return text.answer(reason, tokens, seconds, notes, thoughts)

    def _finish(self, reason: str, tokens: int | None, settings: GenerationSettings) -> str:
        # One says "stop" whatever ended the answer; other streams end and nobody says why.
        if self.dialect.one_token_a_piece or not reason:
            return "length" if (tokens or 0) >= settings.max_new_tokens else "stop"
        return {"length": "length", "content_filter": "error"}.get(reason, "stop")

    def _lost(self, error: BaseException, watch: RequestTimer) -> AskError:
        """What an exception on the way means. The library wraps the network's own."""
        cause = error.__cause__ or error
        if isinstance(error, openai.APIConnectionError) or not isinstance(error, openai.APIError):
            if isinstance(cause, (ValueError, *_NOT_A_CHUNK)) and not watch.late:
                said = one_line(mask(str(cause), self.endpoint.secrets))
                return AskError(
                    "error",
                    f"{self.endpoint.shown_url} sent what is no chat completion ({said})",
                    f"{self.endpoint.shown_url}: 채팅 응답이 아닌 것이 왔습니다({said})",
                )
            return error_of_connection(cause, self.endpoint, late=watch.late)
        said = one_line(mask(server_message(error), self.endpoint.secrets))
        where = self.endpoint.shown_url
        return AskError("error", f"{where} broke off: {said}", f"{where}: 중단되었습니다({said})")

    def close(self) -> None:
        self._http.close()
