"""The built-in backends: one is a file and its `register` line in `__init__.py`, as in a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from model_registry.backends.backend import Backend, RegisterBackend
from model_registry.backends.remote.endpoint import missing_settings
from model_registry.candidate import Candidate
from model_registry.errors import LoadError
from model_registry.hookspecs import hookimpl


def _transformers(
    candidate: Candidate, *, weights: str, device: str, dtype: str = "auto"
) -> Backend:
    # Imported when asked for: listing backends does without jinja2, which templates need.
    from model_registry.backends.transformers_local import TransformersBackend

    return TransformersBackend.load(candidate, weights=weights, device=device, dtype=dtype)


def _openai(candidate: Candidate, *, weights: str, device: str) -> Backend:
    with _needing_libraries():
        # Imports openai, which takes a second, and may not be installed.
        from model_registry.backends.openai_compatible import OpenAIBackend

    return OpenAIBackend.connect(candidate)


def _petals(candidate: Candidate, *, weights: str, device: str) -> Backend:
    with _needing_libraries():
        # Imports httpx2, which may not be installed.
        from model_registry.backends.petals import PetalsBackend

    return PetalsBackend.connect(candidate)


def _replay(candidate: Candidate, *, weights: str, device: str) -> Backend:
    # Imported when asked for: listing backends does without jinja2, which templates need.
    from model_registry.backends.replay import ReplayBackend

    return ReplayBackend.open(candidate)


@contextmanager
def _needing_libraries() -> Iterator[None]:
    """Say what to install where a library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise LoadError.of("library_missing", name=error.name) from error


@hookimpl
def register_backends(register: RegisterBackend) -> None:
    """Register the built-in backends."""
    register("transformers", _transformers, gathers=True)
    register("openai", _openai, missing=missing_settings)
    register("petals", _petals, missing=missing_settings)
    register("replay", _replay)
