"""Loads plugins: installed packages (entry-point group "ohlora") and files (`--plugin`).

`plugin_manager` returns a fresh manager; nothing is kept globally, so tests and callers make
their own. A plugin that does not import, or that implements a hook we do not have, is a warning
that names it: somebody else's mistake must not stop a run.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Protocol, TypedDict

import pluggy

from model_registry.errors import BadFile, OhloraError, OhloraWarning
from model_registry.hookspecs import PROJECT


class PluginWarning(OhloraWarning):
    """A plugin was left out, or one of its hooks failed."""


class BuiltIn(Protocol):
    """A plugin of our own: a module, or what stands for one."""

    __name__: str


def plugin_manager(
    hookspecs: Sequence[ModuleType],
    builtins: Sequence[BuiltIn] = (),
    files: Iterable[Path | str] = (),
    *,
    entry_points: bool = True,
) -> pluggy.PluginManager:
    """A plugin manager with these hooks, our own plugins, installed ones and files.

    Raises:
        BadFile: a file named by the user is missing or does not import.
    """
    manager = pluggy.PluginManager(PROJECT)
    for spec in hookspecs:
        manager.add_hookspecs(spec)
    for builtin in builtins:
        manager.register(builtin, name=f"built-in {builtin.__name__}")
    if entry_points:
        _load_entry_points(manager)
    for path in dict.fromkeys(Path(file).resolve() for file in files):
        module = _import_file(path)
        try:
            _register(manager, module, name=str(path))
        except pluggy.PluginValidationError as error:
            raise BadFile(
                path, None, f"plugin: {_reason(error)}", f"플러그인 오류: {_reason(error)}"
            ) from error
    return manager


def _load_entry_points(manager: pluggy.PluginManager) -> None:
    """Load installed plugins one by one: pluggy's own loader stops at the first broken one."""
    for entry in importlib.metadata.entry_points(group=PROJECT):
        package = entry.dist.name if entry.dist else entry.name
        try:
            plugin = entry.load()
            if not manager.is_registered(plugin):  # one plugin may have two entry points
                _register(manager, plugin, name=f"{package}:{entry.name}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever third-party code raises
            _warn(f"plugin {entry.name} of package {package} was left out: {_reason(error)}")


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise BadFile(path, None, "no such plugin file", "플러그인 파일이 없습니다")
    spec = importlib.util.spec_from_file_location(f"ohlora_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BadFile(
            path, None, "a plugin file must end in .py", "플러그인 파일 이름은 .py로 끝나야 합니다"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        with third_party_code():
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise BadFile(
            path,
            _line_in(path, error),
            f"plugin: {_reason(error)}",
            f"플러그인 오류: {_reason(error)}",
        ) from error
    return module


def _register(manager: pluggy.PluginManager, plugin: object, name: str) -> None:
    """Register one plugin and speak up about hooks that nobody will ever call.

    Our hooks live in two packages with a manager each, so a hook of the other package is fine:
    only names that neither has are misspelt.
    """
    manager.register(plugin, name=name)
    for attribute in dir(plugin):
        # A plugin is whatever was imported; pluggy marks its hooks by an attribute of them.
        marked = getattr(getattr(plugin, attribute, None), f"{PROJECT}_impl", None)
        hook = (marked or {}).get("specname") or attribute
        if marked is not None and hook not in HOOK_NAMES:
            near = difflib.get_close_matches(hook, HOOK_NAMES, n=1, cutoff=0)
            _warn(f"plugin {name} implements {hook}, which is no hook. Did you mean {near[0]}?")


#: All hooks, whichever package's manager calls them.
HOOK_NAMES = ("register_candidates", "register_backends", "register_evaluators")


def call_each(
    manager: pluggy.PluginManager, hook: str, register: Callable[..., None]
) -> list[tuple[str, BaseException]]:
    """Call a hook plugin by plugin, so that one that raises costs only itself.

    Returns the failures as (plugin's name, exception). Our own errors (two of one name, a
    broken line of a catalog) pass through: their message is for the user.
    """
    failures: list[tuple[str, BaseException]] = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        try:
            with third_party_code():
                implementation.function(register)
        except OhloraError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever third-party code raises
            failures.append((implementation.plugin_name, error))
            _warn(f"plugin {implementation.plugin_name}: {hook} failed: {_reason(error)}")
    return failures


@contextmanager
def third_party_code() -> Iterator[None]:
    """Around a plugin's code: a process that it forks can't go on as a second copy of us."""
    ours = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != ours:
            os._exit(0)


def _reason(error: BaseException) -> str:
    """The error in one line. pluggy says what is wrong in its last line, others in the first."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    line = lines[-1] if isinstance(error, pluggy.PluginValidationError) else lines[0]
    return f"{type(error).__name__}: {line}"


def _line_in(path: Path, error: BaseException) -> int | None:
    """The last line of this file in the error's traceback (or the line of a syntax error)."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _warn(message: str) -> None:
    warnings.warn(message, PluginWarning, stacklevel=3)


class Offer(TypedDict):
    """What one plugin offers through one hook, or why nothing is known of it."""

    plugin: str
    offers: str
    names: list[str]
    problem: str | None


def offered(manager: pluggy.PluginManager, hook: str) -> list[Offer]:
    """What each plugin registers through a hook."""
    rows: list[Offer] = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        names, problem = _names_offered(implementation.function)
        rows.append(
            {
                "plugin": implementation.plugin_name,
                "offers": hook.removeprefix("register_"),
                "names": names,
                "problem": problem,
            }
        )
    return rows


def _names_offered(hook: Callable[..., None]) -> tuple[list[str], str | None]:
    """The names that a hook offers, and why it offers no more where it raises."""
    names: list[str] = []

    def note(offered: object, *_: object, **__: object) -> None:
        # A backend comes with its name; what else a plugin hands over is its own to get wrong.
        names.append(str(getattr(offered, "name", offered)))

    try:
        with third_party_code():
            hook(note)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever third-party code raises
        return names, _reason(error)
    return names, None
