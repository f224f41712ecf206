"""The command line `ohlora`: assembles `commands/` and reports every mistake in one clear line.

To add a command, write a function in a module of `commands/` and name it in `commands.toml`. A
module is imported when its command is called: it imports what it needs at its top, while
`ohlora --help` loads none of them.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from commands.shared.console import err, plugin_files
from commands.shared.lazy_group import lazy_group, places_of
from commands.shared.option_class import option
from commands.shared.stopping import exit_status
from commands.shared.streams import sanitised_streams
from commands.shared.usage_words import UsageError, show_usage_error
from model_registry.errors import OhloraError, OhloraWarning
from model_registry.language import text
from model_registry.messages.machine_errors import error_words

COMMANDS, GRADES, DIAGRAMS = map(places_of, ("commands", "grades", "diagram"))

app = typer.Typer(
    name="ohlora",
    cls=lazy_group(COMMANDS),
    help=text(
        "Choose the small Korean language model to fine-tune, with evidence.",
        "파인튜닝할 작은 한국어 모델을 근거를 가지고 고릅니다.",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help is there in half the time
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(
    typer.Typer(cls=lazy_group(GRADES), no_args_is_help=True),
    name="grades",
    help=text(
        "What people grade, and what they graded.",
        "사람이 무엇을 평가할지 정하고, 매긴 등급을 내보내고 들여옵니다.",
    ),
)
app.add_typer(
    typer.Typer(cls=lazy_group(DIAGRAMS), no_args_is_help=True),
    name="diagram",
    help=text("Diagrams that models wrote.", "모델이 쓴 다이어그램을 읽고, 그리고, 채점합니다."),
)


@app.callback()
def _options(
    plugin: Annotated[
        list[Path] | None,
        option("A plugin file; may be repeated.", "플러그인 파일. 반복할 수 있습니다."),
    ] = None,
) -> None:
    plugin_files[:] = plugin or []


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line: 0 done, 1 the user must act, 2 wrong usage; never a traceback.

    Args:
        arguments: instead of those that the program was called with.
    """
    warnings.showwarning = _show_warning
    with sanitised_streams():
        try:
            status = app(arguments, prog_name="ohlora", standalone_mode=False)
        except UsageError as error:
            show_usage_error(error)
            sys.exit(error.exit_code)
        except typer.Abort:
            _tell(text("aborted", "중단했습니다"))
        except OhloraError as error:
            _tell(error.shown)
        except OSError as error:
            _tell(error_words(error))
        except KeyboardInterrupt as stopped:
            sys.exit(exit_status(stopped))
    sys.exit(status if isinstance(status, int) else 0)  # of a command that ended early


def _tell(problem: str) -> NoReturn:
    err.print(f"[red]{text('error', '오류')}:[/] {escape(problem)}", soft_wrap=True)
    sys.exit(1)


def _show_warning(
    message: Warning | str, category: type[Warning], *_: object, **__: object
) -> None:
    """Ours in one line; those of libraries speak to programmers, not to who runs the tool."""
    if issubclass(category, OhloraWarning):
        err.print(f"[yellow]{text('warning', '주의')}:[/] {escape(str(message))}", soft_wrap=True)


if __name__ == "__main__":
    main()
