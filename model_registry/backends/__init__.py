"""The backends that come with the project, offered through the same hook as everybody's."""

from __future__ import annotations

from collections.abc import Callable

from model_registry.backends.backend import Backend, BackendFactory
from model_registry.candidate import Candidate
from model_registry.hookspecs import hookimpl


def _transformers(candidate: Candidate, *, weights: str, device: str) -> Backend:
    # Imported when asked for: torch takes seconds, and listing backends needs none of it.
    from model_registry.backends.transformers_local import TransformersBackend

    return TransformersBackend.load(candidate, weights=weights, device=device)


@hookimpl
def register_backends(register: Callable[[str, BackendFactory], None]) -> None:
    """The backends of the house."""
    register("transformers", _transformers)
