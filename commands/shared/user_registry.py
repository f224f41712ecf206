"""The registry for commands: built-in candidates and backends and those of the user's plugins."""

from __future__ import annotations

from commands.shared.console import plugin_files
from model_registry.registry import Registry


def registry() -> Registry:
    """Candidates and backends, those of the user's plugins included."""
    return Registry(plugin_files)
