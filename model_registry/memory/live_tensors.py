"""Counts the bytes of the tensors that are alive, of real ones or of ones without data.

Fake tensors have shapes and storages but no memory: the very code of a model runs on them in
seconds, however large it is. Attention is followed as torch does it on tensors with data: where
there is a fused kernel for a call, no scores are kept; tensors without data would always be given
the plain way, which keeps length² of them a head.
Fake CUDA tensors would need a CUDA build, so that a card's dropout, which keeps one byte a value
instead of a whole value, is imitated too.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from model_registry.errors import LoadError


class Tracker(TorchDispatchMode):
    """Adds up the storages that are alive; `window` names where the present peak belongs."""

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.sizes: dict[int, int] = {}
        self.window = ""
        self.peaks: dict[str, int] = {}

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        if func is torch.ops.aten._grouped_mm.default:
            out = _grouped_product(*args[:2])
        else:
            out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self.see(leaf)
        return out

    def see(self, tensor: Tensor) -> None:
        """Count a tensor's storage once, until it is gone."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.sizes:
            return
        self.sizes[key] = storage.nbytes()
        self.live += self.sizes[key]
        weakref.finalize(storage, self._gone, key)
        if self.live > self.peaks.get(self.window, -1):
            self.peaks[self.window] = self.live

    def _gone(self, key: int) -> None:
        self.live -= self.sizes.pop(key, 0)

    def enter(self, window: str) -> None:
        """From now on peaks belong to this window."""
        self.window = window
        self.peaks[window] = max(self.live, self.peaks.get(window, 0))


def _grouped_product(one: Tensor, other: Tensor) -> Tensor:
    """The shape of a product with stacked experts; torch's own shape rule wants bf16 only."""
    if one.dim() == 2 and other.dim() == 3:
        return one.new_empty(one.shape[0], other.shape[-1])
    raise LoadError(
        "unsupported_architecture",
        "Tuning fused experts can't be followed.",
        "합쳐진 전문가(fused experts)의 튜닝은 추적할 수 없습니다.",
    )


@contextmanager
def traced(model: nn.Module) -> Iterator[Tracker]:
    """Give the model fake tensors and count from there; the weights are counted already."""
    mode, tracker = FakeTensorMode(), Tracker()
    _make_fake(model, mode)
    with mode, tracker, _fused_attention():
        for tensor in (*model.parameters(), *model.buffers()):
            tracker.see(tensor)
        yield tracker


def _make_fake(model: nn.Module, mode: FakeTensorMode) -> None:
    """Replace meta tensors by fake ones of the same shape; tied weights stay tied."""
    made: dict[int, Tensor] = {}

    def fake(tensor: Tensor) -> Tensor:
        if id(tensor) not in made:
            with mode:
                empty = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype)
            if isinstance(tensor, nn.Parameter):
                empty = nn.Parameter(empty, requires_grad=tensor.requires_grad)
            made[id(tensor)] = empty
        return made[id(tensor)]

    for module in list(model.modules()):
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = fake(tensor)  # type: ignore[assignment]  # of its own kind


class _Context(Protocol):
    """What autograd hands from forward to backward; torch's own class leaves out the second."""

    def save_for_backward(self, *tensors: Tensor) -> None: ...
    @property
    def saved_tensors(self) -> tuple[Tensor, ...]: ...


class _FusedAttention(torch.autograd.Function):
    """What the fused kernels hold: inputs, output, one number a query and head, and the mask."""

    @staticmethod
    def forward(
        context: _Context,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        out = torch.empty_like(query)
        sums = query.new_empty(query.shape[:-1], dtype=torch.float32)
        added = [] if mask is None else [mask.to(query.dtype)]  # one copy a layer
        context.save_for_backward(query, key, value, out, sums, *added)
        return out

    @staticmethod
    def backward(context: _Context, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return (*(torch.empty_like(tensor) for tensor in context.saved_tensors[:3]), None)


def has_fused_kernel(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    grouped: bool = False,
) -> bool:
    """Whether torch has a kernel that keeps no scores for this attention.

    Heads are not broadcast by one: keys and values of fewer heads than the queries' need `grouped`
    (torch's `enable_gqa`), or to be expanded to as many. Found with torch 2.13 on a CPU, and taken
    for a card, too, where cuDNN's kernel may broadcast heads and flash attention takes dropout.
    """
    if query.dim() != 4 or query.shape[-1] != value.shape[-1] or dropout:
        return False
    if mask is not None and mask.requires_grad:
        return False
    if any(tensor.stride(-1) != 1 for tensor in (query, key, value)):
        return False
    alike = query.shape[0] == key.shape[0] and key.shape[:2] == value.shape[:2]
    return alike and (grouped or query.shape[1] == key.shape[1])


@contextmanager
def _fused_attention() -> Iterator[None]:
    plain = torch.nn.functional.scaled_dot_product_attention

    def attend(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if not has_fused_kernel(query, key, value, attn_mask, dropout_p, enable_gqa):
            return plain(
                query,
                key,
                value,
                attn_mask,
                dropout_p,
                is_causal,
                scale=scale,
                enable_gqa=enable_gqa,
            )
        out: Tensor = _FusedAttention.apply(query, key, value, attn_mask)
        return out

    with patch("torch.nn.functional.scaled_dot_product_attention", attend):
        yield


class _ByteMaskDropout(torch.autograd.Function):
    """Dropout as a card does it: a mask of one byte a value is kept, not a whole value."""

    @staticmethod
    def forward(context: _Context, values: Tensor) -> Tensor:
        context.save_for_backward(torch.empty_like(values, dtype=torch.bool))
        return torch.empty_like(values)

    @staticmethod
    def backward(context: _Context, gradient: Tensor) -> Tensor:
        (mask,) = context.saved_tensors
        return torch.mul(gradient, mask)


@contextmanager
def card_dropout(on_card: bool) -> Iterator[None]:
    """Make dropout save for its backward pass what a card saves, where `on_card`."""
    if not on_card:
        yield
        return

    def dropout(
        input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        out: Tensor = _ByteMaskDropout.apply(input) if training and p > 0 else input
        return out

    with patch("torch.nn.functional.dropout", dropout):
        yield
