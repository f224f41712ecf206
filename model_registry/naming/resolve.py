"""Resolves what a user names to a candidate: from a catalog, a folder, the hub or a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from model_registry.architectures.cures import cure_for, cured
from model_registry.candidate import Candidate, Free, License, PromptPolicy
from model_registry.errors import LoadError, OhloraError, UnknownName
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.files.small_json import read_json_object
from model_registry.licenses.license_uses import Terms, terms_of
from model_registry.messages.path_errors import (
    existing_path,
    names_a_path,
    not_a_model,
    nothing_there,
)
from model_registry.naming.facts_cache import ask_ahead, hub_facts
from model_registry.naming.known_architecture import known_values
from model_registry.naming.model_facts import ModelFacts, is_adapter
from model_registry.naming.references import HubReference, hub_reference, served_candidate
from model_registry.registry import Registry
from model_registry.weights.folder_check import (
    ADAPTER,
    architecture_of,
    check_adapter,
    is_model,
    read_architecture,
)

TUNE_CARD = "ohlora_tune.json"  # beside an adapter that `ohlora tune` made
OWN_FOLDER = "a folder of your own"


def find_candidate(
    name: str,
    registry: Registry,
    catalog: str | None = None,
    *,
    base: Path | None = None,
    cure: str | None = None,
) -> Candidate:
    """The candidate that a name means.

    In this order: a folder that is there (a model, or a LoRA adapter with its base), a registered
    candidate of one catalog or of any, a server's URL, a model of the hub with or without
    @revision.

    Args:
        name: as the user wrote it.
        registry: the candidates that are known.
        catalog: only of this catalog, a name or a file.
        base: the folder of an adapter's base, where it does not say or has moved.
        cure: of `architectures.cures`; taken where it applies.

    Raises:
        UnknownName: nothing is called so; NoSuchFolder where it can only be a path.
        LoadError: it can't be a candidate, or the hub can't say; one line.
    """
    found = _find(name, registry, catalog, base)
    return found if cure is None else with_cure(found, cure)


def _find(name: str, registry: Registry, catalog: str | None, base: Path | None) -> Candidate:
    there = existing_path(name)
    if there is not None and is_model(there):
        return candidate_in(there)
    if there is not None and is_adapter(there):
        return adapted_candidate(there, registry, base)
    try:
        return registry.candidate(name, catalog)
    except UnknownName:
        if there is not None:
            raise not_a_model(there) from None
        elsewhere = _elsewhere(name)
        if elsewhere is not None:
            return elsewhere
        if names_a_path(name):
            raise nothing_there(name) from None
        raise


def _elsewhere(name: str) -> Candidate | None:
    """What is neither here nor registered: on the hub, or served; None where a name is neither."""
    reference = hub_reference(name)
    if reference is not None:
        return hub_candidate(reference)
    return served_candidate(name)


def find_candidates(
    names: Iterable[str],
    registry: Registry,
    catalog: str | None = None,
    *,
    cure: str | None = None,
    first: Iterable[Candidate] = (),
) -> list[Candidate]:
    """Several at once, in their order, each with a name of its own.

    Args:
        names, registry, catalog, cure: as `find_candidate` takes them.
        first: those of a study's own catalog, which are meant before all others of their name.

    Raises:
        OhloraError: as `find_candidate`; or one is named twice.
    """
    own = {key: one for one in first for key in (one.name, one.hub_id) if key}
    found: list[Candidate] = []
    names = list(names)
    ask_ahead(_of_the_hub((name for name in names if name not in own), registry))
    for name in names:
        candidate = own.get(name) or find_candidate(name, registry, catalog, cure=cure)
        if candidate in found:
            raise OhloraError(f"{name} is named twice.", f"{name}을(를) 두 번 지정했습니다.")
        found.append(candidate)
    return _told_apart(found)


def _of_the_hub(names: Iterable[str], registry: Registry) -> Iterator[HubReference]:
    """Those names that can only be of the hub."""
    known = {key for c in registry.candidates() for key in (c.name, c.hub_id)}
    for name in names:
        reference = hub_reference(name)
        if reference is not None and name not in known and existing_path(name) is None:
            yield reference


def _told_apart(candidates: list[Candidate]) -> list[Candidate]:
    """Folders of one name by the folder above it as well: a/model and b/model."""
    names = [candidate.name for candidate in candidates]
    told = []
    for candidate in candidates:
        if names.count(candidate.name) > 1 and candidate.path is not None:
            above = Path(candidate.adapter or candidate.path).parent.name
            candidate = replace(candidate, name=f"{above}/{candidate.name}")
        told.append(candidate)
    again = [candidate.name for candidate in told]
    if twice := next((name for name in again if again.count(name) > 1), None):
        raise OhloraError(
            f"Two of the named candidates are called {twice}: rename a folder.",
            f"지정한 후보 가운데 둘의 이름이 {twice}입니다. 폴더 이름을 바꾸세요.",
        )
    return told


def candidate_in(folder: Path) -> Candidate:
    """A folder with a whole model, exported or downloaded, as a candidate of its own."""
    return Candidate(
        name=folder.name,
        license=License("unknown", "unknown", note=OWN_FOLDER),
        path=str(folder.resolve()),
        prompting=PromptPolicy("chat"),  # "plain" once its tokenizer turns out to have no template
        architecture=known_values(read_architecture(folder)),
    )


def hub_candidate(reference: HubReference) -> Candidate:
    """A model of the hub as a candidate, pinned to a commit.

    Raises:
        LoadError: the hub can't say; its config.json holds what no model has.
    """
    facts = hub_facts(reference)
    return Candidate(
        name=reference.name,
        license=declared_license(facts),
        hub_id=reference.hub_id,
        revision=facts.commit,
        publisher=reference.hub_id.partition("/")[0],
        parameters=facts.parameters,
        parameters_note="counted from the headers of its weights" if facts.parameters else
        facts.weights_problem,
        languages=facts.card.languages,
        traits=("chat",) if facts.chat_template else (),
        architecture=known_values(architecture_of(facts.config, reference.name)),
    )  # fmt: skip


def declared_license(facts: ModelFacts) -> License:
    """The licence that a model's card declares; unknown where it declares none."""
    said = facts.card.license
    if not said:
        return License("unknown", "unknown", note="its model card names no licence")
    terms = terms_of(said)
    name = said if terms is None else terms.names[0]
    free = "unknown" if terms is None else _freedom(terms)
    read_on = date.fromisoformat(facts.read_on) if facts.read_on else None
    return License(name, free, f"model card of {facts.hub_id}, its license field", read_on)


def _freedom(terms: Terms) -> Free:
    """Whether a licence is free: for every use, under conditions, or not for a service of one's
    own."""
    if all(clause.answer == "yes" for clause in terms.uses.values()):
        return "yes"
    return "conditional" if terms.uses["own-service"].allows else "no"


def adapted_candidate(folder: Path, registry: Registry, base: Path | None = None) -> Candidate:
    """A LoRA adapter's folder: its base, with the adapter merged into it when it is loaded.

    Raises:
        LoadError: the adapter is broken or names no base; its base can't be found.
    """
    check_adapter(folder)
    found = candidate_in(base) if base is not None else _base_of_adapter(folder, registry)
    if found.backend != "transformers":
        raise LoadError.of("adapter_of_served_model", folder=folder, name=found.name)
    policy = _tuned_policy(folder)
    return replace(
        found,
        name=f"{found.name} + {folder.name}",
        adapter=str(folder.resolve()),
        prompting=PromptPolicy(**policy) if policy else found.prompting,
    )


def _base_of_adapter(folder: Path, registry: Registry) -> Candidate:
    """The base that an adapter names: in the card of `ohlora tune`, or in its configuration."""
    card = _read(folder / TUNE_CARD)
    said = card.get("base") or _read(folder / ADAPTER).get("base_model_name_or_path")
    named = str(said) if said else ""
    try:
        if named:
            return find_candidate(named, registry)
    except (UnknownName, LoadError) as error:
        raise _no_base(folder, named, error) from error
    raise _no_base(folder, "", None)


def _no_base(folder: Path, named: str, error: OhloraError | None) -> LoadError:
    why = f" ({error})" if error and not isinstance(error, UnknownName) else ""
    base = named[:100] or "no base"
    return LoadError(
        error.status if isinstance(error, LoadError) else "unreachable",
        f"{folder} holds only an adapter of {base}, which is not there{why}. Name its base's "
        "folder with --base FOLDER.",
        f"{folder}: 어댑터만 있고 베이스 모델({named[:100] or '불명'})이 없습니다. --base 폴더로 "
        "베이스 모델의 위치를 지정하세요.",
    )


def _read(path: Path) -> JsonObject:
    return read_json_object(path, most_bytes=8 << 20) if path.exists() else {}


def _tuned_policy(folder: Path) -> JsonDict:
    """The form in which `ohlora tune` tuned an adapter; empty where another program made it."""
    said = _read(folder / TUNE_CARD).get("prompting")
    known = PromptPolicy.__dataclass_fields__
    if not isinstance(said, dict):
        return {}
    return {k: v for k, v in said.items() if k in known and isinstance(v, str)}


def with_cure(candidate: Candidate, cure: str) -> Candidate:
    """The candidate loaded with a cure, its architecture with it; as it is where it needs none.

    Raises:
        UnknownName: no cure has this name.
    """
    values = dict(candidate.architecture)
    healed = cured(values, cure)
    known = cure_for(values)
    if known is None or known.name != cure:
        return candidate
    return replace(candidate, cure=cure, architecture=known_values(healed))
