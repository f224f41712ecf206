"""Caches facts of hub models beside the hub's own cache, usable without a network."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from model_registry.errors import LoadError, OhloraError
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.files.small_json import read_json_object
from model_registry.files.whole_file import write_whole
from model_registry.hub import cached_file
from model_registry.language import for_files
from model_registry.naming import hub_client
from model_registry.naming.hub_client import Repository
from model_registry.naming.hub_errors import hub_error
from model_registry.naming.model_facts import (
    Card,
    ModelFacts,
    facts_of_files,
    facts_of_folder,
    tensors_of_header,
    weights_wanted,
)
from model_registry.naming.references import HubReference
from model_registry.weights.weight_files import INDEX, Tensor

FRESH_SECONDS = 24 * 3600.0  # a branch may move; a commit does not
_SCHEMA = 1
_AT_ONCE = 8  # models that are asked for at a time
_MOST_BYTES = 64 << 20


def hub_facts(reference: HubReference, *, refresh: bool = False) -> ModelFacts:
    """What the hub tells of a model: from the cache where it was read within a day, or else asked.

    Raises:
        LoadError: it can't be reached and was never read, is gated, or is not there: one line.
    """
    kept = _kept(reference)
    if kept is not None and not refresh and _is_fresh(reference, kept):
        return _facts(kept)
    try:
        facts = hub_client.within_seconds(
            hub_client.SECONDS, reference.name, lambda: _asked(reference)
        )
    except Exception as error:
        line = hub_error(reference.name, error)
        if not (isinstance(line, LoadError) and line.status == "unreachable"):
            raise line from error
        there = _facts(kept) if kept is not None else _downloaded(reference)
        if there is None:
            raise line from error
        return there
    _keep(reference, facts)
    if facts.commit != reference.revision:  # candidates are pinned to it: it is asked for next
        _keep(HubReference(reference.hub_id, facts.commit), facts)
    return facts


def ask_ahead(references: Iterable[HubReference]) -> None:
    """Fetch the facts of several models at a time; errors are reported for each when it is used."""
    wanted = [each for each in dict.fromkeys(references) if not _is_kept_fresh(each)]
    if len(wanted) < 2:
        return

    def ask(reference: HubReference) -> None:
        with suppress(OhloraError):
            hub_facts(reference)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(ask, wanted))


def tokenizer_folder(reference: HubReference) -> Path:
    """The folder, in the hub's cache, of a model's tokenizer and configuration, without weights.

    Raises:
        LoadError: as `hub_facts`.
    """

    def work() -> Path | None:
        repository = hub_client.list_repository(reference)
        hub_client.fetch(repository, hub_client.SMALL_FILES, hub_client.MOST_SMALL)
        return hub_client.fetch(repository, hub_client.TOKENIZER_FILES, hub_client.MOST_TOKENIZER)

    try:
        folder = hub_client.within_seconds(4 * hub_client.SECONDS, reference.name, work)
    except Exception as error:
        there = _snapshot(reference)
        if there is not None and facts_of_files(reference.name, there).tokenizer_files:
            return there
        raise hub_error(reference.name, error) from error
    if folder is None:
        raise LoadError.of("hub_no_tokenizer", name=reference.name)
    return folder


@for_files()
def _asked(reference: HubReference) -> ModelFacts:
    """One model's facts, asked of the hub: its list of files, small files, headers of weights."""
    repository = hub_client.list_repository(reference)
    if "config.json" not in repository.files:
        raise LoadError(
            "error",
            f"{reference.name} has no config.json: it is no whole model"
            + (" but an adapter." if "adapter_config.json" in repository.files else "."),
            f"{reference.name}: config.json이 없어 온전한 모델이 아닙니다.",
        )
    folder = hub_client.fetch(repository, hub_client.SMALL_FILES, hub_client.MOST_SMALL)
    if folder is None:  # for mypy: config.json is there
        raise LoadError.of("hub_no_config", name=reference.name)
    facts = facts_of_files(reference.name, folder)
    tokenizer = tuple(n for n in hub_client.TOKENIZER_FILES if n in repository.files)
    facts = replace(
        facts,
        tokenizer_files=tokenizer,
        card=_card(repository),
        hub_id=reference.hub_id,
        commit=repository.commit,
        read_on=time.strftime("%Y-%m-%d"),
    )
    return _with_weights(facts, repository, folder)


def _with_weights(facts: ModelFacts, repository: Repository, folder: Path) -> ModelFacts:
    index = None
    if INDEX in repository.files:
        index = read_json_object(folder / INDEX, most_bytes=_MOST_BYTES)
    try:
        there, missing = weights_wanted(repository.files, index)
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        tensors: dict[str, Tensor] = {}
        for name in there:
            tensors |= tensors_of_header(hub_client.read_header(repository, name))
    except (ValueError, LoadError) as error:
        return replace(facts, weights_problem=str(error))
    sizes = [repository.files[name] for name in there]
    known = [size for size in sizes if size is not None]
    return replace(
        facts,
        tensors=tensors,
        weight_bytes=sum(known) if len(known) == len(sizes) else None,
        weight_files=len(there),
    )


def _card(repository: Repository) -> Card:
    said = repository.card
    licence = str(said.get("license") or "")
    if licence == "other":
        licence = str(said.get("license_name") or licence)
    languages = said.get("language") or ()
    languages = [languages] if isinstance(languages, str) else languages
    base = said.get("base_model") or ""
    return Card(
        license=licence[:80],
        license_link=str(said.get("license_link") or "")[:200],
        languages=tuple(str(one)[:20] for one in languages)[:40],
        base_model=str(base[0] if isinstance(base, list) and base else base)[:120],
        gated=repository.gated,
    )


def _snapshot(reference: HubReference) -> Path | None:
    """The folder of a model in the hub's own cache, as far as it was fetched by anybody."""
    revisions = [reference.revision]
    if (kept := _kept(reference)) is not None:
        revisions.append(kept.get("commit"))
    places = (cached_file(reference.hub_id, "config.json", revision) for revision in revisions)
    return next((place.parent for place in places if place is not None), None)


def _downloaded(reference: HubReference) -> ModelFacts | None:
    """The facts of a model that lies in the hub's cache whole, fetched by whatever program."""
    folder = _snapshot(reference)
    if folder is None:
        return None
    try:
        facts = facts_of_folder(folder, reference.name)
    except OhloraError:
        return None
    return replace(facts, hub_id=reference.hub_id, commit=folder.name)


def _place(reference: HubReference) -> Path:
    from huggingface_hub import constants

    name = reference.name.replace("/", "--")
    return Path(constants.HF_HOME, "ohlora", f"models--{name}.json")


def _is_fresh(reference: HubReference, kept: JsonObject) -> bool:
    age = time.time() - float(kept.get("asked_at") or 0)
    return reference.revision == kept.get("commit") or 0 <= age < FRESH_SECONDS


def _is_kept_fresh(reference: HubReference) -> bool:
    kept = _kept(reference)
    return kept is not None and _is_fresh(reference, kept)


def _kept(reference: HubReference) -> JsonDict | None:
    """What was kept of a model; None where nothing was, or of an older form."""
    place = _place(reference)
    try:
        kept = read_json_object(place, most_bytes=_MOST_BYTES) if place.exists() else None
        if kept is None or kept.get("schema") != _SCHEMA:
            return None
        _facts(kept)
    except (LoadError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return kept


def _keep(reference: HubReference, facts: ModelFacts) -> None:
    """Keep what was asked; a cache that can't be written costs only asking again."""
    place = _place(reference)
    row = asdict(facts) | {"schema": _SCHEMA, "asked_at": time.time()}
    if facts.tensors is not None:
        row["tensors"] = {n: [t.dtype, list(t.shape)] for n, t in facts.tensors.items()}
    with suppress(OSError):
        write_whole(place, json.dumps(row, ensure_ascii=False).encode())


def _facts(kept: JsonObject) -> ModelFacts:
    known = {name: kept[name] for name in ModelFacts.__dataclass_fields__ if name in kept}
    card = dict(kept["card"])
    known["card"] = Card(**card | {"languages": tuple(card["languages"])})
    known["tokenizer_files"] = tuple(kept["tokenizer_files"])
    if kept["tensors"] is not None:
        known["tensors"] = {
            name: Tensor(str(dtype), tuple(shape))
            for name, (dtype, shape) in kept["tensors"].items()
        }
    return ModelFacts(**known)
