"""Connects to a Ray cluster or starts one here, and lists its machines."""

from __future__ import annotations

import os
import secrets
from typing import Any

import ray

from benchmarks.engines.fork_server import python_path
from benchmarks.engines.placement import Resources
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonDict


def connect(address: str | None, cpus: int | None) -> None:
    """Connect to the cluster at an address; None starts one on this machine.

    Raises:
        OhloraError: nothing answers at the address, or no cluster comes up here.
    """
    common: dict[str, Any] = {
        "log_to_driver": False, "logging_level": "ERROR", "ignore_reinit_error": True,
        # The tasks find our modules where this clone is, installed or not.
        "runtime_env": {"env_vars": {"PYTHONPATH": python_path()}},
    }  # fmt: skip
    if address is None:
        # A cluster of our own needs no token file in the home folder, but a token.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        _start_here(num_cpus=cpus, **common)
        return
    try:
        ray.init(address=address, **common)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OhloraError(
            f"No Ray cluster answers at {address} ({first}). On its first machine: "
            "`ray start --head --port=6379`; each machine needs the same token and versions "
            "(docs/sweeps.md).",
            f"{address}의 Ray 클러스터가 응답하지 않습니다({first}). 첫 장비에서 `ray start "
            "--head --port=6379`를 실행하고, 모든 장비의 토큰과 버전을 맞추세요(docs/sweeps.md).",
        ) from error


def live_machines() -> list[JsonDict]:
    """The cluster's live machines: name, address, id, resources, and those left free."""
    free = _free_by_machine()
    return [
        {
            "name": node["NodeManagerHostname"],
            "address": node["NodeManagerAddress"],
            "id": node["NodeID"],
            "resources": dict(node["Resources"]),
            "free": free.get(node["NodeID"], {}),
        }
        for node in ray.nodes()
        if node["Alive"]
    ]


def _start_here(**options: Any) -> None:
    """A cluster on this machine. Ray gives its parts 30 s, which a busy machine may not have.

    Raises:
        OhloraError: it did not come up, twice.
    """
    for last in (False, True):
        try:
            ray.init(address="local", include_dashboard=False, **options)
            return
        except Exception as error:
            ray.shutdown()
            if last or "timed out during startup" not in str(error):
                first = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise OhloraError(
                    f"Ray did not come up on this machine ({first}). `--engine local` needs none.",
                    f"이 장비에서 Ray가 시작되지 않았습니다({first}). `--engine local`에는 Ray가 "
                    "필요 없습니다.",
                ) from error


def _free_by_machine() -> dict[str, Resources]:
    """What each machine has left, by its id. Ray tells this only by a module of its own."""
    from ray._private.state import available_resources_per_node

    return dict(available_resources_per_node())
