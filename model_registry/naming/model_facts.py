"""Facts of a model known without its weights: small files and tensor headers.

A folder here and a repository of the hub are described alike, so that one check serves both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from model_registry.errors import LoadError
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.files.small_json import read_json_object
from model_registry.naming.hub_client import TOKENIZER_FILES
from model_registry.weights.folder_check import ADAPTER, ADAPTER_WEIGHTS, check_files
from model_registry.weights.weight_files import (
    INDEX,
    WEIGHTS,
    Tensor,
    dtype_of_most,
    read_weights,
    shard_names,
)

_MOST_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Card:
    """What a model's card reports of the model; reported by its publisher, never verified."""

    license: str = ""
    license_link: str = ""
    languages: tuple[str, ...] = ()
    base_model: str = ""
    gated: bool = False


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model before its weights.

    `tensors` is None where the headers can't be read, and `weights_problem` says why; an adapter
    has those of its own matrices. `token_ids` are those of special tokens, as far as small files
    tell. `hub_id` and `commit` are of the hub's repository, `read_on` the day it was read.
    """

    name: str
    config: JsonObject
    tokenizer_config: JsonObject = field(default_factory=dict)
    generation_config: JsonObject = field(default_factory=dict)
    chat_template: str | None = None
    token_ids: Mapping[str, int] = field(default_factory=dict)
    tokenizer_files: tuple[str, ...] = ()
    tensors: Mapping[str, Tensor] | None = None
    weights_problem: str = ""
    weight_bytes: int | None = None
    weight_files: int | None = None
    card: Card = Card()
    hub_id: str | None = None
    commit: str | None = None
    read_on: str = ""

    @property
    def parameters(self) -> int | None:
        """The numbers that the weights hold, by their headers; None where packed or unread.

        A matrix that is tied and stored twice counts twice, as it is stored.
        """
        if self.tensors is None or self.config.get("quantization_config"):
            return None
        return sum(tensor.elements for tensor in self.tensors.values())

    @property
    def stored_dtype(self) -> str | None:
        """The dtype that most of the weights are stored in."""
        return dtype_of_most(self.tensors or {})


def facts_of_files(name: str, folder: Path) -> ModelFacts:
    """Facts from a folder's small files; those of its weights come from elsewhere.

    Raises:
        LoadError: a file can't be read, or there is no config.json.
    """
    check_files(folder)
    config = read_json_object(folder / "config.json", most_bytes=_MOST_BYTES)
    tokenizer = _object(folder / "tokenizer_config.json")
    return ModelFacts(
        name=name,
        config=config,
        tokenizer_config=tokenizer,
        generation_config=_object(folder / "generation_config.json"),
        chat_template=_template(folder, tokenizer),
        token_ids=_token_ids(folder, tokenizer),
        tokenizer_files=tuple(n for n in TOKENIZER_FILES if (folder / n).exists()),
    )


def facts_of_folder(folder: Path, name: str = "") -> ModelFacts:
    """A model's folder, its weights' headers included.

    Raises:
        LoadError: as `facts_of_files`.
    """
    facts = facts_of_files(name or folder.name, folder)
    try:
        names = list(shard_names(folder))
        tensors = read_weights(folder)
    except LoadError as error:
        return replace(facts, weights_problem=str(error))
    size = sum((folder / shard).stat().st_size for shard in names)
    return replace(facts, tensors=tensors, weight_bytes=size, weight_files=len(names))


def tensors_of_header(header: JsonObject) -> dict[str, Tensor]:
    """The tensors that a safetensors header lists.

    Raises:
        ValueError: an entry is none that there can be.
    """
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        shape = entry.get("shape") if isinstance(entry, dict) else None
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name[:60]} has no shape")
        found[name] = Tensor(str(entry.get("dtype")), tuple(shape))
    return found


def weights_wanted(files: Iterable[str], index: JsonObject | None) -> tuple[list[str], list[str]]:
    """The weight files that a repository's index (or the lack of one) wants: there, and missing.

    Raises:
        ValueError: the index is broken, or there are no safetensors at all.
    """
    there = set(files)
    if WEIGHTS in there:
        return [WEIGHTS], []
    if index is None:
        raise ValueError("no safetensors weights")
    named = index.get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(n, str) for n in named.values()):
        raise ValueError(f"{INDEX} has no weight_map")
    wanted = sorted(set(named.values()))
    return [n for n in wanted if n in there], [n for n in wanted if n not in there]


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds a LoRA adapter and no whole model."""
    named = (folder / ADAPTER).is_file() and (folder / ADAPTER_WEIGHTS).is_file()
    return named and not (folder / "config.json").exists()


def _object(path: Path) -> JsonDict:
    """What a JSON file holds; empty where there is none."""
    return read_json_object(path, most_bytes=_MOST_BYTES) if path.exists() else {}


def _template(folder: Path, tokenizer: JsonObject) -> str | None:
    """The chat template, wherever it is kept: a file of its own, or in a configuration."""
    own = folder / "chat_template.jinja"
    if own.exists():
        try:
            return own.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None
    said = tokenizer.get("chat_template") or _object(folder / "chat_template.json").get(
        "chat_template"
    )
    if isinstance(said, list):  # several, by name
        named = {t.get("name"): t.get("template") for t in said if isinstance(t, dict)}
        said = named.get("default") or next(iter(named.values()), None)
    return said if isinstance(said, str) else None


def _token_ids(folder: Path, tokenizer: JsonObject) -> dict[str, int]:
    """The ids of added tokens, from the tokenizer's configuration or from the tokenizer itself."""
    found: dict[str, int] = {}
    said = tokenizer.get("added_tokens_decoder")
    for number, token in (said if isinstance(said, dict) else {}).items():
        content = token.get("content") if isinstance(token, dict) else None
        if isinstance(content, str) and str(number).isdecimal():
            found[content] = int(number)
    if found or not (folder / "tokenizer.json").exists():
        return found
    try:
        whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        added = whole.get("added_tokens", [])
        return {str(t["content"]): int(t["id"]) for t in added}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
