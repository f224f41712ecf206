"""Quantises a model (int8, nf4, GPTQ), with proof that it was applied.

What a machine can't do is a LoadError with status "unsupported_device" and the reason. Modules are
replaced in a model that is loaded already, so that hub, folder and random weights go one way.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_registry.errors import LoadError, OhloraError
from model_registry.files.folder_lock import NAME as LOCK
from model_registry.weights.bitsandbytes_layers import (
    disable_unfit_kernels,
    extra_tensors,
    replace_linears,
    undo_fast_layout,
    unreadable,
)
from model_registry.weights.gptq import (
    forgo_fast_layout,
    import_quietly,
    is_gptq,
    load_gptq,
    quantize_gptq,
    save_gptq,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

QUANTIZATIONS = ("int8", "nf4", "gptq")

_PACKAGES = {"int8": "bitsandbytes", "nf4": "bitsandbytes", "gptq": "gptqmodel"}


@dataclass(frozen=True, slots=True)
class Proof:
    """Proof of quantisation: the classes that hold the weights, and bytes per parameter."""

    method: str
    modules_before: dict[str, int]
    modules_after: dict[str, int]
    bytes_before: int
    bytes_after: int
    parameters: int

    @property
    def applied(self) -> bool:
        """Whether linear layers are of another class now and hold fewer bytes."""
        changed = self.modules_before != self.modules_after
        return changed and self.bytes_after < self.bytes_before

    def to_json(self) -> dict[str, object]:
        """As a result's figures hold it."""
        return {
            **asdict(self),
            "applied": self.applied,
            "bytes_per_parameter_before": round(self.bytes_before / self.parameters, 3),
            "bytes_per_parameter_after": round(self.bytes_after / self.parameters, 3),
        }


def check_available(method: str) -> None:
    """Whether the package of a method is installed.

    Raises:
        OhloraError: no such method.
        LoadError: "unsupported_device", with what to install.
    """
    if method not in QUANTIZATIONS:
        raise OhloraError(
            f"No quantisation is called {method}. There are: {', '.join(QUANTIZATIONS)}.",
            f"{method}: 그런 양자화가 없습니다. 고를 수 있는 이름: {', '.join(QUANTIZATIONS)}.",
        )
    package = _PACKAGES[method]
    if importlib.util.find_spec(package) is None:
        raise LoadError.of("quantisation_package_missing", method=method, package=package)


def get_ready(method: str, *, tunes: bool = False) -> None:
    """Import what a case will import anyway, before anything is measured.

    Args:
        method: none, int8, nf4 or gptq.
        tunes: whether LoRA comes: peft imports gptqmodel wherever it is installed.

    Raises:
        LoadError: "unsupported_device", where the method's package is missing.
    """
    if method != "none":
        check_available(method)
    if method in ("int8", "nf4"):
        importlib.import_module("bitsandbytes")
    if method == "gptq" or (tunes and importlib.util.find_spec("gptqmodel")):
        import_quietly()


def quantize(
    model: PreTrainedModel,
    method: str,
    *,
    device: str = "cpu",
    tokenizer: PreTrainedTokenizerBase | None = None,
    calibration: Sequence[str] = (),
) -> tuple[PreTrainedModel, Proof]:
    """Quantise the model's linear layers, the output head left as it is.

    Args:
        model: plain; in main memory, where `device` is too small for it.
        method: int8, nf4 or gptq.
        device: where the quantised model is to be.
        tokenizer: GPTQ reads the calibration texts with it.
        calibration: texts that GPTQ measures its rounding on.

    Raises:
        LoadError: "unsupported_device", where this machine or its packages can't.
    """
    check_available(method)
    before = (_classes(model), weight_bytes(model), _count(model))
    try:
        if method == "gptq":
            model = quantize_gptq(model, tokenizer, calibration, device)
        else:
            replace_linears(model, method, device)
    except LoadError:
        raise
    except Exception as error:
        line = (str(error).splitlines() or [""])[0]
        raise LoadError.of(
            "quantisation_failed", method=method, kind=type(error).__name__, line=line
        ) from error
    proof = Proof(method, before[0], _classes(model), before[1], weight_bytes(model), before[2])
    if not proof.applied:
        raise LoadError.of("quantisation_without_effect", method=method)
    return model, proof


def keep_gradients(model: PreTrainedModel) -> None:
    """Compute quantised layers in the way that has a gradient, and that can be merged into.

    On a CPU the first answer lays quantised weights out for kernels that have none. Without this
    the layers before a quantised one would not learn, and nothing would say so. Call it before any
    answer.

    Raises:
        OhloraError: the weights are laid out so already, and that can't be undone.
    """
    undo_fast_layout(model)
    forgo_fast_layout(model)


def weight_bytes(model: PreTrainedModel) -> int:
    """Bytes of all parameters and buffers as they lie in memory, quantisation's scales included."""
    tensors: dict[int, torch.Tensor] = {}
    for module in model.modules():
        held = [*module._parameters.values(), *module._buffers.values(), *extra_tensors(module)]
        for tensor in held:
            if tensor is not None:
                tensors[tensor.data_ptr() or id(tensor)] = tensor
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _classes(model: PreTrainedModel) -> dict[str, int]:
    """How many modules with weights of their own there are, by class."""
    counts = Counter(
        f"{type(m).__module__.partition('.')[0]}.{type(m).__name__}"
        for m in model.modules()
        if "linear" in type(m).__name__.lower() or "conv1d" in type(m).__name__.lower()
    )
    return dict(sorted(counts.items()))


def _count(model: PreTrainedModel) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def quantization_of_folder(folder: Path) -> str | None:
    """How a folder's weights are quantised, by its configuration; None where they are not.

    For a method that is not one of ours it is the name that the folder gives it.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    said = config.get("quantization_config")
    if not said:
        return None
    if said.get("quant_method") == "bitsandbytes":
        return "nf4" if said.get("load_in_4bit") or said.get("_load_in_4bit") else "int8"
    return str(said.get("quant_method", "unknown"))


def load_quantized(folder: Path, method: str, device: str, dtype: torch.dtype) -> PreTrainedModel:
    """A quantised model from its folder, loaded on its device: it can't be moved later.

    Raises:
        LoadError: "unsupported_device", where a package is missing or this device would read the
            weights wrongly.
    """
    if method in QUANTIZATIONS:
        check_available(method)
    if method == "gptq":
        return load_gptq(folder, device)
    from transformers import AutoModelForCausalLM

    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        str(folder), dtype=dtype, use_safetensors=True, trust_remote_code=False,
        device_map={"": device},
    )  # fmt: skip
    if (problem := unreadable(model)) is not None:
        raise LoadError.of("quantised_unreadable_on_cpu", folder=folder, problem=problem)
    disable_unfit_kernels(model)
    # What turned the file's tensors into quantised ones can't be undone (transformers 5.23): it
    # would refuse to write the model again. None has it write them as they are.
    model._weight_conversions = None  # type: ignore[assignment]  # none of transformers' annotations
    return model


def export(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, out: Path) -> Path:
    """Write a quantised model to a folder that `path` loads again.

    Raises:
        OhloraError: `out` holds something.
    """
    if out.exists() and any(path.name != LOCK for path in out.iterdir()):
        raise OhloraError(
            f"{out} is not empty. Choose another folder.",
            f"{out}에 이미 파일이 있습니다. 다른 폴더를 지정하세요.",
        )
    if is_gptq(model):
        save_gptq(model, out)
    else:
        model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out
