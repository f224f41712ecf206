"""English or Korean: the language of what the program prints."""

from __future__ import annotations

import locale
import os
import tomllib
from collections.abc import Iterator
from contextlib import _GeneratorContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path

from model_registry.messages.polite_endings import polite

Both = tuple[str, str]  # one text in English and in Korean
Said = str | Both  # words of a plugin, which may know one language only

_reader: ContextVar[bool | None] = ContextVar("reader", default=None)
_on_page: ContextVar[bool] = ContextVar("on_page", default=False)


@contextmanager
def read_by(korean: bool) -> Iterator[None]:
    """Use one reader's language, such as a page visitor's, whatever the locale."""
    before = _reader.set(korean)
    try:
        yield
    finally:
        _reader.reset(before)


@contextmanager
def read_on_page(korean: bool) -> Iterator[None]:
    """Use a page visitor's language, and Korean as the page speaks it: in 해요체."""
    before = _on_page.set(True)
    try:
        with read_by(korean):
            yield
    finally:
        _on_page.reset(before)


def for_files() -> _GeneratorContextManager[None]:
    """Use the language-independent forms of texts, for files and JSON.

    Serves as a decorator too.
    """
    return read_by(korean=False)


def is_korean() -> bool:
    """Whether the user's locale is Korean. OHLORA_LANG=ko or en overrides it."""
    reader = _reader.get()
    if reader is not None:
        return reader
    chosen = os.environ.get("OHLORA_LANG")
    if chosen:
        return chosen.lower().startswith("ko")
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(variable):
            return os.environ[variable].lower().startswith("ko")
    return (locale.getlocale()[0] or "").lower().startswith("ko")


def text(english: str, korean: str) -> str:
    """The one of two texts that the user reads; both stand side by side where used.

    The Korean one is written in 합니다체; on a page it is given in 해요체.
    """
    if not is_korean():
        return english
    return polite(korean) if _on_page.get() else korean


def read_texts(path: Path) -> dict[str, tuple[str, str]]:
    """(English, Korean) by code, of a file of ours that holds `en` and `ko` under each code."""
    texts = tomllib.loads(path.read_text(encoding="utf-8"))
    return {code: (both["en"], both["ko"]) for code, both in texts.items()}
