"""Writes user-named candidates into a catalog file, which then needs no network.

What the file held already, comments included, stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from model_registry.architectures.architecture import NULL
from model_registry.candidate import Candidate, License, PromptPolicy
from model_registry.catalog import read_catalog
from model_registry.errors import BadFile, DuplicateName, OhloraError
from model_registry.files.json_values import JsonObject
from model_registry.files.whole_file import write_whole

#: Of a config.json, what is no part of an architecture that a catalog keeps: ids of its tokens.
_LEFT_OUT = ("_token_id", "_token_index")


def add_to_catalog(path: Path, candidates: Iterable[Candidate]) -> None:
    """Append candidates to a catalog of the user's, made where there is none.

    Raises:
        BadFile: the file is no catalog.
        DuplicateName: it has a candidate of that name.
        OSError: it can't be written.
    """
    if path.suffix != ".toml":
        raise OhloraError(
            f"A catalog of your own is a .toml file, not {path.name}.",
            f"카탈로그 파일은 .toml이어야 합니다: {path.name}",
        )
    document = _read(path)
    known = {c.name for c in read_catalog(path)} if path.exists() else set()
    for candidate in candidates:
        if candidate.name in known:
            raise DuplicateName(
                f"{path} has a candidate {candidate.name} already.",
                f"{path}에 {candidate.name} 후보가 이미 있습니다.",
            )
        known.add(candidate.name)
        _append(document, candidate, path)
    write_whole(path, tomlkit.dumps(document).encode())


def _read(path: Path) -> tomlkit.TOMLDocument:
    if path.exists():
        try:
            return tomlkit.parse(path.read_text(encoding="utf-8"))
        except (TOMLKitError, UnicodeDecodeError) as error:
            raise BadFile(
                path, None, str(error), f"카탈로그를 읽을 수 없습니다({error})"
            ) from error
    document = tomlkit.document()
    document.add(tomlkit.comment("Candidates named by `ohlora candidates add`."))
    about = tomlkit.table()
    about["name"] = path.stem
    document["catalog"] = about
    return document


def _append(document: tomlkit.TOMLDocument, candidate: Candidate, path: Path) -> None:
    licenses = _table(document, "licenses")
    key = _license_key(licenses, candidate.license)
    if key not in licenses:
        licenses[key] = _license(candidate.license, key)
    row = tomlkit.table()
    for name, value in _values(candidate, path).items():
        row[name] = value
    row["license"] = key
    if candidate.architecture:
        architectures = _table(document, "architectures")
        shape = _architecture_key(architectures, candidate)
        architectures[shape] = _architecture(candidate.architecture)
        row["architecture"] = shape
    _rows(document).append(row)


def _rows(document: tomlkit.TOMLDocument) -> AoT:
    """The [[candidates]] of a catalog, begun where it has none."""
    if not isinstance(document.get("candidates"), AoT):
        document.add(tomlkit.nl())
        document["candidates"] = tomlkit.aot()
    rows = document["candidates"]
    if not isinstance(rows, AoT):  # for mypy: it was made above
        raise TypeError("candidates is no array of tables")
    return rows


def _table(document: tomlkit.TOMLDocument, name: str) -> Any:
    if name not in document:
        document[name] = tomlkit.table(is_super_table=True)
    return document[name]


def _license_key(licenses: JsonObject, has: License) -> str:
    """The name of a licence's entry: its own where that is free or says the same."""
    key, number = has.name, 1
    while key in licenses and not _is_same(licenses[key], has, key):
        number += 1
        key = f"{has.name}-{number}"
    return key


def _is_same(entry: Mapping[str, object], has: License, key: str) -> bool:
    return (
        entry.get("name", key) == has.name
        and entry.get("free") == has.free
        and entry.get("source", "") == has.source
        and entry.get("note", "") == has.note
    )


def _license(has: License, key: str) -> Table:
    entry = tomlkit.table()
    if key != has.name:
        entry["name"] = has.name
    entry["free"] = has.free
    for name, value in (("source", has.source), ("read_on", has.read_on), ("note", has.note)):
        if value:
            entry[name] = value
    return entry


def _architecture_key(architectures: Mapping[str, object], candidate: Candidate) -> str:
    base = candidate.name.rpartition("/")[2].replace("@", "-")
    key, number = base, 1
    while key in architectures:
        number += 1
        key = f"{base}-{number}"
    return key


def _architecture(values: Mapping[str, object]) -> Table:
    entry = tomlkit.table()
    for name, value in values.items():
        if not name.endswith(_LEFT_OUT):
            entry[name] = NULL if value is None else _plain(value)
    return entry


def _plain(value: object) -> Any:
    """A value as TOML can hold it: tables inside on one line, null left out of them."""
    if isinstance(value, Mapping):
        inline = tomlkit.inline_table()
        for name, each in value.items():
            if each is not None:
                inline[str(name)] = _plain(each)
        return inline
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value if each is not None]
    return value


def _values(candidate: Candidate, path: Path) -> dict[str, object]:
    """What a candidate says of itself, in the order that catalogs have."""
    said: dict[str, object] = {
        "name": candidate.name,
        "hub_id": candidate.hub_id,
        "revision": candidate.revision,
        "path": candidate.path,
        "adapter": candidate.adapter,
        "cure": candidate.cure,
        "parameters": candidate.parameters,
        "parameters_note": candidate.parameters_note,
        "languages": list(candidate.languages),
        "traits": list(candidate.traits),
    }
    if candidate.backend != "transformers":
        said["backend"] = candidate.backend
        said["endpoint"] = _plain(candidate.endpoint)
    if candidate.prompting != PromptPolicy():
        policy = candidate.prompting
        said["prompting"] = _plain({"kind": policy.kind, "form": policy.form})
    return {name: value for name, value in said.items() if value not in (None, "", [])}
