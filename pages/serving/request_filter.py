"""ASGI middleware before Gradio: passes only the requests that the page makes, bounded in size.

Gradio brings more routes than this page has use for (uploads, snapshots of a visitor's state,
a proxy, editing tools), takes a body of any size into memory, and answers what it can't read
with a traceback in the log. All of that ends here, in one clear line.
"""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model_registry.files.json_values import JsonDict

if TYPE_CHECKING:
    import gradio as gr
    from gradio.blocks import BlockFunction

    from pages.serving.fair_queue import FairQueue

#: Set in a request's scope by whoever could not answer it at this moment.
PASSES = "ohlora.passes"

#: Everything the page, its login and its clients ask for. The rest is not there.
SERVED = re.compile(
    r"/(?:|config/?|healthz|login/?|logout/?|login/huggingface|login/callback|theme\.css"
    r"|favicon\.ico|manifest\.json|robots\.txt|pwa_icon(?:/\d+)?"
    r"|(?:assets|static|svelte|custom_component)/.*"
    r"|gradio_api/(?:info/?|openapi\.json|startup-events|app_id/?|user/?|token/?|login_check/?"
    r"|theme\.css|custom_component/.*|heartbeat/[^/]*|(?:run|api|call)/.*|queue/(?:join|data|status)"
    r"|cancel|reset/?|file=.*))"
)

#: A conversation of sixty long turns, written as JSON with escapes, is well below this.
LARGEST_BODY = 8 * 2**20

_CALLS = re.compile(r"/gradio_api/(?:(?:run|api|call)/(?P<name>.*)|queue/join)")

#: Where results are read: those of a visit, or of one request.
_RESULTS = re.compile(r"/gradio_api/(?:queue/data|call/(?:v2/)?[^/]+/(?P<event>[^/]+))")
_QUEUED = re.compile(r"/gradio_api/(?:queue/join|call/[^/]+/?)")


class RequestFilter:
    """The middleware before `page`."""

    def __init__(self, app: ASGIApp, page: gr.Blocks) -> None:
        self._app, self._page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not SERVED.fullmatch(scope["path"]):
            await _refuse(404, "There is no such address.", scope, receive, send)
            return
        if scope["method"] == "POST":
            body = await _read(scope, receive)
            if body is None:
                await _refuse(413, "This is too long to be read.", scope, receive, send)
                return
            await self._line.make_room()
            calls = _CALLS.fullmatch(scope["path"])
            if calls and (
                problem := self._problem(body, calls["name"], (scope["client"] or ("",))[0])
            ):
                await _refuse(problem[0], problem[1], scope, receive, send)
                return
            if _QUEUED.fullmatch(scope["path"]):
                await self._line.slow_down(json.loads(body).get("session_hash"))
            receive = _again(body, receive)
        results = _RESULTS.fullmatch(scope["path"]) if scope["method"] == "GET" else None
        whose = results and (
            results["event"] or QueryParams(scope["query_string"]).get("session_hash")
        )
        with (
            self._line.read(whose, request=bool(results and results["event"]))
            if whose
            else nullcontext()
        ):
            await self._app(scope, receive, _with_headers(scope, send))

    @property
    def _line(self) -> FairQueue:
        return cast("FairQueue", self._page._queue)

    def _problem(self, body: bytes, name: str | None, address: str) -> tuple[int, str] | None:
        """What is wrong with a call, if anything: a status and a sentence."""
        try:
            called = json.loads(body)
            # What can't be written as UTF-8 can't be answered either.
            json.dumps(called, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return 400, "This is no JSON in UTF-8."
        if not isinstance(called, dict) or not isinstance(called.get("data", []), list):
            return 422, 'Expected an object with a list: {"data": [...]}.'
        session = called.get("session_hash")
        if not isinstance(session, str | None) or len(session or "") > 100:
            return 422, "session_hash must be a short text."
        return self._misfit(called, name) or self._too_many(called, name, address)

    def _misfit(self, called: JsonDict, name: str | None) -> tuple[int, str] | None:
        """Whether a call names an endpoint that is there."""
        pointed = called.get("event_data")
        if pointed is not None and not (isinstance(pointed, dict) and "index" in pointed):
            return 422, "event_data must be an object that says what was pointed at."
        number = called.get("fn_index")
        if not isinstance(number, int | None) or isinstance(number, bool):
            return 422, "fn_index must be a whole number."
        found = self._called(number, name)
        if found is None or found.fn is None:  # the browser does those without one itself
            # Who has not logged in learns the same of every name.
            # Gradio sets it when a page is mounted, not when it is made.
            login = getattr(self._page, "auth", None)
            return (401, "Not authenticated") if login else (404, "There is no such endpoint.")
        return None

    def _called(self, number: int | None, name: str | None) -> BlockFunction | None:
        fns = self._page.fns
        if number is not None:
            return fns.get(number)
        wanted = (name or "").strip("/")
        return next((fn for fn in fns.values() if fn.api_name == wanted), None)

    def _too_many(self, called: JsonDict, name: str | None, address: str) -> tuple[int, str] | None:
        """Whether whoever asks has enough in line; what is answered at once has no line."""
        found = self._called(called.get("fn_index"), name)
        if found and found.queue and not self._line.takes(called.get("session_hash"), address):
            return 429, "Your earlier requests are still under way."
        return None


async def _refuse(status: int, told: str, scope: Scope, receive: Receive, send: Send) -> None:
    answer = JSONResponse({"error": told, "detail": told}, status_code=status)
    await answer(scope, receive, send)


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; None as soon as it is larger than any of ours."""
    told = Headers(scope=scope).get("content-length", "0")
    if not told.isdigit() or int(told) > LARGEST_BODY:
        return None
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was read once more, and then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_headers(scope: Scope, send: Send) -> Send:
    """An address may hold a grader's link or the owner's key: it is told to no other site.

    Gradio answers every error with 500; one that passes is 503, and a browser asks again.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            if scope.get(PASSES) and message["status"] == 500:
                message["status"] = 503
            headers = MutableHeaders(scope=message)
            headers["Referrer-Policy"] = "same-origin"
            headers["X-Content-Type-Options"] = "nosniff"
        await send(message)

    return sending
