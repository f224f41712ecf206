"""Whether a predicted peak fits into a budget, and the smallest change after which it would."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from model_registry.errors import LoadError
from model_registry.fit import NO_CORRECTION, Correction, Estimate, Work, is_quick, predict

#: What a process takes on a card before its first tensor, and what its libraries reserve: not part
#: of the allocator's peak, but of what must be free.
CARD_RESERVE = 600 * 2**20


def fits(estimate: Estimate, budget_bytes: int, device: str) -> bool:
    """Whether a peak fits, with what a card's own context takes beside it."""
    return margin(estimate, budget_bytes, device) >= 0


def margin(estimate: Estimate, budget_bytes: int, device: str) -> int:
    """Bytes left over; negative where they lack."""
    reserve = CARD_RESERVE if device == "cuda" else 0
    return budget_bytes - reserve - estimate.predicted_bytes


def changes(work: Work) -> list[tuple[str, Work]]:
    """What may be changed to need less, the least first; each name says what to do."""
    steps: list[tuple[str, Work]] = []
    if work.dtype == "float32":
        work = replace(work, dtype="bfloat16")
        steps.append(("half precision", work))
    if work.kind in ("load", "inference"):
        packed = [(q, replace(work, quantization=q)) for q in ("int8", "nf4")]
        return steps + (packed if work.quantization == "none" else [])
    for batch in sorted({math.ceil(work.batch / 2), 1} - {work.batch}, reverse=True):
        steps.append((f"batch {batch}", replace(work, batch=batch)))
    light = replace(work, checkpointing=True)
    steps.append(("gradient checkpointing", light))
    smallest = replace(light, batch=1)
    steps.append(("gradient checkpointing and batch 1", smallest))
    if work.kind == "full":
        lora = replace(work, kind="lora", rank=16)
        steps.append(("LoRA rank 16 instead of full tuning", lora))
        smallest = replace(smallest, kind="lora", rank=16)
        steps.append(("LoRA rank 16, gradient checkpointing, batch 1", smallest))
    if work.quantization == "none":
        prefix = "QLoRA (nf4), rank 16" if work.kind == "full" else "nf4"
        base = replace(work, kind="lora", rank=16) if work.kind == "full" else work
        steps.append((prefix, replace(base, quantization="nf4")))
        steps.append(
            (f"{prefix}, gradient checkpointing, batch 1", replace(smallest, quantization="nf4"))
        )
    return steps


def smallest_change(
    architecture: Mapping[str, Any],
    work: Work,
    budget_bytes: int,
    correction: Correction = NO_CORRECTION,
    *,
    quick: bool = False,
) -> str | None:
    """The first change after which it fits; None where none of them is enough.

    `quick` passes over changes that would have to be traced first.
    """
    for name, changed in changes(work):
        if quick and not is_quick(architecture, changed):
            continue
        try:
            estimate = predict(architecture, changed, correction)
        except LoadError:
            continue
        if fits(estimate, budget_bytes, changed.device):
            return name
    return None
