"""Variants of a workload that a study compares, such as full tuning, LoRA and QLoRA.

What a variant sets is part of a case's settings, not of the contract's hash: variants of one study
compare, and whatever else differs still shows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from benchmarks.study.contract import Contract
from model_registry.files.json_values import JsonObject
from model_registry.language import Both
from model_registry.weights.quantization import QUANTIZATIONS

#: Names of settings that replace a field of the contract for one case.
_REPLACES = {
    "alpha": "lora_alpha",
    "dropout": "lora_dropout",
    "targets": "lora_targets",
    "learning_rate": "learning_rate",
    "dtype": "dtype",
}

#: Settings that only LoRA has.
_OF_LORA = ("rank", "alpha", "dropout", "targets")

_CHOICES = {
    "tuning": ("lora", "full"),
    "quantization": ("none", *QUANTIZATIONS),
    "dtype": ("half", "float32", "bfloat16", "float16"),
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

    def problem(self) -> Both | None:
        """Why this variant is not possible, in English and Korean; None where it is."""
        for name, known in _CHOICES.items():
            value, listed = getattr(self, name), ", ".join(known)
            if value is not None and value not in known:
                return (
                    f"{name} is one of {listed}, not {value!r}",
                    f"{name} 값은 {listed} 중 하나여야 합니다({value!r}은(는) 안 됩니다)",
                )
        if self.tuning == "full" and self.quantization != "none":
            return (
                "quantised weights can't be tuned fully: use LoRA on them",
                "양자화한 가중치는 전체 튜닝할 수 없습니다. LoRA를 쓰세요",
            )
        ignored = ", ".join(name for name in _OF_LORA if getattr(self, name) is not None)
        if self.tuning == "full" and ignored:
            return (
                f'full tuning has no {ignored}: leave it out, or tuning = "lora"',
                f'전체 튜닝에는 {ignored} 설정이 없습니다. 빼거나 tuning = "lora"로 하세요',
            )
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
