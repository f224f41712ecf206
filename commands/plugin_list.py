"""`ohlora plugins`: lists loaded plugins and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

from rich.markup import escape

from commands.shared.console import out, plugin_files, print_json
from commands.shared.options import Json
from evaluators.evaluator_registry import evaluator_manager
from model_registry.language import text
from model_registry.plugins import offered
from model_registry.registry import registry_manager


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginsOptions:
    """What `ohlora plugins` is asked for."""

    as_json: Json = False


def plugins(options: PluginsOptions) -> None:
    """List what is loaded and from where."""
    registry, evaluators = registry_manager(plugin_files), evaluator_manager(plugin_files)
    rows = [
        *offered(registry, "register_candidates"),
        *offered(registry, "register_backends"),
        *offered(evaluators, "register_evaluators"),
    ]
    if options.as_json:
        print_json({"plugins": rows})
        return
    for row in rows:
        names = row["problem"] or ", ".join(row["names"]) or text("nothing", "없음")
        out.print(f"[bold]{escape(row['plugin'])}[/]  {row['offers']}: {escape(names)}")
