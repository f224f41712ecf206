"""Recognises an architecture that the catalogs already hold, from a hub model's config.json.

A config.json says much that memory does not hang on: ids of tokens, dropout, a dtype. Where the
rest is a catalog's, the catalog's values stand for it, and what was traced of them serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache

from model_registry import catalog
from model_registry.architectures.architecture import own_names
from model_registry.architectures.architecture_limits import SQUARE_MASK
from model_registry.architectures.model_config import build_config
from model_registry.errors import OhloraError
from model_registry.memory.coefficients import architecture_key, is_known

Values = Mapping[str, object]

#: What says nothing of the memory that weights and work take, or is said of files.
_NO_MATTER = frozenset({
    "transformers_version", "architectures", "_name_or_path", "dtype", "torch_dtype", "auto_map",
    "initializer_range", "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "use_cache",
    "pretraining_tp", "rope_theta", "rope_scaling", "rope_parameters", "rope_local_base_freq",
    "attention_dropout", "hidden_dropout", "classifier_dropout", "embd_pdrop", "resid_pdrop",
    "attn_pdrop", "id2label", "label2id", "problem_type", "return_dict", "output_attentions",
    "output_hidden_states", "is_encoder_decoder", "chunk_size_feed_forward",
    "query_pre_attn_scalar",
    "attn_implementation", "_attn_implementation", "max_window_layers", "unsloth_fixed",
})  # fmt: skip


def known_values(values: Values) -> dict[str, object]:
    """A catalog's values that come to the same model, or these values where there are none.

    Args:
        values: of a config.json, as `read_architecture` gives them.
    """
    if "model_type" not in values or is_known(values, None, dtype="bfloat16", device="cuda"):
        return dict(values)
    wanted = _essence(values)
    if wanted is None:
        return dict(values)
    for known in _catalogued():
        if known["model_type"] == values["model_type"] and _essence(known) == wanted:
            return dict(known)
    return dict(values)


def _essence(values: Values) -> Mapping[str, object] | None:
    """What memory hangs on, as its class completes it; None where no class takes the values."""
    return _essence_of(_Keyed(architecture_key(values), values))


class _Keyed:
    """Values that can be looked up in a cache."""

    def __init__(self, key: str, values: Values) -> None:
        self.key, self.values = key, values

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and other.key == self.key


@lru_cache(maxsize=256)
def _essence_of(keyed: _Keyed) -> Mapping[str, object] | None:
    try:
        whole = build_config(keyed.values).to_dict()
    except OhloraError:
        return None
    own = own_names(str(whole["model_type"])) | {"model_type"}  # no code reads what else is said
    left = {
        key: value
        for key, value in whole.items()
        if key in own and key not in _NO_MATTER and not key.endswith("_token_id")
    }
    if left.get("model_type") not in SQUARE_MASK:
        left.pop("max_position_embeddings", None)
    if not left.get("use_sliding_window", True):  # switched off: its size says nothing
        left.pop("sliding_window", None)
    return left


@cache
def _catalogued() -> tuple[Values, ...]:
    """The architectures of the catalogs that come with the project."""
    paths = map(catalog.catalog_path, catalog.catalog_names())
    return tuple(
        each.architecture
        for path in paths
        for each in catalog.read_catalog(path)
        if each.architecture
    )
