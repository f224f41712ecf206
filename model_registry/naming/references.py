"""Parses names of models that no catalog has: a hub id with a revision, or a server's URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from model_registry.candidate import Candidate, License

_PART = r"[A-Za-z0-9_](?:[\w.\-]{0,94}[\w])?"  # of a hub id, as the hub itself allows it
_HUB = re.compile(rf"({_PART}/{_PART})(?:@([\w.\-/]{{1,200}}))?", re.ASCII)
_PAGE = re.compile(rf"/({_PART}/{_PART})(?:/(?:tree|blob)/([^/]+)(?:/.*)?)?/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class HubReference:
    """A repository of the hub; `revision` is a branch, a tag or a commit, None for its main one."""

    hub_id: str
    revision: str | None = None

    @property
    def name(self) -> str:
        """As a user would write it."""
        return f"{self.hub_id}@{self.revision}" if self.revision else self.hub_id


def hub_reference(name: str) -> HubReference | None:
    """What `org/model`, `org/model@revision` or the address of a model's page means; else None."""
    if (page := _hub_page(name)) is not None:
        return page
    found = _HUB.fullmatch(name)
    if found is None or ".." in name or "--" in found[1]:
        return None
    return HubReference(found[1], found[2])


def _hub_page(name: str) -> HubReference | None:
    if not name.startswith(("https://", "http://")):
        return None
    from huggingface_hub import constants

    parts = urlsplit(name)
    if parts.hostname not in ("huggingface.co", "hf.co", urlsplit(constants.ENDPOINT).hostname):
        return None
    if parts.port != urlsplit(constants.ENDPOINT).port and parts.port is not None:
        return None
    found = _PAGE.fullmatch(parts.path)
    return HubReference(found[1], unquote(found[2]) if found[2] else None) if found else None


def served_candidate(name: str) -> Candidate | None:
    """The candidate that `http://host:8080/v1#model` names: one that a server answers for.

    llama.cpp, vLLM and others serve a GGUF or a folder so. What stands behind # is the model that
    the server is asked for; a server of one model needs none. None where a name is no URL.
    """
    if not name.startswith(("http://", "https://")):
        return None
    parts = urlsplit(name)
    if not parts.hostname:
        return None
    address = parts._replace(fragment="").geturl().rstrip("/")
    model = unquote(parts.fragment)
    where = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    return Candidate(
        name=f"{model or 'served'}@{where}",
        license=License("unknown", "unknown", note="it is the licence of the model that is served"),
        parameters_note="the model is served elsewhere: its server does not tell",
        backend="openai",
        endpoint={"base_url": address if parts.path.strip("/") else f"{address}/v1",
                  "model": model or "default"},
    )  # fmt: skip
