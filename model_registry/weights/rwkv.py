"""Scales LoRA adapters for RWKV, which divides its weights in half precision.

transformers divides the weights of RWKV's deeper layers while the model answers (by 2 every
`rescale_every` layers), against overflow in float16, and multiplies them again to train. Adapters
it does not know of: undivided, a tuned model answers wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


def prepare(model: PreTrainedModel) -> None:
    """Make a loaded model answer rightly with adapters; nothing to do for other architectures.

    Where numbers reach as far as in float32, bfloat16 included, nothing overflows and nothing need
    be divided.
    """
    import torch

    if not getattr(model.config, "rescale_every", 0):
        return
    if model.dtype != torch.float16:
        model.config.rescale_every = 0
        return
    divide_adapters(model)


def divide_adapters(model: PreTrainedModel) -> None:
    """Before each forward pass, set the adapters' scaling to what their layers' weights will be."""
    every = model.config.rescale_every

    def follow(module: nn.Module, *_: object) -> None:
        for depth, layer in _adapted(module):
            plain = layer.__dict__.setdefault("_plain_scaling", {})
            for name, scaling in layer.scaling.items():
                plain.setdefault(name, scaling)
                divisor = 1 if module.training else 2 ** (depth // every)
                layer.scaling[name] = plain[name] / divisor

    model.base_model.register_forward_pre_hook(follow)


def _adapted(module: nn.Module) -> Iterator[tuple[int, Any]]:
    """(depth, layer) of those layers that transformers divides and that bear an adapter."""
    for depth, block in enumerate(module.blocks):  # type: ignore[arg-type]  # a ModuleList
        for layer in (block.attention.output, block.feed_forward.value):
            if hasattr(layer, "scaling"):
                yield depth, layer
