"""ASGI middleware that completes the page's HTML: its language, and a first text to read.

Gradio's HTML is an empty body until its scripts have run, always says `lang="en"`, and follows
the browser's language only. Here the visitor's choice (`?lang=ko`, kept in a cookie) comes first,
before any script reads the language; and a title stands there until the page itself does.
"""

from __future__ import annotations

import html
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model_registry.language import is_korean
from pages.page_texts import WORDS

#: The cookie that keeps a visitor's choice of language.
COOKIE = "ohlora_lang"
LANGUAGES = ("ko", "en")


def language_of(query_language: str, headers: Headers | dict[str, str]) -> str:
    """ "ko" or "en": by the address, else the cookie, else the browser, else this server."""
    if query_language in LANGUAGES:
        return query_language
    try:
        kept = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        kept = None
    if kept and kept.value in LANGUAGES:
        return kept.value
    preferred = headers.get("accept-language")
    korean = is_korean() if not preferred else preferred.lower().startswith("ko")
    return "ko" if korean else "en"


class PageShell:
    """The middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET"
        if not is_page:
            await self._app(scope, receive, send)
            return
        asked = QueryParams(scope["query_string"]).get("lang", "")
        language = language_of(asked, Headers(scope=scope))
        kept = f"{COOKIE}={asked}; Path=/; Max-Age=31536000; SameSite=Lax"
        await self._app(
            scope, receive, _Completed(send, language, kept if asked in LANGUAGES else "")
        )


class _Completed:
    """Sends a response on; HTML only when it is whole, and completed."""

    def __init__(self, send: Send, language: str, cookie: str) -> None:
        self._send, self._language, self._cookie = send, language, cookie
        self._start: Message | None = None
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            is_html = (
                Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")
            )
            if not is_html:
                await self._send(message)
                return
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        body = completed(b"".join(self._parts).decode(), self._language).encode()
        headers = MutableHeaders(scope=start)
        headers["Content-Length"] = str(len(body))
        headers["Vary"] = "Accept-Language, Cookie"
        if self._cookie:
            headers.append("Set-Cookie", self._cookie)
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def completed(page: str, language: str) -> str:
    """Gradio's HTML in this language, with a title to read at once."""
    page = page.replace('lang="en"', f'lang="{language}"', 1)
    page = page.replace("<head>", "<head>" + _SCRIPT % {"language": language}, 1)
    subtitle = WORDS["subtitle"][language == "ko"]
    first = f'<div id="first-look"><h1>Oh-LoRA</h1><p>{html.escape(subtitle)}</p></div>'
    return page.replace("<gradio-app", first + "<gradio-app", 1)


#: Every script of the page, Gradio's too, asks the browser for its language. The title is taken
#: away when the page has its own.
_SCRIPT = """
<script>
  Object.defineProperty(navigator, "language", { get: () => "%(language)s" });
  Object.defineProperty(navigator, "languages", { get: () => ["%(language)s"] });
  new MutationObserver((_, watch) => {
    if (!document.getElementById("title")) return;
    document.getElementById("first-look")?.remove();
    watch.disconnect();
  }).observe(document, { childList: true, subtree: true });
</script>
<style>
  #first-look { width: 100%%; max-width: 1180px; margin: 0 auto; }
  #first-look { padding: 24px; box-sizing: border-box; }
  #first-look h1 { font-size: 1.35rem; margin: 0; }
  #first-look p { margin: 2px 0 0; opacity: .7; }
</style>
"""
