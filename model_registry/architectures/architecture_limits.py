"""Rejects architecture values that no model has, before anything is built from them.

A configuration is third-party data: a million layers would be built for hours, a width of 10⁹
would ask for all memory there is. The limits are far above the largest models that were published.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from model_registry.errors import LoadError

MOST_LAYERS = 1024
MOST_EXPERTS_IN_ALL = 1 << 20  # layers × experts: each may be a module of its own
MOST_PARAMETERS = 1 << 43
_DEEPEST = 32  # levels of tables in tables

_LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")
_HIDDEN = ("hidden_size", "n_embd", "d_model", "dim")
_INNER = ("intermediate_size", "ffn_dim", "n_inner", "d_ff")
_HEADS = ("num_attention_heads", "num_heads", "n_head", "n_heads")
_POSITIONS = ("max_position_embeddings", "n_positions")

#: What a name is like → least and most. The first that fits counts; a window is no width.
_RULES: tuple[tuple[str, int, int], ...] = (
    (r"num_hidden_layers|num_layers|n_layers?", 1, MOST_LAYERS),
    (r".*layers|attention_types", 0, MOST_LAYERS),
    (r"hidden_size|n_embd|d_model", 1, 1 << 20),
    (r"vocab_size", 1, 1 << 24),
    (r"num_attention_heads|num_heads|n_heads?|num_key_value_heads", 1, 1 << 16),
    (r".*experts.*", 0, 1 << 16),
    (r".*(window|chunk|block).*", -(1 << 31), 1 << 31),
    (r"(.*_)?(size|dim|inner|rank|d_ff)", 0, 1 << 20),
    (r"(num|n)_(?!positions).*", 0, 1 << 20),
    (r"max_.*|n_positions", -1, 1 << 31),
)
#: Whose values must be whole numbers; elsewhere a type is for transformers to judge.
_WHOLE = frozenset({*_LAYERS, "hidden_size", "n_embd", "d_model", "vocab_size", *_HEADS,
                    "num_key_value_heads", *_POSITIONS})  # fmt: skip
#: Model types that keep a mask of positions × positions in each layer.
SQUARE_MASK = frozenset({"gpt_neo", "gpt2", "gptj", "codegen", "gpt_bigcode"})
_ATTENTION = frozenset({"eager", "sdpa", "flash_attention_2", "flash_attention_3",
                        "flex_attention"})  # fmt: skip


def check_values(values: Mapping[str, object], whose: str) -> None:
    """Refuse values that no model has.

    Args:
        values: `model_type` and the rest, as a config.json or a catalog holds them.
        whose: the file or the candidate, for the message.

    Raises:
        LoadError: "error", naming the value.
    """
    if not isinstance(values.get("model_type", ""), str):
        raise LoadError.of("model_type_not_a_name", whose=whose, named=_shown(values))
    for key, value in _entries(values, whose):
        _check_one(key, value, whose)
    for part in (values, *(v for v in values.values() if isinstance(v, Mapping))):
        _check_products(part, whose)


def _shown(values: Mapping[str, object]) -> str:
    return repr(values.get("model_type"))[:40]


def _entries(
    values: object, whose: str, key: str = "", depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """Every plain value with the name that it stands under, those in lists and tables included."""
    if depth > _DEEPEST:
        raise LoadError.of("values_nested_too_deeply", whose=whose, deepest=_DEEPEST)
    if isinstance(values, Mapping):
        for name, value in values.items():
            # An attention may be named for each part of a model, in a table of parts.
            under = key if "_implementation" in key else str(name)
            yield from _entries(value, whose, under, depth + 1)
    elif isinstance(values, list | tuple):
        if key in _WHOLE and depth == 1:  # a picture's encoder may have one value a stage
            raise LoadError.of("value_is_a_list", whose=whose, key=key)
        for value in values:
            yield from _entries(value, whose, key, depth + 1)
    else:
        yield key, values


def _check_one(key: str, value: object, whose: str) -> None:
    if "_implementation" in key and "/" in str(value):  # a kernel that the hub would send
        raise LoadError.of("kernel_of_the_hub", whose=whose, key=key, named=str(value)[:60])
    if "attn_implementation" in key and value is not None and value not in _ATTENTION:
        raise LoadError.of("attention_unknown", whose=whose, named=str(value)[:60])
    whole = None if isinstance(value, bool) or not isinstance(value, int) else value
    if key in _WHOLE and value is not None and whole is None:
        raise LoadError.of("value_not_whole", whose=whose, key=key, value=value)
    if isinstance(value, float) and math.isnan(value):
        raise LoadError.of("value_not_a_number", whose=whose, key=key)
    if whole is None:
        return
    least, most = limits(key)
    if not least <= whole <= most:
        shown, shown_ko = (str(whole), str(whole)) if abs(whole) < 1 << 64 else (
            "a number of more than 64 bits", "64비트를 넘는 수"
        )  # fmt: skip
        raise LoadError.of(
            "value_out_of_range",
            whose=whose, key=key, shown=shown, shown_ko=shown_ko, least=least, most=most,
        )  # fmt: skip


def limits(key: str) -> tuple[int, int]:
    """The least and the most that a whole number of this name may be."""
    for pattern, least, most in _RULES:
        if re.fullmatch(pattern, key):
            return least, most
    return -(1 << 63), 1 << 63


def _first(values: Mapping[str, object], names: tuple[str, ...]) -> int:
    """The first of these that is a whole number; 0 where none is."""
    found = (values.get(name) for name in names)
    return next((v for v in found if isinstance(v, int) and not isinstance(v, bool)), 0)


def parameters_at_least(values: Mapping[str, object]) -> int:
    """A rough count of parameters, below the true one where layers are of the usual kind."""
    layers, hidden = _first(values, _LAYERS), _first(values, _HIDDEN)
    inner = _first(values, _INNER)
    return layers * hidden * (hidden + 2 * inner) + _first(values, ("vocab_size",)) * hidden


def _check_products(values: Mapping[str, object], whose: str) -> None:
    """Values that are possible each, and together are not."""
    layers = _first(values, _LAYERS)
    count = parameters_at_least(values)
    if count > MOST_PARAMETERS:
        raise LoadError.of("too_many_parameters", whose=whose, trillions=count / 1e12)
    experts = max((v for k, v in values.items() if "experts" in k and type(v) is int), default=0)
    if layers * experts > MOST_EXPERTS_IN_ALL:
        raise LoadError.of("too_many_experts", whose=whose, experts=experts, layers=layers)
    positions = _first(values, _POSITIONS)
    if values.get("model_type") in SQUARE_MASK and layers * positions**2 > 1 << 34:
        raise LoadError.of("masks_too_large", whose=whose, positions=positions, layers=layers)
