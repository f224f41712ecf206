"""Makes standard output and error safe for third-party text.

A console that is not UTF-8 shows "?" for what it lacks; a reader that has gone (`| head`) is no
error; terminal sequences in replies are taken off; and beside `--json` nothing else is written.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import IO, Any, TextIO, cast

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.text import Text

from model_registry.messages.terminal_text import strip_control_characters

_document: TextIO | None = None  # where a JSON document goes while standard output is kept clean


class Plain(Console):
    """A console that draws what we style and takes terminal sequences out of what it is given."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does it, for harmless text."""
        return super().render_str(strip_control_characters(text), **options)

    def on_broken_pipe(self) -> None:
        """Nobody reads any more: what is being done goes on without a word."""
        _write_nowhere(self.file)


class _Harmless:
    """A stream that `print` may write anything to. rich styles, so it writes past this one."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        try:
            self.rich_proxied_file.write(strip_control_characters(text))
        except BrokenPipeError:
            _write_nowhere(self.rich_proxied_file)
        return len(text)

    def flush(self) -> None:
        try:
            self.rich_proxied_file.flush()
        except BrokenPipeError:
            _write_nowhere(self.rich_proxied_file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


@contextlib.contextmanager
def sanitised_streams() -> Iterator[None]:
    """Standard output and error for the time of one command."""
    global _document
    _document = None  # one that was set aside outside of any command is nobody's any more
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.stdout = cast(TextIO, _Harmless(before[0]))
    sys.stderr = cast(TextIO, _Harmless(before[1]))
    try:
        yield
        sys.stdout.flush()
    finally:
        if _document is not None and _document is not before[0]:
            _document.close()
        _document = None
        sys.stdout, sys.stderr = before


def only_json(asked: bool) -> bool:
    """Where JSON is asked for, what plugins and libraries print goes to standard error."""
    global _document
    if asked and _document is None:
        stream = sys.stdout
        _document = _behind(stream)
        with contextlib.suppress(OSError, ValueError):  # in a notebook there is no descriptor
            if stream.fileno() == 1:  # C libraries and child processes write to that
                _document = _copy_of(stream)
                os.dup2(2, 1)
        sys.stdout = sys.stderr
    return asked


def _behind(stream: TextIO | _Harmless | FileProxy) -> TextIO:
    """The stream that a proxy of ours, or one of rich's, writes to."""
    if isinstance(stream, _Harmless | FileProxy):
        return cast(TextIO, stream.rich_proxied_file)
    return stream


def _copy_of(stream: TextIO) -> TextIO:
    stream.flush()
    copy = os.dup(stream.fileno())
    return cast(TextIO, os.fdopen(copy, "w", encoding=stream.encoding, errors="replace"))


def write_document(json: str, ascii_json: str) -> None:
    """One JSON document on standard output: in ASCII where it can't show the other form."""
    stream = _document or sys.stdout
    try:
        json.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        json = ascii_json
    try:
        print(json, file=stream, flush=True)
    except BrokenPipeError:
        _write_nowhere(stream)


def _write_nowhere(stream: IO[str]) -> None:
    """Send a stream to where everything may be written, so that its end does not fail either."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
