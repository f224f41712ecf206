"""Opens a backend by name: a candidate, an adapter's folder or a model's folder."""

from __future__ import annotations

from pathlib import Path

from model_registry import machine
from model_registry.backends.backend import Backend
from model_registry.backends.transformers_local import TransformersBackend
from model_registry.candidate import Candidate
from model_registry.errors import OhloraError
from model_registry.hub import cached_folder, network_is_up
from model_registry.messages.path_errors import existing_path
from model_registry.naming.resolve import find_candidate
from model_registry.registry import Registry
from model_registry.weights.adapter import is_tuned, load_tuned


def open_backend(
    name: str,
    registry: Registry,
    *,
    weights: str = "auto",
    device: str = "auto",
    dtype: str = "auto",
    base_folder: Path | None = None,
    cure: str | None = None,
) -> Backend:
    """A backend ready to answer as `name`.

    `dtype` is for models that are loaded here, `base_folder` for an adapter whose base moved,
    `cure` for a configuration that its own class refuses.

    Raises:
        UnknownName: nothing is called so.
        OhloraError: it can't be loaded; the message says what would help.
    """
    where = machine.pick_device(device)
    there = existing_path(name)
    if there is not None and is_tuned(there):
        source = "hub" if weights == "auto" else weights
        return TransformersBackend(
            load_tuned(
                there, registry, source=source, device=where, dtype=dtype, base_folder=base_folder
            )
        )
    candidate = find_candidate(name, registry, base=base_folder, cure=cure)
    source = source_for(candidate, weights)
    # A backend that asks elsewhere takes no precision: its server has its own.
    own = {"dtype": dtype} if candidate.backend == "transformers" and dtype != "auto" else {}
    return registry.backend(candidate.backend)(candidate, weights=source, device=where, **own)


def source_for(candidate: Candidate, weights: str) -> str:
    """Where this candidate's weights come from; "auto" is its folder, else the hub or its cache.

    Raises:
        OhloraError: they are not in the hub's cache, and there is no network.
    """
    if weights != "auto":
        return weights
    if candidate.path is not None or candidate.backend != "transformers":
        return "path"
    if cached_folder(candidate) is None and not network_is_up():
        raise OhloraError(
            f"{candidate.name} must be fetched from the hub, which can't be reached. The bundled "
            "ones need no network: `ohlora candidates --catalog bundled` lists them.",
            f"{candidate.name}은(는) 허브에서 내려받아야 하는데 연결되지 않습니다. 번들 후보에는 "
            "네트워크가 필요 없습니다: `ohlora candidates --catalog bundled`",
        )
    return "hub"
