"""int8 and nf4 (bitsandbytes) and GPTQ in 4 bit (gptqmodel), each with proof that it was applied.

What a machine can't do is a LoadError with status "unsupported_device" and the reason. Modules are
replaced in a model that is loaded already, so that hub, folder and random weights go one way.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_registry.errors import LoadError, OhloraError

QUANTIZATIONS = ("int8", "nf4", "gptq")

_PACKAGES = {"int8": "bitsandbytes", "nf4": "bitsandbytes", "gptq": "gptqmodel"}


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of the weights: which classes hold them, and bytes a parameter."""

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

    def to_json(self) -> dict[str, Any]:
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
            f"No quantisation is called {method}. There are: {', '.join(QUANTIZATIONS)}."
        )
    package = _PACKAGES[method]
    if importlib.util.find_spec(package) is None:
        raise LoadError(
            "unsupported_device",
            f'{method} needs {package}, which is not installed: pip install -e ".[quant]".',
        )


def quantize(
    model: Any, method: str, *, tokenizer: Any = None, calibration: Sequence[str] = ()
) -> tuple[Any, Proof]:
    """The model with its linear layers in fewer bits, the output head left as it is.

    Args:
        model: loaded, on its device.
        method: int8, nf4 or gptq.
        tokenizer: GPTQ reads the calibration texts with it.
        calibration: texts that GPTQ measures its rounding on.

    Raises:
        LoadError: "unsupported_device", where this machine or its packages can't.
    """
    check_available(method)
    before = (_classes(model), weight_bytes(model), _count(model))
    try:
        if method == "gptq":
            model = _gptq(model, tokenizer, calibration)
        else:
            _replace_linears(model, method)
    except LoadError:
        raise
    except Exception as error:
        line = (str(error).splitlines() or [""])[0]
        raise LoadError(
            "unsupported_device",
            f"{method} could not be applied here: {type(error).__name__}: {line}",
        ) from error
    proof = Proof(method, before[0], _classes(model), before[1], weight_bytes(model), before[2])
    if not proof.applied:
        raise LoadError("unsupported_device", f"{method} left the weights as they were.")
    return model, proof


def weight_bytes(model: Any) -> int:
    """Bytes of all parameters and buffers as they lie in memory, quantisation's scales included."""
    tensors: dict[int, Any] = {}
    for module in model.modules():
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if tensor is not None:
                tensors[tensor.data_ptr() or id(tensor)] = tensor
                for scale in _scales(tensor):
                    tensors[scale.data_ptr() or id(scale)] = scale
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _scales(parameter: Any) -> list[Any]:
    """What bitsandbytes keeps beside a packed weight: nf4's state, int8's row scales."""
    import torch

    held = [getattr(parameter, "SCB", None)]
    state = getattr(parameter, "quant_state", None)
    if state is not None:
        held += [state.absmax, state.code, getattr(state, "offset", None)]
        inner = getattr(state, "state2", None)
        if inner is not None:
            held += [inner.absmax, inner.code]
    return [tensor for tensor in held if isinstance(tensor, torch.Tensor)]


def _classes(model: Any) -> dict[str, int]:
    """How many modules with weights of their own there are, by class."""
    counts = Counter(
        f"{type(m).__module__.partition('.')[0]}.{type(m).__name__}"
        for m in model.modules()
        if "linear" in type(m).__name__.lower() or "conv1d" in type(m).__name__.lower()
    )
    return dict(sorted(counts.items()))


def _count(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _replace_linears(model: Any, method: str) -> None:
    """Put bitsandbytes' layers in the place of all linear ones but the head, weight by weight."""
    import torch

    head = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear and child is not head and _can_pack(child, method):
                setattr(parent, name, _packed(child, method))
    model.is_loaded_in_4bit = method == "nf4"  # peft asks for these names
    model.is_loaded_in_8bit = method == "int8"
    model.config.quantization_config = _config(method, model.dtype)


def _config(method: str, dtype: Any) -> Any:
    """What tells transformers how to load the folder that this model is written to."""
    from transformers import BitsAndBytesConfig

    if method == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def _can_pack(linear: Any, method: str) -> bool:
    """nf4 packs blocks of 64; the CPU's kernel (seen in bitsandbytes 0.50.2) wants them whole."""
    return method != "nf4" or linear.weight.device.type != "cpu" or linear.in_features % 64 == 0


def _packed(linear: Any, method: str) -> Any:
    """One layer in bitsandbytes' form; moving the weight to its device is what packs it."""
    import bitsandbytes as bnb
    import torch

    device, dtype = linear.weight.device, linear.weight.dtype
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
        made.bias = torch.nn.Parameter(linear.bias.detach(), requires_grad=False)
    made.training = linear.training
    return made


def _gptq(model: Any, tokenizer: Any, calibration: Sequence[str]) -> Any:
    """Quantise with gptqmodel by way of a folder: it loads and packs models itself."""
    import tempfile

    if tokenizer is None or not calibration:
        raise LoadError("error", "GPTQ needs a tokenizer and texts to calibrate on.")
    device = str(next(model.parameters()).device)
    with tempfile.TemporaryDirectory(prefix="ohlora-gptq-") as folder:
        plain, packed = Path(folder, "plain"), Path(folder, "packed")
        model.save_pretrained(plain)
        tokenizer.save_pretrained(plain)
        _gptq_folder(plain, packed, calibration)
        return load_gptq(packed, device)


def _gptq_folder(plain: Path, packed: Path, calibration: Sequence[str]) -> None:
    from gptqmodel import GPTQModel, QuantizeConfig

    config = QuantizeConfig(bits=4, group_size=_group_size(plain))
    quantized = GPTQModel.load(str(plain), config)
    quantized.quantize(list(calibration), batch_size=1)
    quantized.save(str(packed))


def _group_size(folder: Path) -> int:
    """128 where it divides the model's widths, else the largest smaller one that does."""
    import json

    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    widths = [values[k] for k in ("hidden_size", "intermediate_size", "ffn_dim") if k in values]
    for size in (128, 64, 32, 16):
        if all(width % size == 0 for width in widths):
            return size
    return -1  # one group a row


def load_gptq(folder: Path, device: str) -> Any:
    """A GPTQ model from its folder.

    Raises:
        LoadError: "unsupported_device", where gptqmodel is not installed.
    """
    check_available("gptq")
    from gptqmodel import BACKEND, GPTQModel

    backend = BACKEND.TORCH if device == "cpu" else BACKEND.AUTO
    return GPTQModel.load(str(folder), device=device, backend=backend).model


def export(model: Any, tokenizer: Any, out: Path) -> Path:
    """Write a quantised model to a folder that `path` loads again.

    Raises:
        OhloraError: `out` holds something.
    """
    if out.exists() and any(out.iterdir()):
        raise OhloraError(f"{out} is not empty. Choose another folder.")
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out
