"""Renders chat templates in a sandboxed, killable process: a template is third-party code.

Run as a script it reads one JSON request a line ({"template", "variables"}) and answers with one
({"text"}, or {"problem", "said"}). Only the standard library and jinja2 are imported, so that it
is there in a tenth of a second.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import Template
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from model_registry.files.json_values import JsonObject  # the process has no path to it


SECONDS = 5.0  # for one conversation; a real template needs milliseconds for a megabyte
MEMORY_BYTES = 512 << 20  # of address space; Python and jinja2 take a tenth of it
#: Characters that a template may write beside ten times what it was given.
LONGEST = 4 << 20


class TooLong(Exception):
    """The template writes without end."""


class _Generation(Extension):
    """`{% generation %}` marks what an assistant wrote, for training masks: here it writes it."""

    tags = {"generation"}  # noqa: RUF012 - as jinja2 declares it

    def parse(self, parser: Parser) -> Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_written")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _written(self, caller: Callable[[], str]) -> str:
        return str(caller())


class _Dict:
    """`dict` for templates, without the attributes of the class."""

    def __call__(self, *values: Any, **named: Any) -> dict[Any, Any]:
        return dict(*values, **named)

    def fromkeys(self, *values: Any) -> dict[Any, Any]:
        return dict.fromkeys(*values)


class _Namespace(jinja2.utils.Namespace):
    """`namespace` for templates, without names that begin with an underscore."""

    def __init__(*given: object, **named: object) -> None:
        self, *rest = given
        values = dict(*rest, **named)
        for name in values:
            _public(name)
        jinja2.utils.Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: object) -> None:
        _public(name)
        super().__setitem__(name, value)


def _public(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a template can't set {name!r}")


def _refuse(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def _to_json(value: object, ensure_ascii: bool = False, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


@lru_cache(maxsize=16)
def _compiled(template: str) -> Template:
    """The template in the environment that transformers gives its templates."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals |= {
        "raise_exception": _refuse,
        "strftime_now": lambda form: datetime.now().strftime(form),
        "dict": _Dict(),
        "namespace": _Namespace,
    }
    return environment.from_string(template)


def render(template: str, variables: JsonObject) -> str:
    """Render one template.

    Raises:
        TooLong: it writes without end.
        Exception: whatever jinja2 or the template raises.
    """
    given = sum(len(m.get("content") or "") for m in variables.get("messages", ()))
    left = LONGEST + 10 * given
    pieces = []
    for piece in _compiled(template).generate(**variables):
        pieces.append(piece)
        if (left := left - len(piece)) < 0:
            raise TooLong
    return "".join(pieces)


def answer(request: JsonObject) -> dict[str, str]:
    """The answer to one request: a text, or what is wrong in a word and in the library's words."""
    try:
        return {"text": render(request["template"], request["variables"])}
    except MemoryError:
        return {"problem": "memory", "said": ""}
    except TooLong:
        return {"problem": "length", "said": ""}
    except Exception as error:  # noqa: BLE001 - a template may raise anything
        refused = type(error) is jinja2.exceptions.TemplateError
        return {"problem": "refused" if refused else "broken", "said": _said(error)}


def _said(error: Exception) -> str:
    line = " ".join(str(error).split())[:200]
    return (
        line
        if isinstance(error, jinja2.exceptions.TemplateError) and line
        else (f"{type(error).__name__}: {line}" if line else type(error).__name__)
    )


def _limit() -> None:
    """What the kernel holds this process to, whatever a template does."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the alarm ends the process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: the pipe's end ends us


def main() -> None:
    """Answer requests until the pipe is closed."""
    _limit()
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        said = answer(json.loads(line))
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.buffer.write(json.dumps(said).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
