"""Parses what OpenAI's chat API sends: a stream of chunks, or one JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai

from model_registry.files.json_values import JsonDict, JsonObject


def media_type(response: httpx2.Response) -> str:
    """A response's media type, such as "text/html"; "" where it has none."""
    return str(response.headers.get("content-type", "")).partition(";")[0].lower()


def is_one_document(events: openai.Stream[Any]) -> bool:
    """Whether a server that was asked for a stream sent one JSON document instead."""
    return "json" in media_type(events.response)


def chunks_of(events: openai.Stream[Any]) -> Iterator[JsonDict]:
    """The chunks of a stream; an answer that came whole is one chunk.

    Raises:
        openai.APIError: the document is an error.
        ValueError: it is no JSON, or has no choices.
    """
    if not is_one_document(events):
        yield from events
        return
    document = json.loads(events.response.read())
    if document.get("error"):
        raise openai.APIError("", events.response.request, body=document)
    if not document["choices"]:
        raise ValueError("it has no choices")
    yield {**document, "choices": [{**c, "delta": c["message"]} for c in document["choices"]]}


def content_of(delta: JsonObject) -> str:
    """The text of a delta or a message; some servers write it in parts."""
    content = delta.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content)
    return str(content or "")


def thinking_of(delta: JsonObject) -> str:
    """The model's thinking in a delta or a message, where a server sends it apart."""
    thought = delta.get("reasoning_content") or delta.get("reasoning")
    return thought if isinstance(thought, str) else ""


def thinking_tokens_of(usage: JsonObject) -> int | None:
    """How many of the tokens were thinking; None where a server does not report it."""
    count = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    return count if isinstance(count, int) and count > 0 else None


def server_message(error: openai.APIError) -> str:
    """The server's own message, without the library's."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict) and (inner.get("message") or inner.get("detail")):
            return str(inner.get("message") or inner.get("detail"))
        return str(inner)
    return str(body or error.message)
