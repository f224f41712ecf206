"""Downloads a hub model: small files first, checked, then weights; or from the cache.

What is fetched lies in Hugging Face's own cache, where other programs find it again, and is loaded
as any other folder is. Where the hub can't be reached, a whole model in the cache serves.
"""

from __future__ import annotations

import os
import socket
from base64 import b64encode
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from model_registry.architectures.model_config import check_config
from model_registry.candidate import Candidate
from model_registry.errors import LoadError
from model_registry.weights.folder_check import check_folder, is_model
from model_registry.weights.weight_files import INDEX, WEIGHTS, shard_names

#: What a model needs beside its weights; nothing that could hold code.
_SMALL = ("*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken")
#: Adapters, other programs' weights and folders in the repository are none of the model.
_NOT = ("*/*", "adapter_*", "consolidated*")


def network_is_up(host: str | None = None, seconds: float = 3.0) -> bool:
    """Whether the hub (HF_ENDPOINT's, if it is set) or a host can be reached, through a proxy where
    the environment names one. HF_HUB_OFFLINE=1 answers without trying."""
    from huggingface_hub import constants

    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        return False
    hub = urlsplit(constants.ENDPOINT if host is None else f"https://{host}")
    try:
        proxy = _proxy_for(hub)
        if proxy is None:
            socket.create_connection(_address_of(hub), timeout=seconds).close()
            return True
        return _is_reached_through(proxy, hub, seconds)
    except (OSError, HTTPException, ValueError):  # the last: an address that is none
        return False


def _address_of(url: SplitResult) -> tuple[str, int]:
    return url.hostname or "", url.port or (80 if url.scheme == "http" else 443)


def _proxy_for(hub: SplitResult) -> SplitResult | None:
    """The proxy that HTTP(S)_PROXY or ALL_PROXY names for an address that NO_PROXY does not."""
    named = getproxies()
    proxy = named.get(hub.scheme) or named.get("all")
    if not proxy or proxy_bypass(hub.netloc):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _is_reached_through(proxy: SplitResult, hub: SplitResult, seconds: float) -> bool:
    """Whether a proxy finds the way; of one that does not speak HTTP only whether it is there.

    Raises:
        OSError, HTTPException: it is not there, or finds none.
    """
    if proxy.scheme not in ("http", "https"):
        socket.create_connection((proxy.hostname, proxy.port or 1080), timeout=seconds).close()
        return True
    kind = HTTPSConnection if proxy.scheme == "https" else HTTPConnection
    connection = kind(*_address_of(proxy), timeout=seconds)
    login = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}"
    said = {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"}
    said = said if proxy.username else {}
    with closing(connection):
        if hub.scheme == "https":
            connection.set_tunnel(*_address_of(hub), said)
            connection.connect()
            return True
        connection.request("HEAD", hub.geturl(), headers=said)
        status = connection.getresponse().status
        return status < 500 and status != 407  # it could not; or it wants another login


def cached_file(hub_id: str, name: str, revision: str | None) -> Path | None:
    """A repository's file in the hub's cache; None where it is not there.

    Reads names only: nothing is asked of the hub.
    """
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(hub_id, name, revision=revision)
    except ValueError:  # an id that no repository can have
        return None
    return Path(found) if isinstance(found, str) else None


def cached_folder(candidate: Candidate) -> Path | None:
    """The folder of a candidate's whole model in the hub's cache; None where it is not all there.

    No weight is opened.
    """
    if candidate.hub_id is None:
        return None
    found = cached_file(candidate.hub_id, "config.json", candidate.revision)
    if found is None:
        return None
    try:
        whole = all((found.parent / name).exists() for name in shard_names(found.parent))
    except LoadError:
        return None
    return found.parent if whole else None


def fetch(candidate: Candidate) -> Path:
    """The folder of a candidate's model, fetched as far as it is not in the cache.

    Raises:
        LoadError: it must not be loaded; found before its weights are fetched.
        Exception: what huggingface_hub raises where it can't be fetched and is not in the cache.
    """
    try:
        return _download(candidate)
    except LoadError:
        raise
    except Exception:
        cached = cached_folder(candidate)
        if cached is None:
            raise
        return cached


def _download(candidate: Candidate) -> Path:
    from huggingface_hub import snapshot_download

    def get(patterns: list[str]) -> Path:
        return Path(
            snapshot_download(
                str(candidate.hub_id),
                revision=candidate.revision,
                allow_patterns=patterns,
                ignore_patterns=list(_NOT),
            )
        )

    folder = get(list(_SMALL))
    if not is_model(folder):
        raise LoadError.of("no_whole_model", hub_id=candidate.hub_id)
    config = check_folder(folder, weights=False)
    check_config(config, candidate.name, candidate.cure)
    if (folder / INDEX).exists():
        return get([*_SMALL, *shard_names(folder)])
    return get([*_SMALL, WEIGHTS])
