"""Reads the [decision] table of a TOML file: criteria, weights, normalisation."""

from __future__ import annotations

from dataclasses import dataclass, fields

from evaluators.ranking.criterion_table import Criterion, check_criteria
from model_registry.files.toml_reader import TomlReader


@dataclass(frozen=True, slots=True)
class Declaration:
    """Criteria with their weights, and how their values are put on one scale."""

    criteria: tuple[Criterion, ...] = ()
    normalization: str = "min-max"
    draws: int = 10_000
    seed: int = 0
    undirected: frozenset[str] = frozenset()  # criteria of which it does not say what is better


def read_declaration(reader: TomlReader) -> Declaration:
    """The [decision] of a document; labels that are left out are the criterion's name.

    Raises:
        BadFile: with the line, where something is misspelt, of a wrong kind or out of range.
    """
    entry = reader.table("decision")
    reader.known(entry, {"criteria", "normalization", "draws", "seed"}, "decision")
    tables = reader.tables(entry, "criteria")
    for each in tables:
        for key in ("weight", "floor"):
            if key in each:
                reader.in_range(each[key], key)
    criteria = tuple(_criterion(reader, each) for each in tables)
    undirected = frozenset(str(each.get("name")) for each in tables if "better" not in each)
    entry.pop("criteria", None)
    for key in ("draws", "seed"):
        if key in entry:
            reader.in_range(entry[key], key)
    declared = Declaration(criteria, **entry, undirected=undirected)
    if criteria:
        reader.said(lambda: check_criteria(criteria, declared.normalization), "decision")
    return declared


def _criterion(reader: TomlReader, entry: dict[str, object]) -> Criterion:
    for key in entry.keys() - {field.name for field in fields(Criterion)}:
        reader.fail(
            key, f"unknown key {key}: a criterion has no {key}", f"기준에 없는 키입니다: {key}"
        )
    labels = {f"label_{language}": entry.get("name") for language in ("en", "ko")}
    made: Criterion = reader.make(Criterion, labels | entry, "decision.criteria")
    return made
