"""Every option of a tune (LoRA, optimiser, schedule, batch), the same wherever one is set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

SCHEDULES = ("linear", "cosine", "constant")
OPTIMIZERS = ("adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit")
ATTENTIONS = ("auto", "sdpa", "eager", "flash_attention_2")
FUSED_KERNELS = ("none", "liger")
TOO_LONG = ("refuse", "cut", "drop")
ROW_ORDERS = ("shuffled", "length")

#: What the settings that are words may be.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "schedule": SCHEDULES, "optimizer": OPTIMIZERS, "attention": ATTENTIONS, "too_long": TOO_LONG,
    "row_order": ROW_ORDERS, "fused_kernels": FUSED_KERNELS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TuningSettings:
    """How a model is tuned; rank and quantisation stand beside it, for a study varies them."""

    lora_targets: str = "all-linear"
    lora_alpha: int = 16
    lora_dropout: float = 0.05
    lora_init: str = "gaussian"
    rslora: bool = False  # alpha / sqrt(rank) in the place of alpha / rank
    dora: bool = False  # magnitude and direction of each weight are tuned apart
    learning_rate: float = 2e-4  # for candidates that declare none
    schedule: str = "linear"  # from the learning rate down to 0; "constant" stays
    warmup_steps: int = 0  # on a line from 0 up to the learning rate
    optimizer: str = "adamw"  # the others are bitsandbytes'
    batch_size: int = 4  # rows in memory at a time
    gradient_accumulation: int = 1  # batches a step
    gradient_checkpointing: bool = False  # keeps each layer's input only, and works it out again
    epochs: int = 10
    max_steps: int = 0  # ends earlier than the epochs; 0 does not
    patience: int = 0  # epochs without a lower valid loss before a tune ends; 0 does not
    row_order: str = "shuffled"  # "length": like-long rows share a batch, which changes the steps
    max_length: int = 512  # tokens of a row
    too_long: str = "refuse"  # what becomes of longer rows: see benchmarks.workloads.training_rows
    packing: bool = False  # several rows in one of up to max_length tokens: fewer steps an epoch
    max_grad_norm: float = 1.0
    attention: str = "auto"  # transformers' implementation; auto is the model's own
    fused_kernels: str = "none"  # or Liger's, on a card
    seed: int = 42
    dtype: str = "float32"


def step_counts(rows: int, settings: TuningSettings) -> tuple[int, int]:
    """Steps of one epoch, and of the whole tune."""
    batches = math.ceil(rows / settings.batch_size)
    per_epoch = math.ceil(batches / settings.gradient_accumulation)
    steps = per_epoch * settings.epochs
    return per_epoch, min(steps, settings.max_steps or steps)
