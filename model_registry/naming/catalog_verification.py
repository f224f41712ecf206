"""Verifies a catalog's unverified values on the hub when a candidate is first used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from model_registry.candidate import Candidate
from model_registry.errors import OhloraError
from model_registry.licenses.license_uses import terms_of
from model_registry.licenses.provenance import Source
from model_registry.messages.notes import Note
from model_registry.naming.candidate_check import facts_of
from model_registry.naming.model_facts import ModelFacts
from model_registry.naming.resolve import declared_license

#: Values that a config.json writes in other ways, or that say nothing of shapes.
_NOT_COMPARED = frozenset({"model_type", "rope_parameters", "layer_types", "sliding_window"})
_NEAR = 0.02  # of a count: towers and tied heads are stored or not


def read_again(candidates: Iterable[Candidate]) -> tuple[tuple[Candidate, ...], list[Note]]:
    """The candidates with their unverified values as the hub has them, and what differed.

    One whose repository can't be read stays as the catalog has it, and marked.
    """
    found, notes = [], []
    for candidate in candidates:
        if candidate.unverified and candidate.hub_id and candidate.path is None:
            try:
                candidate, differences = compared(candidate, facts_of(candidate))
                notes += differences
            except OhloraError:
                pass  # still unverified: shown as such
        found.append(candidate)
    return tuple(found), notes


def compared(candidate: Candidate, facts: ModelFacts) -> tuple[Candidate, list[Note]]:
    """A candidate with what its repository says in place of what the catalog says, and a note for
    each value that differs."""
    source = Source(
        f"{facts.hub_id or facts.name} on the hub at {(facts.commit or '?')[:7]}",
        date.fromisoformat(facts.read_on) if facts.read_on else date.today(),
        "read",
    )
    values, notes = _architecture(candidate, facts)
    evidence = {**candidate.evidence, "architecture": source, "chat_template": source}
    stored = facts.parameters
    if stored is not None:
        evidence["parameters"] = source
        if abs(stored / (candidate.parameters or stored) - 1) > _NEAR:
            notes.append(_differs(candidate, "parameters", candidate.parameters, stored))
    licence = candidate.license
    if facts.card.license:
        evidence["license"] = source
        declared = declared_license(facts)
        if terms_of(declared.name) != terms_of(licence.name):
            notes.append(_differs(candidate, "license", licence.name, declared.name))
            licence = declared
    read = replace(candidate, architecture=values, license=licence, evidence=evidence)
    return read, notes


def _architecture(candidate: Candidate, facts: ModelFacts) -> tuple[dict[str, object], list[Note]]:
    """The catalog's architecture with the repository's values, and where they differ."""
    inner = facts.config.get("text_config")
    there = {**(inner if isinstance(inner, Mapping) else {}), **facts.config}
    values, notes = dict(candidate.architecture), []
    for key, value in candidate.architecture.items():
        if key in _NOT_COMPARED or key not in there or there[key] == value:
            continue
        notes.append(_differs(candidate, key, value, there[key]))
        values[key] = there[key]
    return values, notes


def _differs(candidate: Candidate, what: str, catalog: object, hub: object) -> Note:
    values = {"candidate": candidate.name, "what": what, "catalog": catalog, "hub": hub}
    return Note("catalog_differs", values)
