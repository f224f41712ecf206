"""LoRA targets: all linear layers, and the stacked experts of a mixture.

transformers keeps the experts of a layer stacked in one parameter of three dimensions, which is no
layer. peft by itself wraps them in some architectures, leaves them frozen in others, and in the
first forgets the layers beside them that bear their old names: so what is tuned is named here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_registry.errors import LoadError, OhloraError, first_line
from model_registry.files.names import names_in
from model_registry.weights.folder_check import ADAPTER_WEIGHTS, check_adapter
from model_registry.weights.gptq import gptq_layers
from model_registry.weights.weight_files import read_tensors

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ALL_LINEAR = "all-linear"

#: Layers that peft takes for experts wherever an architecture has experts: named as parameters.
_TAKEN_FOR_EXPERTS = frozenset({"gate", "gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"})

_COUNTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


@dataclass(frozen=True, slots=True)
class LoraTargets:
    """Names as peft takes them: of modules ("all-linear" for all), and of parameters."""

    modules: str | list[str]
    parameters: list[str]


def is_mixture(values: Mapping[str, object]) -> bool:
    """Whether an architecture's values speak of several experts."""
    counts = (values.get(name) for name in _COUNTS)
    return any(isinstance(count, int) and count > 1 for count in counts)


def lora_targets(model: PreTrainedModel, targets: str) -> LoraTargets:
    """A policy's LoRA targets in a model.

    Args:
        model: plain or quantised.
        targets: "all-linear", or names of layers separated by commas.

    Names that it does not have are passed over: a study names those of several architectures.

    Raises:
        LoadError: "unsupported_architecture", where it has none of the layers, or quantised
            weights lie beside stacked experts.
    """
    experts = stacked_experts(model)
    if targets != ALL_LINEAR:
        names = named_layers(targets)
        chosen = [name for name in experts if name.rpartition(".")[2] in names]
        modules = [name for name in names if name in _layers(model)]
        if not modules and not chosen:
            raise no_such_layers(names, layer_names(model))
        return LoraTargets(modules, chosen)
    if not experts:
        return LoraTargets(gptq_layers(model) or ALL_LINEAR, [])
    if getattr(model.config, "quantization_config", None) is not None:
        raise LoadError.of("quantised_experts")
    linears = _linears(model)
    beside = [f"{_suffix(n)}.weight" for n in linears if n.rpartition(".")[2] in _TAKEN_FOR_EXPERTS]
    modules = sorted(_leaves(linears) - _TAKEN_FOR_EXPERTS)
    return LoraTargets(modules, [*experts, *sorted(set(beside))])


def named_layers(targets: str) -> tuple[str, ...]:
    """The names of layers in a policy's LoRA targets, none for all of them."""
    names = names_in(targets)
    return () if names == (ALL_LINEAR,) else names


def layer_names(model: PreTrainedModel) -> set[str]:
    """What LoRA targets may name in a model: linear layers, and the parameters of experts."""
    return _layers(model) | _leaves(stacked_experts(model))


def no_such_layers(names: Sequence[str], known: Iterable[str]) -> LoadError:
    """The error for LoRA targets that a model does not have; it names the near one."""
    listed = ", ".join(sorted(known))
    near = [m for name in names for m in difflib.get_close_matches(name, sorted(known), n=1)]
    meant = ",".join(dict.fromkeys(near))
    return LoadError.of(
        "no_such_layers", names=", ".join(names), known=listed,
        hint=f" Did you mean {meant}?" if meant else "",
        hint_ko=f" {meant}을(를) 쓰려고 했나요?" if meant else "",
    )  # fmt: skip


def lora_dropout(model: PreTrainedModel, targets: str, wanted: float) -> float:
    """The dropout that LoRA can have there: none on parameters."""
    return 0.0 if lora_targets(model, targets).parameters else wanted


def check_rank(model: PreTrainedModel, rank: int) -> None:
    """Refuse a rank that no layer can use; in layers that are smaller than it, it is allowed.

    Raises:
        OhloraError: with the largest rank that any layer can use.
    """
    head = model.get_output_embeddings()
    sizes: list[int] = [
        min(module.in_features, module.out_features)  # type: ignore[type-var,misc]  # whole numbers
        for module in model.modules()
        if hasattr(module, "in_features") and hasattr(module, "out_features") and module is not head
    ]
    most = max(sizes, default=rank)
    if rank > most:
        raise OhloraError(
            f"A LoRA of rank {rank} is larger than every layer of this model: choose at most "
            f"{most} (--rank, --ranks).",
            f"LoRA rank {rank}은(는) 이 모델의 모든 레이어보다 큽니다: {most} 이하로 지정하세요"
            "(--rank, --ranks).",
        )


def stacked_experts(model: PreTrainedModel) -> list[str]:
    """The parameters that hold a layer's experts, without what differs between layers."""
    import torch

    found = {
        f"{_suffix(name)}.{leaf}"
        for name, module in model.named_modules()
        if not isinstance(module, (torch.nn.modules.conv._ConvNd, torch.nn.Linear))
        for leaf, parameter in module.named_parameters(recurse=False)
        if parameter.ndim == 3 and min(parameter.shape) > 1
    }
    return sorted(found)


def _layers(model: PreTrainedModel) -> set[str]:
    return _leaves(_linears(model)) | set(gptq_layers(model))


def _linears(model: PreTrainedModel) -> list[str]:
    """Names of the linear layers, the output head left out."""
    import torch

    head = model.get_output_embeddings()
    kinds = (torch.nn.Linear, _conv1d())
    return [n for n, m in model.named_modules() if isinstance(m, kinds) and m is not head]


def _conv1d() -> type:
    from transformers.pytorch_utils import Conv1D

    return Conv1D


def _leaves(names: Sequence[str]) -> set[str]:
    return {name.rpartition(".")[2] for name in names}


def _suffix(name: str) -> str:
    """What is left of a module's name behind the number of its layer."""
    parts = name.split(".")
    numbers = [i for i, part in enumerate(parts) if part.isdecimal()]
    return ".".join(parts[numbers[0] + 1 :] if numbers else parts)


def with_adapter(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The model with the adapter on it, each of its matrices in its place.

    Raises:
        LoadError: it was made for another base. peft by itself would leave out what has no place.
    """
    from peft import PeftModel, get_peft_model_state_dict

    stored = {name for name in read_tensors(folder / ADAPTER_WEIGHTS) if "lora_" in name}
    try:
        tuned = PeftModel.from_pretrained(model, str(folder), trust_remote_code=False).eval()
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        if "memory" in str(error).lower():
            raise
        raise LoadError.of(
            "adapter_does_not_fit", folder=folder, reason=first_line(error)
        ) from error
    placed = {name for name in get_peft_model_state_dict(tuned) if "lora_" in name}
    if stored != placed:
        raise LoadError.of(
            "adapter_places_differ",
            folder=folder,
            unplaced=len(stored - placed),
            matrices=len(stored),
            free=len(placed - stored),
        )
    return tuned  # type: ignore[return-value]  # it passes on what it does not know to the model


def with_adapter_merged(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The model with an adapter added to its weights: it has no adapter any more, and can get one.

    Raises:
        LoadError: as `with_adapter`, or the adapter can't be added to weights.
    """
    check_adapter(folder)
    tuned = with_adapter(model, folder)
    try:
        return tuned.merge_and_unload(safe_merge=True)  # type: ignore[operator, no-any-return]
    except (ValueError, RuntimeError, NotImplementedError) as error:
        raise LoadError.of(
            "adapter_not_mergeable", folder=folder, reason=first_line(error)
        ) from error
