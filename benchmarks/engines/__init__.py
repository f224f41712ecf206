"""Engines: where cases run, on this machine or on a Ray cluster."""

from __future__ import annotations

from benchmarks.engines.engine import Engine
from benchmarks.engines.local import LocalEngine
from benchmarks.engines.placement import WAIT_SECONDS
from benchmarks.engines.replaying import ReplayEngine
from model_registry.errors import OhloraError, UnknownName

ENGINES = ("local", "ray", "replay")


def make_engine(
    name: str = "local",
    address: str | None = None,
    gpu_share: float = 1.0,
    wait_seconds: float = WAIT_SECONDS,
) -> Engine:
    """The engine of that name.

    Args:
        name: "local", "ray" for many machines, or "replay" for recordings.
        address: of a running Ray cluster; None starts one on this machine.
        gpu_share: of a GPU that Ray gives each case.
        wait_seconds: without a word from any case, after which Ray is not waited for any longer.

    Raises:
        UnknownName: no engine is called so.
        OhloraError: Ray is not installed, or its cluster can't be reached.
    """
    if name == "replay":
        return ReplayEngine()
    if name == "local":
        return LocalEngine()
    if name != "ray":
        raise UnknownName("engine", name, ENGINES)
    try:
        # Imports Ray, an extra that takes a second.
        from benchmarks.engines.ray import RayEngine
    except ModuleNotFoundError as error:
        raise OhloraError(
            '--engine ray needs Ray: pip install -e ".[ray]"',
            '--engine ray를 쓰려면 Ray가 필요합니다: pip install -e ".[ray]"',
        ) from error
    return RayEngine(address, gpu_share, wait_seconds=wait_seconds)
