"""Declares a command's options as one frozen dataclass that Typer reads.

To add an option, add a field to the command's class: its name is the option's, its default the
option's, and `Annotated[type, option(english, korean, callback=…)]` says the rest. What two
commands have is declared once, in `options.py`. The command then finds it as `options.NAME`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from model_registry.language import text

Options = TypeVar("Options")


def option(english: str, korean: str, *names: str, **rest: Any) -> OptionInfo:
    """An option and its help; `names` are what it is called where its field's name does not do."""
    made: OptionInfo = typer.Option(*names, help=text(english, korean), **rest)
    return made


def argument(english: str, korean: str, **rest: Any) -> ArgumentInfo:
    """An argument and its help."""
    made: ArgumentInfo = typer.Argument(help=text(english, korean), **rest)
    return made


def spread(command: Callable[[Options], None]) -> Callable[..., None]:
    """The function that Typer reads: it has a parameter for each field of the command's class."""
    (parameter,) = inspect.signature(command, eval_str=True).parameters.values()
    options: type[Any] = parameter.annotation
    types = get_type_hints(options, include_extras=True)

    def call(**given: object) -> None:
        command(options(**given))

    parameters = [_parameter(field, types[field.name]) for field in fields(options)]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = types
    return call


def _parameter(field: Field[Any], annotation: object) -> inspect.Parameter:
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
