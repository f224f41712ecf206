"""A Typer group that imports a command's module only when the command is called.

`--help` of the group needs names and one line each: both stand in `commands.toml`, so that a
command's own module may import at its top whatever it works with.
"""

from __future__ import annotations

import importlib
import inspect
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer._click.globals import get_current_context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from commands.shared.option_class import spread
from commands.shared.usage_words import Command, heading, help_words
from model_registry.files.json_values import JsonObject
from model_registry.language import text

if TYPE_CHECKING:
    from typer._click import Command as AnyCommand
    from typer._click import Context, HelpFormatter

_TABLE = Path(__file__).resolve().parents[1] / "commands.toml"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the function of a command is ("package.module:function"), and its one-line help.

    `inside` are commands of its own: without one of them the function itself is called.
    """

    where: str
    english: str
    korean: str
    inside: Mapping[str, Place] = field(default_factory=dict)

    @property
    def help(self) -> str:
        """The line in the reader's language."""
        return text(self.english, self.korean)

    def load(self, name: str) -> AnyCommand:
        """Import the module and make the command."""
        module, _, function = self.where.partition(":")
        holder = typer.Typer(add_completion=False, rich_markup_mode=None)
        command = getattr(importlib.import_module(module), function)
        if not self.inside:
            holder.command(name, help=self.help, cls=Command)(spread(command))
            return get_command(holder)
        group = lazy_group(self.inside)
        holder.callback(cls=group, invoke_without_command=True, help=self.help)(
            _called_alone(spread(command))
        )
        return get_command(holder)


def places_of(group: str) -> dict[str, Place]:
    """The commands of a group, by name, as `commands.toml` has them."""
    return _places(tomllib.loads(_TABLE.read_text(encoding="utf-8"))[group])


def _places(table: Mapping[str, JsonObject]) -> dict[str, Place]:
    return {
        name: Place(row["call"], row["en"], row["ko"], _places(row.get("inside", {})))
        for name, row in table.items()
    }


def _called_alone(call: Callable[..., None]) -> Callable[..., None]:
    """The same function, which does nothing where a command inside it was called."""

    def alone(**given: object) -> None:
        if get_current_context().invoked_subcommand is None:
            call(**given)

    alone.__signature__ = inspect.signature(call)  # type: ignore[attr-defined]
    alone.__annotations__ = call.__annotations__
    return alone


class LazyGroup(TyperGroup):
    """Knows its commands by name and help; `lazy_group` gives it their places."""

    places: ClassVar[Mapping[str, Place]] = {}

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for name, place in self.places.items():
            self.commands.setdefault(name, TyperCommand(name, help=place.help))

    def list_commands(self, ctx: Context) -> list[str]:
        """The names in the table's order, before those of groups inside."""
        return [*self.places, *(name for name in self.commands if name not in self.places)]

    def get_command(self, ctx: Context, cmd_name: str) -> AnyCommand | None:
        """The command itself, its module imported."""
        place = self.places.get(cmd_name)
        return place.load(cmd_name) if place else super().get_command(ctx, cmd_name)

    def get_help(self, ctx: Context) -> str:
        """As Typer formats it, in the reader's language."""
        return help_words(super().get_help(ctx))

    def get_usage(self, ctx: Context) -> str:
        """As Typer formats it, in the reader's language."""
        return help_words(super().get_usage(ctx))

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Names and helps from the table: nothing is imported."""
        with formatter.section(heading("Commands")):
            formatter.write_dl(
                [(name, self.commands[name].help or "") for name in self.list_commands(ctx)]
            )


def lazy_group(places: Mapping[str, Place]) -> type[LazyGroup]:
    """A class for `typer.Typer(cls=…)` whose commands are these."""
    return type("LazyGroup", (LazyGroup,), {"places": places})
