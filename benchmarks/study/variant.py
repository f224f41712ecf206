"""Variants of a workload that a study compares, such as full tuning, LoRA and QLoRA.

What a variant sets is part of a case's settings, not of the contract's hash: variants of one study
compare, and whatever else differs still shows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from benchmarks.study.contract import Contract
from model_registry.files.json_values import JsonObject
from model_registry.weights.quantization import QUANTIZATIONS

#: Names of settings that replace a field of the contract for one case.
_REPLACES = {
    "alpha": "lora_alpha",
    "dropout": "lora_dropout",
    "targets": "lora_targets",
    "learning_rate": "learning_rate",
    "dtype": "dtype",
}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of tuning. None takes the contract's value.

    `tuning` is "lora" or "full"; `targets` names linear layers, separated by commas; `dtype` may
    be "half", which is the half precision of the device; `quantization` is none, int8, nf4 or gptq.
    `only` limits it to candidates of these names.
    """

    name: str
    tuning: str = "lora"
    rank: int | None = None
    alpha: int | None = None
    dropout: float | None = None
    targets: str | None = None
    learning_rate: float | None = None
    dtype: str | None = None
    quantization: str = "none"
    only: tuple[str, ...] = ()

    def problem(self) -> str | None:
        """Why this variant is not possible; None where it is."""
        if self.tuning not in ("lora", "full"):
            return f'tuning is "lora" or "full", not {self.tuning!r}'
        if self.quantization not in ("none", *QUANTIZATIONS):
            return f"quantization is none, {', '.join(QUANTIZATIONS)}, not {self.quantization!r}"
        if self.tuning == "full" and self.quantization != "none":
            return "quantised weights can't be tuned fully: use LoRA on them"
        if self.dtype not in (None, "half", "float32", "bfloat16", "float16"):
            return f"dtype is half, float32, bfloat16 or float16, not {self.dtype!r}"
        return None

    def settings(self, half: str) -> dict[str, object]:
        """The settings of a case of this variant; `half` is the device's half precision."""
        settings: dict[str, object] = {"variant": self.name, "tuning": self.tuning}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("name", "tuning", "only") or value in (None, "none"):
                continue
            settings[field.name] = half if value == "half" else value
        if self.tuning == "lora":
            settings.setdefault("rank", 16)
        return settings


def effective(contract: Contract, settings: JsonObject) -> Contract:
    """The contract as one case follows it, with its settings applied."""
    own = {_REPLACES[name]: value for name, value in settings.items() if name in _REPLACES}
    return replace(contract, **own) if own else contract


def tuned_rank(settings: JsonObject) -> int | None:
    """LoRA's rank of a case; None for full fine-tuning."""
    return None if settings.get("tuning") == "full" else int(settings["rank"])
