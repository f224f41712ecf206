"""Typer's own usage messages, in the reader's language.

Typer writes its headings and its errors in English. They pass through here on their way to the
screen; in English they stay as they are.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import cast

import typer
import typer.core
from typer.core import TyperCommand

from model_registry.language import is_korean

#: Korean by what Typer says: patterns in help and errors, and what it asks gettext for.
_KOREAN: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("usage.toml").read_text(encoding="utf-8")
)


def help_words(text: str) -> str:
    """A help text, or its line of usage."""
    return _replaced("help", text) if is_korean() else text


def error_words(message: str) -> str:
    """What is wrong with how a command was called."""
    return _replaced("errors", message) if is_korean() else message


def _replaced(table: str, text: str) -> str:
    for pattern, korean in _KOREAN[table].items():
        text = re.sub(pattern, korean, text, flags=re.MULTILINE)
    return text


def heading(message: str) -> str:
    """One of Typer's headings."""
    return _KOREAN["headings"].get(message, message) if is_korean() else message


# Typer calls gettext by this name; a catalog of ours could only follow the environment's language.
typer.core._ = heading  # type: ignore[attr-defined]


class Command(TyperCommand):
    """A command whose help is in the reader's language."""

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        """As Typer formats it."""
        return help_words(super().get_help(ctx))

    def get_usage(self, ctx: typer.Context) -> str:  # type: ignore[override]
        """As Typer formats it."""
        return help_words(super().get_usage(ctx))


#: All that Typer says of wrong usage; it exports the class of bad values only.
UsageError = cast(type[typer.BadParameter], typer.BadParameter.__base__)


def show_usage_error(error: typer.BadParameter) -> None:
    """Print an error of usage: how the command is used, then what was wrong."""
    if not is_korean() or error.message.startswith("사용법:"):
        error.show()  # also where a group was called alone: its help is the message
        return
    lines = []
    if error.ctx is not None:
        path = error.ctx.command_path
        lines = [error.ctx.get_usage(), f"도움말: {path} --help", ""]
    lines.append(f"오류: {error_words(error.format_message())}")
    print("\n".join(lines), file=sys.stderr)
