"""The command line `ohlora`: assembles `commands/`, and turns every mistake into one clear line.

Heavy modules are imported inside the commands that need them: `ohlora --help` and
`ohlora candidates` never load torch.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.markup import escape

from commands import candidates, diagrams, fitting, grades, judging, rows, runs, terminal, tuning
from commands.stopping import exit_status
from commands.streams import harmless_streams
from commands.terminal import err
from model_registry.errors import OhloraError, OhloraWarning
from model_registry.language import text
from model_registry.messages.machine_errors import error_words

app = typer.Typer(
    name="ohlora",
    help=text(
        "Choose the small Korean language model to fine-tune, with evidence.",
        "파인튜닝할 작은 한국어 모델을 근거를 가지고 고릅니다.",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help is there in half the time
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (candidates.app, fitting.app, rows.app, runs.app, tuning.app, judging.app):
    app.add_typer(group)
app.add_typer(grades.app, name="grades", help=text("What people graded.", "사람들이 평가한 것."))
app.add_typer(
    diagrams.app, name="diagram", help=text("Diagrams that models wrote.", "모델이 쓴 다이어그램.")
)


@app.callback()
def _options(
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            help=text("A plugin file; may be repeated.", "플러그인 파일. 반복할 수 있습니다.")
        ),
    ] = None,
) -> None:
    terminal.plugin_files[:] = plugin or []


@app.command(
    "app",
    help=text(
        "Start the page: --host, --port, --share, --auth, --run DIR.",
        "페이지를 엽니다: --host, --port, --share, --auth, --run DIR.",
    ),
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def _page(context: typer.Context) -> None:
    """The same as `python ohlora_app.py`, which reads the options."""
    import ohlora_app

    plugins = [part for file in terminal.plugin_files for part in ("--plugin", str(file))]
    raise typer.Exit(ohlora_app.main([*plugins, *context.args]))


def main() -> NoReturn:
    """Run the command line: 0 done, 1 the user must act, 2 wrong usage; never a traceback."""
    warnings.showwarning = _show_warning
    with harmless_streams():
        try:
            app()
        except OhloraError as error:
            _tell(error.shown)
        except OSError as error:
            _tell(error_words(error))
        except KeyboardInterrupt as stopped:
            sys.exit(exit_status(stopped))
    sys.exit(0)


def _tell(problem: str) -> NoReturn:
    err.print(f"[red]{text('error', '오류')}:[/] {escape(problem)}", soft_wrap=True)
    sys.exit(1)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Ours in one line; those of libraries speak to programmers, not to who runs the tool."""
    if issubclass(category, OhloraWarning):
        err.print(f"[yellow]{text('warning', '주의')}:[/] {escape(str(message))}", soft_wrap=True)


if __name__ == "__main__":
    main()
