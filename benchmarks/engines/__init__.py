"""Where cases run."""

from __future__ import annotations

from typing import Any

from model_registry.errors import OhloraError


def make_engine(name: str = "local", address: str | None = None) -> Any:
    """The engine of that name.

    Args:
        name: "local", or "ray" for many machines.
        address: of a running Ray cluster; None starts one on this machine.

    Raises:
        OhloraError: Ray is not installed, or its cluster can't be reached.
    """
    if name == "local":
        from benchmarks.engines.local import LocalEngine

        return LocalEngine()
    try:
        from benchmarks.engines.ray import RayEngine
    except ModuleNotFoundError as error:
        raise OhloraError('--engine ray needs Ray: pip install -e ".[ray]"') from error
    return RayEngine(address)
