"""The hook through which evaluators are offered, by built-ins and plugins alike."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.evaluator import Evaluator
from model_registry.hookspecs import hookspec


@hookspec
def register_evaluators(register: Callable[[Evaluator], None]) -> None:
    """Offer evaluators: call register(evaluator) once for each."""
