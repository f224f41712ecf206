"""The plugin hook for evaluators; the built-in ones use it too."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.evaluator import Evaluator
from model_registry.hookspecs import hookspec


@hookspec
def register_evaluators(register: Callable[[Evaluator], None]) -> None:
    """Offer evaluators: call register(evaluator) once for each."""
