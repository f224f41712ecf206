"""The KV cache of continuous batching: sequences join and leave while others are under way.

Rows are added while others are under way, and leave when they end. That needs a memory that can be
taken apart by rows: the caches of attention, whole or of a sliding window, the states of linear
attention beside them, and RWKV's. transformers has continuous batching of its own, over pages of
memory: on a CPU it is slower than one prompt at a time, and it has no linear attention.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from model_registry.backends.recurrent_rows import RecurrentReader

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache, PreTrainedModel

#: Layers of a cache that keep keys and values by column, and those with states, by class name:
#: older transformers do not have all of them.
_BY_COLUMN = {"DynamicLayer", "DynamicSlidingWindowLayer"}
_WITH_STATES = {
    "LinearAttentionLayer", "LinearAttentionAndFullAttentionLayer",
    "LinearAttentionAndSlidingWindowAttentionLayer",
}  # fmt: skip
_EMPTY = {"DummyLayer"}
_IN_MODULES = {"recurrent_gemma"}  # model types that keep states outside of their cache


class AnsweringRows(Protocol):
    """Rows under way. Those read together, and those that are joined, share a model.

    `at_once`: the most tokens of a row in one step, 1 where what was read can't be dropped again.
    """

    @property
    def at_once(self) -> int: ...

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Read more tokens of each row, (rows, tokens): the logits that follow each of them,
        (rows, tokens, vocabulary)."""

    def drop(self, tokens: int) -> None:
        """Forget so many tokens of each row, fewer than the last step has read."""

    def join(self, others: Any) -> None:
        """Add others, of the same kind, behind these."""

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows, in this order."""


class Reader(Protocol):
    """Begins rows of a model. `even`: those of one call must be equally long."""

    even: bool

    def read(self, prompts: Sequence[Sequence[int]]) -> tuple[AnsweringRows, torch.Tensor]:
        """Rows that have read their prompts, and the logits that follow, (rows, vocabulary)."""


def reader_of(model: PreTrainedModel, pad_id: int) -> Reader | None:
    """What begins rows of a model; None where what it remembers can't be taken apart by rows."""
    # it imports torch, which plans and commands do without
    from model_registry.architectures.chunked_head import causal_of

    causal = causal_of(model)
    kind = causal.config.model_type
    if kind == "rwkv":
        return RecurrentReader(model)
    layers = None if kind in _IN_MODULES else _cache_layers(causal)
    if layers is None:
        return None
    takes = frozenset(inspect.signature(causal.forward).parameters)
    stateful = any(type(layer).__name__ in _WITH_STATES for layer in layers)
    return CacheReader(model, pad_id, takes, even=stateful)


def _cache_layers(causal: PreTrainedModel) -> list[Any] | None:
    """The layers of the cache that `generate` would make, where each is of a known kind."""
    from transformers import DynamicCache

    if "past_key_values" not in inspect.signature(causal.forward).parameters:
        return None
    has_dynamic_cache = type(causal)._supports_default_dynamic_cache  # type: ignore[attr-defined]
    if not has_dynamic_cache():  # `generate` asks the same, of a mixin that has no types
        return None
    config = causal.config.get_text_config(decoder=True)
    if "chunked_attention" in (getattr(config, "layer_types", None) or ()):
        return None  # its chunks begin at columns, which are not a row's own
    try:
        layers: list[Any] = DynamicCache(config=config).layers
    except (KeyError, AttributeError, TypeError):
        return None
    return layers if layers and all(map(_is_known, layers)) else None


def _is_known(layer: Any) -> bool:
    name = type(layer).__name__
    if name in _WITH_STATES:
        return isinstance(layer.conv_states, dict) and isinstance(layer.recurrent_states, dict)
    return name in _BY_COLUMN | _EMPTY


class CacheReader:
    """Begins rows of a model with a cache of keys and values."""

    def __init__(
        self, model: PreTrainedModel, pad_id: int, takes: frozenset[str], *, even: bool
    ) -> None:
        self.model, self.pad_id, self.takes, self.even = model, pad_id, takes, even

    def read(self, prompts: Sequence[Sequence[int]]) -> tuple[CachedRows, torch.Tensor]:
        import torch
        from transformers import DynamicCache

        width = max(map(len, prompts))
        device = next(self.model.parameters()).device
        ids = [[self.pad_id] * (width - len(prompt)) + list(prompt) for prompt in prompts]
        seen = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        config = self.model.config.get_text_config(decoder=True)
        rows = CachedRows(self, DynamicCache(config=config), torch.tensor(seen, device=device))
        places = (rows.seen.cumsum(-1) - 1).clamp_min(0)
        return rows, rows.forward(torch.tensor(ids, device=device), places)[:, -1]


class CachedRows:
    """Rows whose keys and values stand in columns, right-aligned: the last column is each row's
    last token."""

    def __init__(self, reader: CacheReader, cache: DynamicCache, seen: torch.Tensor) -> None:
        self._reader, self._cache = reader, cache
        self.seen = seen  # (rows, columns): 1 where a column holds a token of the row
        self._layers: list[Any] = cache.layers
        self._last = 1  # tokens of a row that the last step read
        self._before: list[tuple[Any, Any]] = []  # each layer's keys and values, where it was more

    @property
    def at_once(self) -> int:
        if any(True for layer in self._layers for _ in _states(layer)):
            return 1
        return min(_window(layer) or sys.maxsize for layer in self._layers)

    def forward(self, ids: torch.Tensor, places: torch.Tensor, kept: int = 1) -> torch.Tensor:
        """Logits after at least the last `kept` of `ids`."""
        options: dict[str, object] = {}
        if "position_ids" in self._reader.takes:
            options["position_ids"] = places
        if "logits_to_keep" in self._reader.takes:
            options["logits_to_keep"] = kept
        logits: torch.Tensor = self._reader.model(
            input_ids=ids, attention_mask=self.seen, past_key_values=self._cache, use_cache=True,
            **options,
        ).logits  # fmt: skip
        return logits

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        import torch

        self._last = tokens.shape[1]
        self._before = [(x.keys, x.values) for x in self._layers if self._last > 1]
        places = self.seen.sum(-1, keepdim=True) + torch.arange(self._last, device=tokens.device)
        self.seen = torch.cat([self.seen, torch.ones_like(tokens)], -1)
        return self.forward(tokens, places, self._last)

    def drop(self, tokens: int) -> None:
        import torch

        if not tokens:
            return
        self.seen = self.seen[:, :-tokens]
        columns = self.seen.shape[1]
        for layer, before in zip(self._layers, self._before, strict=True):
            if _has_columns(layer):
                held = min(columns, _window(layer) or columns)  # a window has lost its first ones
                layer.keys, layer.values = (
                    torch.cat([old, new[..., -self._last : -tokens, :]], -2)[..., -held:, :]
                    for old, new in zip(before, (layer.keys, layer.values), strict=True)
                )
                _count(layer, columns)

    def join(self, others: CachedRows) -> None:
        import torch

        columns = max(self.seen.shape[1], others.seen.shape[1])
        for mine, theirs in zip(self._layers, others._layers, strict=True):
            _join_columns(mine, theirs, columns)
            _join_states(mine, theirs)
        both = (_widened(rows.seen, columns, -1) for rows in (self, others))
        self.seen = torch.cat(list(both))

    def keep(self, rows: Sequence[int]) -> None:
        import torch

        index = torch.tensor(rows, device=self.seen.device)
        self.seen = self.seen.index_select(0, index)
        columns = int(self.seen.sum(-1).max())  # those that only padding is left in go, too
        self.seen = self.seen[:, -columns:]
        for layer in self._layers:
            if _has_columns(layer):
                held = min(columns, layer.keys.shape[-2])
                layer.keys = layer.keys.index_select(0, index)[..., -held:, :]
                layer.values = layer.values.index_select(0, index)[..., -held:, :]
                _count(layer, columns)
            for states in _states(layer):
                for name, state in states.items():
                    states[name] = None if state is None else state.index_select(0, index)


def _has_columns(layer: Any) -> bool:
    """Whether it keeps keys and values: not where it has none, nor where another layer's serve."""
    return type(layer).__name__ not in _EMPTY | {"LinearAttentionLayer"} and layer.keys is not None


def _window(layer: Any) -> int | None:
    """The columns that a sliding window's layer keeps; None where all are kept."""
    return layer.sliding_window - 1 if "Sliding" in type(layer).__name__ else None


def _count(layer: Any, columns: int) -> None:
    """Tell a sliding window's layer how many columns there are with those that it has dropped."""
    if _window(layer) is not None:
        layer.cumulative_length = columns


def _join_columns(mine: Any, theirs: Any, columns: int) -> None:
    import torch

    if not _has_columns(mine):
        return
    window = _window(mine)
    held = columns if window is None else min(columns, window)
    for name in ("keys", "values"):
        both = [_widened(getattr(layer, name), held, -2) for layer in (mine, theirs)]
        setattr(mine, name, torch.cat(both))
    _count(mine, columns)


def _join_states(mine: Any, theirs: Any) -> None:
    import torch

    for here, there in zip(_states(mine), _states(theirs), strict=True):
        for name, state in here.items():
            other = there[name]
            if state is not None and other is not None:
                here[name] = torch.cat([state, other])


def _states(layer: Any) -> Iterable[dict[int, torch.Tensor | None]]:
    """The states of linear attention that a layer has."""
    if type(layer).__name__ not in _WITH_STATES:
        return ()
    return layer.conv_states, layer.recurrent_states


def _widened(values: torch.Tensor, columns: int, dimension: int) -> torch.Tensor:
    """Zeros put before the first column: nothing looks at them."""
    import torch

    more = columns - values.shape[dimension]
    return (
        torch.nn.functional.pad(values, (0, 0) * (-dimension - 1) + (more, 0)) if more else values
    )
