"""A model with random weights of any size, for its time and memory only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from model_registry import cuda
from model_registry.architectures.architecture import shrunk
from model_registry.errors import LoadError
from model_registry.files.json_values import JsonDict
from model_registry.weights.quantization import weight_bytes

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel

_NOT_YET = -12_345  # marks whole numbers that nobody has set; NaN marks the others


def random_model(
    config: PreTrainedConfig, device: str, dtype: torch.dtype, seed: int
) -> PreTrainedModel:
    """A model of this configuration with random weights, about ten times as fast as drawing each.

    Large matrices are filled by repeating one block of draws from N(0, 0.02²); norms, biases and
    buffers (rotary frequencies among them) are initialised by transformers itself.

    Raises:
        LoadError: "error" where a tensor is one that nothing here can initialise.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            config, dtype=dtype, trust_remote_code=False
        )
    model.tie_weights()
    cuda.make_room(weight_bytes(model), device)
    _materialise(model, device)
    block = torch.empty(1 << 20, dtype=dtype, device=device)
    torch.manual_seed(seed)
    block.normal_(0.0, 0.02)
    with torch.no_grad():
        for _, _, tensor in _own_tensors(model):
            _mark(tensor)
        for module in model.modules():
            own = list(module.parameters(recurse=False))
            if own and all(p.numel() > 1 << 20 for p in own):
                for parameter in own:
                    _fill(parameter, block)
                    # transformers leaves such a tensor as it is, and does the module's buffers.
                    vars(parameter)["_is_hf_initialized"] = True
            model._init_weights(module)
        _set_what_is_left(model, config)
    model.tie_weights()
    return model


def _materialise(model: PreTrainedModel, device: str) -> None:
    """Memory for each tensor, with anything in it; once for tied ones, unlike `to_empty`."""
    import torch

    made: dict[int, torch.Tensor] = {}

    def own(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in made:
            empty = torch.empty_like(tensor, device=device)
            if isinstance(tensor, torch.nn.Parameter):
                empty = torch.nn.Parameter(empty, tensor.requires_grad)
            made[id(tensor)] = empty
        return made[id(tensor)]

    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = own(tensor)  # type: ignore[assignment]  # of its own kind


def _own_tensors(model: PreTrainedModel) -> Iterator[tuple[nn.Module, str, torch.Tensor]]:
    """Each module's own parameters and buffers, with the module and the name in it."""
    for module in model.modules():
        for name, tensor in (
            *module.named_parameters(recurse=False),
            *module.named_buffers(recurse=False),
        ):
            if tensor.numel():
                yield module, name, tensor


def _mark(tensor: torch.Tensor) -> None:
    """Nobody has set this tensor yet: its memory may hold anything, so its first value is told."""
    import torch

    if tensor.dtype != torch.bool:
        tensor.view(-1)[0] = float("nan") if tensor.is_floating_point() else _NOT_YET


def _is_marked(tensor: torch.Tensor) -> bool:
    import torch

    if tensor.dtype == torch.bool:
        return False
    first = tensor.view(-1)[0]
    return bool(first.isnan() if tensor.is_floating_point() else first == _NOT_YET)


def _set_what_is_left(model: PreTrainedModel, config: PreTrainedConfig) -> None:
    """Give tensors that transformers sets only while it builds a module (an activation with
    parameters of its own) what they have in a model of a second."""
    left = [(m, name, tensor) for m, name, tensor in _own_tensors(model) if _is_marked(tensor)]
    if not left:
        return
    built = {(type(m), name, t.shape): t for m, name, t in _own_tensors(_small(config))}
    for module, name, tensor in left:
        value = built.get((type(module), name, tensor.shape))
        if value is None:
            raise LoadError.of(
                "random_weights_unknown",
                model_type=config.model_type,
                name=name,
                module=type(module).__name__,
            )
        tensor.copy_(value)


def _small(config: PreTrainedConfig) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    values: JsonDict = shrunk(config.to_dict(), vocab_size=512)
    ids = ("bos_token_id", "eos_token_id", "pad_token_id")
    small = type(config)(**values | dict.fromkeys(ids, 0))
    model: PreTrainedModel = AutoModelForCausalLM.from_config(small, trust_remote_code=False)
    return model


def _fill(parameter: torch.Tensor, block: torch.Tensor) -> None:
    flat = parameter.view(-1)
    for start in range(0, flat.numel(), block.numel()):
        part = flat[start : start + block.numel()]
        part.copy_(block[: part.numel()])
