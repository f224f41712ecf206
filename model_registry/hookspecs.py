"""The plugin hooks for candidates and backends; the built-in ones use them too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from model_registry.backends.backend import RegisterBackend
    from model_registry.candidate import Candidate

PROJECT = "ohlora"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_candidates(register: Callable[[Candidate], None]) -> None:
    """Offer candidates: call register(candidate) once for each."""


@hookspec
def register_backends(register: RegisterBackend) -> None:
    """Offer a new way to get answers: call register(name, factory) once for each.

    `missing=` may say what a candidate needs to be set up first.
    """
