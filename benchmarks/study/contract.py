"""The fairness contract: what must be equal before figures are compared.

Every result carries the contract's hash. What a study varies on purpose (rank, before and after)
is named in `varies` and not hashed; what belongs to a candidate (its chat template, its learning
rate) stands in the result's settings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from benchmarks.study.tuning_settings import TuningSettings
from model_registry.files.names import names_in
from model_registry.memory.fit import Work

#: Fields that older runs lack, with the value that stands for their silence: it is not hashed, so
#: an older run keeps its hash, can be gone on with and told again.
_LATER: dict[str, object] = {
    "thinking": "off", "too_long": "refuse", "rslora": False, "dora": False, "schedule": "linear",
    "warmup_steps": 0, "optimizer": "adamw", "gradient_accumulation": 1, "max_steps": 0,
    "gradient_checkpointing": False, "attention": "auto", "patience": 0, "task_limit": 0,
    "task_template": False, "task_shots": -1, "task_hashes": "", "row_order": "shuffled",
    "packing": False, "fused_kernels": "none",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contract(TuningSettings):
    """The policy shared by all cases of a study."""

    template: str = "each candidate's own"
    thinking: str = "off"  # off, on, or template: what each does by itself
    max_new_tokens: int = 80
    samples: int = 1
    temperature: float = 0.8
    top_p: float = 0.95
    task_limit: int = 0  # documents of each benchmark task; 0 takes all
    task_template: bool = False  # tasks are asked in the chat template
    task_shots: int = -1  # examples before each document; -1 as many as the task declares
    task_hashes: str = ""  # what the tasks ask, as "kobest_copa:0123456789ab, …"
    warm_up: int = 2
    threads: int = 1
    weights: str = "bundled"
    scale: str = "full"
    device: str = "cpu"
    machine: str = ""
    data: str = ""  # hash of rows and prompts
    varies: tuple[str, ...] = ("rank", "tuned")

    def shared(self) -> dict[str, object]:
        """The hashed values: everything but what the study varies."""
        values = asdict(self)
        values.pop("varies")
        return values

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that stand for all shared values."""
        values = {n: v for n, v in self.shared().items() if n not in _LATER or v != _LATER[n]}
        canonical = json.dumps(values, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def lora_targets(targets: str) -> str | tuple[str, ...]:
    """The layers that a contract's `lora_targets` names: "all-linear", or their names."""
    names = names_in(targets)
    return "all-linear" if names == ("all-linear",) else names


def tuned_by(settings: TuningSettings, work: Work) -> Work:
    """The work as its memory is predicted where a tune is done by these settings."""
    return replace(
        work,
        targets=lora_targets(settings.lora_targets),
        checkpointing=settings.gradient_checkpointing,
        dora=settings.dora,
        dropout=settings.lora_dropout > 0,
        optimizer=settings.optimizer,
        packed=settings.packing,
        accumulation=settings.gradient_accumulation,
        attention=settings.attention,
    )


def differences(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """The fields in which two contracts differ, as "dtype: float32 / bfloat16"."""
    fields = sorted(set(one) | set(other))
    return [
        f"{name}: {one.get(name, _LATER.get(name))} / {other.get(name, _LATER.get(name))}"
        for name in fields
        if name != "varies" and one.get(name, _LATER.get(name)) != other.get(name, _LATER.get(name))
    ]
