"""Renders a tokenizer's chat template safely, in its own process.

A template comes with the weights and is a program: it may loop, or write gigabytes. Each one but
our own is rendered by `template_process.py`, which the kernel holds to its time and memory.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from model_registry.bundled.bundled_template import CHAT_TEMPLATE
from model_registry.errors import BadTemplate
from model_registry.prompting import template_process

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = Mapping[str, str]
LARGEST = 1 << 20  # characters of a template; the longest known has 20,000


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A template and the special tokens that it may write, by their names in it."""

    text: str
    tokens: tuple[tuple[str, object], ...] = ()

    def render(self, messages: Sequence[Message], **variables: object) -> str:
        """Render a conversation as transformers would.

        Args:
            messages: {"role", "content"} each.
            variables: `add_generation_prompt` and whatever the template reads beside it.

        Raises:
            BadTemplate: it is none, refuses the conversation, or takes too much time or memory.
        """
        if len(self.text) > LARGEST:
            raise BadTemplate("length", f"it is {len(self.text):,} characters long")
        if messages and _reads_parts(self):
            return self._render([_in_parts(message) for message in messages], variables)
        return self._render([dict(message) for message in messages], variables)

    def _render(
        self, messages: Sequence[Mapping[str, object]], variables: Mapping[str, object]
    ) -> str:
        told = {"tools": None, "documents": None, "add_generation_prompt": False}
        known = {**told, **dict(self.tokens), **variables, "messages": messages}
        request = {"template": self.text, "variables": known}
        said = template_process.answer(request) if self.is_ours else _PROCESS.ask(request)
        if "text" in said:
            return said["text"]
        raise BadTemplate(said["problem"], said["said"])

    @property
    def is_ours(self) -> bool:
        """Whether it is the bundled models' own, which needs no process of its own."""
        return self.text == CHAT_TEMPLATE


def _in_parts(message: Message) -> dict[str, object]:
    """The message as models that see are given it: its text is one part of several."""
    return {**message, "content": [{"type": "text", "text": message["content"]}]}


@lru_cache(maxsize=64)
def _reads_parts(template: ChatTemplate) -> bool:
    """Whether a template loses a plain text and writes one that is a part: it goes through what it
    is given, and the letters of a text are no parts."""
    asked = {"role": "user", "content": "가나다라"}

    def writes(message: Mapping[str, object]) -> bool:
        try:
            return asked["content"] in template._render([message], {"add_generation_prompt": True})
        except BadTemplate as error:
            if error.problem not in ("refused", "broken"):
                raise
            return False

    return not writes(asked) and writes(_in_parts(asked))


def template_of(tokenizer: PreTrainedTokenizerBase) -> ChatTemplate | None:
    """The template that transformers would take: inside the tokenizer's configuration or in a file
    of its own, the one called "default" where there are several. None where there is none."""
    text = getattr(tokenizer, "chat_template", None)
    if isinstance(text, dict):
        text = text.get("default") or next(iter(text.values()), None)
    if not text:
        return None
    named = tokenizer.special_tokens_map.items()
    return ChatTemplate(
        str(text),
        tuple((k, tuple(map(str, v)) if isinstance(v, list | tuple) else str(v)) for k, v in named),
    )


class _Process:
    """The process that renders, started at the first request and again after it was killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._killers: dict[str, str] = {}  # templates that ended it, with what they did

    def ask(self, request: Mapping[str, object]) -> dict[str, str]:
        """The answer to one request; a template that ended the process is not tried again."""
        template = str(request["template"])
        with self._lock:
            for _ in range(2):  # whoever ends it from outside costs nobody an answer
                if template in self._killers:
                    break
                if (line := self._exchange(json.dumps(request).encode() + b"\n")) is not None:
                    return dict(json.loads(line))
                if self._ended() == -signal.SIGALRM:
                    self._killers[template] = "time"
        return {"problem": self._killers.setdefault(template, "memory"), "said": ""}

    def _exchange(self, request: bytes) -> bytes | None:
        """The line that comes back for one; None where the process ended instead."""
        running = self._running = self._running or _start()
        if running.stdin is None or running.stdout is None:  # for mypy: both are pipes
            return None
        with suppress(BrokenPipeError):
            running.stdin.write(request)
            running.stdin.flush()
            line = running.stdout.readline()
            return line if line.endswith(b"\n") else None
        return None

    def _ended(self) -> int:
        """How the process ended; the next request starts another."""
        running, self._running = self._running, None
        return _close(running) if running is not None else 0

    def forget(self) -> None:
        """A forked child has neither the parent's lock nor its process."""
        self._lock, self._running = threading.Lock(), None

    def stop(self) -> None:
        """End the process, if it runs."""
        self._ended()


def _start() -> subprocess.Popen[bytes]:
    script = Path(template_process.__file__)
    # -I: nothing of the user's folder or environment is imported.
    return subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-I", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _close(running: subprocess.Popen[bytes]) -> int:
    """Close its pipes, which ends it, and wait for it; how it ended."""
    for pipe in (running.stdin, running.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    return running.wait()


_PROCESS = _Process()
atexit.register(_PROCESS.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PROCESS.forget)
