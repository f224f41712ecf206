"""bitsandbytes layers in a model: quantised, read from a folder, kept trainable.

Two things that bitsandbytes 0.50.2 does on a CPU are seen to here. Its nf4 weights come back wrong
where a row is no multiple of 64. And where the CPU computes in bf16 by itself, its first answer
lays nf4 weights out anew for a kernel that is fast and has no gradient.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    import torch
    from bitsandbytes.nn.modules import Linear4bit, Params4bit
    from torch import nn
    from transformers import BitsAndBytesConfig, PreTrainedModel

# It tells of a cast that int8 always does, a line for every layer and token, and, when imported,
# of a kernel on the hub that nobody asked for.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

_BLOCK = 64  # weights that share one of nf4's scales
_KERNEL_ROWS = 32  # the fast CPU kernel takes so many rows at a time


def replace_linears(model: PreTrainedModel, method: str, device: str) -> None:
    """Replace all linear layers but the head by quantised ones, weight by weight.

    Args:
        model: plain, on any device.
        method: int8 or nf4.
        device: where the model is to be; plain weights never are there beside quantised ones.
    """
    import torch

    head = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is not torch.nn.Linear or child is head:
                continue
            if _can_quantize(child, method, device):
                setattr(parent, name, _quantized_layer(child, method, device))
    model.to(device)  # type: ignore[arg-type]  # wrapped untyped
    disable_unfit_kernels(model)
    # peft asks for these names; for torch, what a module holds are tensors and modules.
    model.is_loaded_in_4bit = method == "nf4"  # type: ignore[assignment]
    model.is_loaded_in_8bit = method == "int8"  # type: ignore[assignment]
    model.config.quantization_config = _config(method, model.dtype, _plain_linears(model))


def disable_unfit_kernels(model: PreTrainedModel) -> None:
    """Keep nf4 layers off a CPU kernel that needs other sizes; call once they are quantised."""
    for layer in filter(_is_nf4, model.modules()):
        if layer.out_features % _KERNEL_ROWS:
            layer.support_avx512bf16_for_cpu = False


def unreadable(model: PreTrainedModel) -> str | None:
    """The first layer that this device would read wrongly, None where there is none."""
    for name, layer in model.named_modules():
        if _is_nf4(layer) and layer.in_features % _BLOCK and layer.weight.device.type == "cpu":
            return f"{name} has rows of {layer.in_features} weights, no multiple of {_BLOCK}"
    return None


def undo_fast_layout(model: PreTrainedModel) -> None:
    """Restore the stored layout of nf4 weights and keep it, also when answering."""
    for layer in filter(_is_nf4, model.modules()):
        layer.support_avx512bf16_for_cpu = False
        weight: Params4bit = layer.weight  # type: ignore[assignment]  # declared as any tensor
        state = weight.quant_state
        if getattr(state, "packing_format_for_cpu", False):
            from bitsandbytes.functional import _convert_weight_packed_for_cpu_inverse as undo

            weight.data, weight.quant_state = undo(weight.data, state)


def extra_tensors(module: nn.Module) -> list[torch.Tensor]:
    """A quantised layer's tensors beside its parameters: nf4's state, int8's row scales."""
    import torch

    weight = getattr(module, "weight", None)
    state = getattr(module, "state", None)
    held = [getattr(owner, name, None) for owner in (weight, state) for name in ("CB", "SCB")]
    quantized = getattr(weight, "quant_state", None)
    if quantized is not None:
        held += [quantized.absmax, quantized.code, getattr(quantized, "offset", None)]
        inner = getattr(quantized, "state2", None)
        if inner is not None:
            held += [inner.absmax, inner.code]
    return [tensor for tensor in held if isinstance(tensor, torch.Tensor)]


def _is_nf4(module: nn.Module) -> TypeGuard[Linear4bit]:
    """By name: bitsandbytes need not be there to find none. peft's layer around it has it too."""
    kind = type(module)
    return kind.__name__ == "Linear4bit" and kind.__module__.startswith("bitsandbytes")


def _plain_linears(model: PreTrainedModel) -> list[str]:
    """The linear layers that stayed as they were, by name."""
    import torch

    return [name for name, module in model.named_modules() if type(module) is torch.nn.Linear]


def _config(method: str, dtype: torch.dtype, plain: list[str]) -> BitsAndBytesConfig:
    """What tells transformers how to load the folder that this model is written to."""
    from transformers import BitsAndBytesConfig

    if method == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=plain)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=plain,  # the name is the same for 4 bit
    )


def _can_quantize(linear: nn.Linear, method: str, device: str) -> bool:
    return method != "nf4" or device != "cpu" or linear.in_features % _BLOCK == 0


def _quantized_layer(linear: nn.Linear, method: str, device: str) -> nn.Module:
    """One layer in bitsandbytes' form; moving the weight to its device is what quantises it."""
    import torch

    bnb: Any = importlib.import_module("bitsandbytes")
    dtype = linear.weight.dtype
    sizes = (linear.in_features, linear.out_features)
    weight = linear.weight.detach()
    with torch.device("meta"):
        if method == "nf4":
            made = bnb.nn.Linear4bit(
                *sizes, bias=linear.bias is not None, compute_dtype=dtype,
                compress_statistics=True, quant_type="nf4",
            )  # fmt: skip
        else:
            made = bnb.nn.Linear8bitLt(
                *sizes, bias=linear.bias is not None, has_fp16_weights=False, threshold=6.0
            )
    if method == "nf4":
        made.weight = bnb.nn.Params4bit(
            weight.cpu(), requires_grad=False, compress_statistics=True, quant_type="nf4",
            module=made,
        ).to(device)  # fmt: skip
    else:
        made.weight = bnb.nn.Int8Params(
            weight.cpu(), requires_grad=False, has_fp16_weights=False
        ).to(device)
    if linear.bias is not None:
        made.bias = torch.nn.Parameter(linear.bias.detach().to(device), requires_grad=False)
    quantized: nn.Module = made.train(linear.training)
    return quantized
