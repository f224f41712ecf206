"""Typer's own usage messages, in the reader's language.

Typer writes its headings and its errors in English. They pass through here on their way to the
screen; in English they stay as they are.
"""

from __future__ import annotations

import re
import sys
from typing import cast

import typer
import typer.core
from typer.core import TyperCommand

from model_registry.language import is_korean

#: What stands in help, as it is written there.
_HELP = (
    (r"^Usage:", "사용법:"),
    (r"\[OPTIONS\]", "[옵션]"),
    (r"COMMAND \[ARGS\]\.\.\.", "명령 [인자]..."),
    (r"Show this message and exit\.", "이 도움말을 보여 줍니다."),
)
#: What Typer asks gettext for.
_HEADINGS = {
    "Arguments": "인자",
    "Options": "옵션",
    "Commands": "명령",
    "required": "필수",
    "default: {default}": "기본값: {default}",
    "Missing command.": "명령을 지정하세요.",
    "No such command {name!r}.": "{name!r}라는 명령은 없습니다.",
}
#: Errors; a part of a message may be one of its own.
_ERRORS = (
    (r"^No such option: (\S+)", r"\1: 없는 옵션입니다."),
    (r"\(Possible options: (.+)\)$", r"비슷한 옵션: \1"),
    (r"\.? ?Did you mean (.+)\?$", r". 비슷한 명령: \1"),
    (r"^Missing argument '(.+?)'\.", r"인자 '\1'이(가) 필요합니다."),
    (r"^Missing option '(.+?)'\.", r"옵션 '\1'이(가) 필요합니다."),
    (r"^Invalid value for '(.+?)': ", r"'\1'의 값이 잘못되었습니다: "),
    (r"^Invalid value for (\S+): ", r"\1의 값이 잘못되었습니다: "),
    (r"^Invalid value: ", "값이 잘못되었습니다: "),
    (r"('.*') is not a valid int\.", r"\1은(는) 정수가 아닙니다."),
    (r"('.*') is not a valid float\.", r"\1은(는) 수가 아닙니다."),
    (r"('.*') is not a valid range\.", r"\1은(는) 범위에 맞지 않습니다."),
    (r"^Got unexpected extra argument(?:\(s\)|s)? \((.+)\)", r"인자가 남습니다: \1"),
    (r"^Option '(.+?)' requires an argument\.", r"옵션 '\1'에는 값이 필요합니다."),
    (r"^Option '(.+?)' does not take a value\.", r"옵션 '\1'에는 값을 쓰지 않습니다."),
)


def help_words(text: str) -> str:
    """A help text, or its line of usage."""
    return _replaced(_HELP, text) if is_korean() else text


def error_words(message: str) -> str:
    """What is wrong with how a command was called."""
    return _replaced(_ERRORS, message) if is_korean() else message


def _replaced(table: tuple[tuple[str, str], ...], text: str) -> str:
    for pattern, korean in table:
        text = re.sub(pattern, korean, text, flags=re.MULTILINE)
    return text


def heading(message: str) -> str:
    """One of Typer's headings."""
    return _HEADINGS.get(message, message) if is_korean() else message


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
