"""A candidate's architecture values, as in its catalog or shrunk to a tiny model."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from model_registry.architectures.cures import cured
from model_registry.candidate import Candidate
from model_registry.errors import LoadError
from model_registry.licenses.remark_words import remark_in_korean

#: TOML has no null: a value that must be None is written so.
NULL = "null"


def without_null(values: Mapping[str, object]) -> dict[str, object]:
    """A table of a TOML file with None where it is written so."""
    return {key: None if value == NULL else value for key, value in values.items()}


_TABLE = tomllib.loads(Path(__file__).with_name("tiny.toml").read_text(encoding="utf-8"))
_TINY = without_null(_TABLE["any"])
_TINY_OF = {model_type: without_null(values) for model_type, values in _TABLE["of"].items()}


def architecture_values(
    candidate: Candidate, scale: str = "full", vocab_size: int | None = None
) -> dict[str, object]:
    """The architecture's values, shrunk at scale "tiny" (to `vocab_size` tokens, if given).

    Raises:
        LoadError: the catalog knows no architecture for this candidate.
    """
    if not candidate.architecture:
        status = "needs_remote_code" if candidate.needs_remote_code else "unsupported_architecture"
        note = candidate.parameters_note or "its catalog entry has no architecture"
        raise LoadError(
            status,
            f"{candidate.name} can't be built from its architecture: {note}",
            f"{candidate.name}: 구조로 모델을 만들 수 없습니다. {remark_in_korean(note)}",
        )
    values = cured(candidate.architecture, candidate.cure)
    return values if scale == "full" else shrunk(values, vocab_size)


def shrunk(values: dict[str, object], vocab_size: int | None) -> dict[str, object]:
    """The same architecture as a model of a second; `values` are changed."""
    model_type = str(values["model_type"])
    there = {*values, *own_names(model_type)}
    values |= {name: value for name, value in _TINY.items() if name in there}
    values |= _TINY_OF.get(model_type, {})
    if vocab_size is not None:
        values["vocab_size"] = vocab_size
    return values


@cache
def own_names(model_type: str) -> frozenset[str]:
    """The values that a model type has where an architecture leaves them out."""
    from transformers import AutoConfig

    try:
        return frozenset(AutoConfig.for_model(model_type).to_dict())
    except ValueError:  # not known: `build_config` says so
        return frozenset()


def declared_architecture(candidate: Candidate) -> Mapping[str, object]:
    """What is known of a candidate's architecture without loading it: its catalog's values, or
    those of the folder it is in; empty where neither says."""
    if candidate.architecture or candidate.path is None:
        return candidate.architecture or {}
    try:
        text = Path(candidate.path, "config.json").read_text(encoding="utf-8")
        return dict(json.loads(text))
    except (OSError, ValueError):
        return {}
