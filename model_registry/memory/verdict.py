"""Whether a predicted peak fits into a budget, and the smallest change after which it would."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace

from model_registry.errors import LoadError
from model_registry.memory.fit import NO_CORRECTION, Correction, Estimate, Work, is_quick, predict

#: What a process holds on a card beside the allocator's memory: its context and the kernels that it
#: loads. Measured on an H200 with CUDA 13: 610 MiB when it has loaded, 758 when it has tuned.
CARD_RESERVE = 768 * 2**20
#: Rows in a step of `ohlora tune`, and the tokens that each may have.
TUNED_BATCH = 4
TUNED_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Said:
    """What else the commands to paste say. `tune` is None where no `ohlora tune` can do it, as for
    names of a catalog of one's own; `fit` is the card and the levers of an `ohlora fit`; rows may
    have `max_length` tokens."""

    tune: str | None = "--data FILE --out DIR"
    fit: str = ""
    max_length: int = TUNED_LENGTH


NOTHING_ELSE = Said()


def fits(estimate: Estimate, budget_bytes: int, device: str) -> bool:
    """Whether a peak fits, with what a card's own context takes beside it."""
    return margin(estimate, budget_bytes, device) >= 0


def margin(estimate: Estimate, budget_bytes: int, device: str) -> int:
    """Bytes left over; negative where they lack."""
    reserve = CARD_RESERVE if device == "cuda" else 0
    return budget_bytes - reserve - estimate.predicted_bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One way to need less that exists: a line of a study, and options of `ohlora tune` if it can.

    The line stands under the table of the study that it names; a code, the same in any language.
    """

    work: Work
    study: str
    tune: str | None = None


def changes(work: Work) -> list[Change]:
    """Changes that need less memory, the smallest first."""
    if work.dtype == "float32":
        half = replace(work, dtype="bfloat16")
        first = _change(work, half, '[contract] dtype = "bfloat16"')
        return [first, *(_after(work, first, change) for change in changes(half))]
    if work.kind in ("load", "inference"):
        quantized = ("int8", "nf4") if work.quantization == "none" else ()
        return [
            Change(replace(work, quantization=q), f'[work] quantizations = ["{q}"]')
            for q in quantized
        ]
    steps = [
        _change(work, _in_batches_of(work, batch), f"[contract] batch_size = {batch}")
        for batch in sorted({math.ceil(work.batch / 2), 1} - {work.batch}, reverse=True)
    ]
    if not work.checkpointing:
        kept = replace(work, checkpointing=True)
        line = "[contract] gradient_checkpointing = true"
        steps.append(_change(work, kept, line))
        if work.batch > 1:
            one = _in_batches_of(kept, 1)
            steps.append(_change(work, one, f"{line}; [contract] batch_size = 1"))
    return steps + (_of_full(work) if work.kind == "full" else _of_lora(work))


def _in_batches_of(work: Work, batch: int) -> Work:
    """Smaller batches, accumulated: a step learns from as many rows as before."""
    together = work.accumulation * math.ceil(work.batch / batch)
    return replace(work, batch=batch, accumulation=together)


def _change(before: Work, work: Work, study: str) -> Change:
    if work.kind != "lora":  # `ohlora tune` does no such work
        return Change(work, study)
    dtype = "" if work.dtype == before.dtype else f"--dtype {work.dtype} "
    return Change(work, study, dtype + tune_options(work))


def tune_options(work: Work) -> str:
    """The options of `ohlora tune` that do this work; what they are by themselves is left out."""
    targets = work.targets if isinstance(work.targets, str) else ",".join(work.targets)
    said = {
        f"--rank {work.rank or 16}": True,
        f"--batch-size {work.batch}": work.batch != TUNED_BATCH,
        f"--gradient-accumulation {work.accumulation}": work.accumulation > 1,
        "--gradient-checkpointing": work.checkpointing,
        f"--quantization {work.quantization}": work.quantization != "none",
        f"--lora-targets {targets}": targets != "all-linear",
        "--lora-dropout 0": not work.dropout,
        "--dora": work.dora,
        f"--packing --max-length {work.length}": work.packed,  # which decides their length
        f"--optimizer {work.optimizer}": work.optimizer != "adamw",
        f"--attention {work.attention}": work.attention != "auto",
    }
    return " ".join(option for option, holds in said.items() if holds)


def _after(before: Work, first: Change, change: Change) -> Change:
    """A change that comes on top of another: both are named."""
    return _change(before, change.work, f"{first.study}; {change.study}")


def _of_lora(work: Work) -> list[Change]:
    """A smaller rank, and weights quantised to 4 bit."""
    smaller = [rank for rank in (32, 16, 8, 4) if rank < (work.rank or 16)]
    key = "preference_ranks" if work.kind == "orpo" else "ranks"
    steps = [
        _change(work, replace(work, rank=rank), f"[work] {key} = [{rank}]") for rank in smaller
    ]
    if work.kind == "lora" and work.quantization == "none":
        line = f'[[work.variants]] rank = {work.rank or 16}, quantization = "nf4"'
        quantized = replace(work, quantization="nf4")
        one = _in_batches_of(quantized, 1)
        steps.append(_change(work, quantized, line))
        steps.append(_change(work, one, f"{line}; [contract] batch_size = 1"))
        if not work.checkpointing:
            kept = f"{line}; [contract] gradient_checkpointing = true"
            one = replace(one, checkpointing=True)
            steps.append(_change(work, replace(quantized, checkpointing=True), kept))
            steps.append(_change(work, one, f"{kept}; [contract] batch_size = 1"))
    return steps


def _of_full(work: Work) -> list[Change]:
    """Moments in 8 bits, or LoRA in its place."""
    packed = replace(work, optimizer="adamw_8bit")
    lora = replace(work, kind="lora", rank=16)
    line = '[[work.variants]] tuning = "lora", rank = 16'
    one = _in_batches_of(lora, 1)
    quantized = replace(one, quantization="nf4")
    first = (
        []
        if work.optimizer != "adamw" or work.device == "cpu"
        else [_change(work, packed, '[contract] optimizer = "adamw_8bit"')]
    )
    return [
        *first,
        _change(work, lora, line),
        _change(work, one, f"{line}; [contract] batch_size = 1"),
        _change(work, quantized, f'{line}, quantization = "nf4"; [contract] batch_size = 1'),
    ]


def smallest_change(
    architecture: Mapping[str, object],
    work: Work,
    budget_bytes: int,
    correction: Correction = NO_CORRECTION,
    *,
    quick: bool = False,
) -> Change | None:
    """The first change after which it fits; None where none of them is enough.

    `quick` passes over changes that would have to be traced first.
    """
    for change in changes(work):
        if quick and not is_quick(architecture, change.work):
            continue
        try:
            estimate = predict(architecture, change.work, correction)
        except LoadError:
            continue
        if fits(estimate, budget_bytes, change.work.device):
            return change
    return None


def as_command(name: str, change: Change | None, said: Said) -> str | None:
    """A change as the command to paste, or the line of a study where no command alone can do it."""
    if change is None or change.tune is None or said.tune is None:
        return change.study if change else None
    most = max(change.work.length, said.max_length)  # rows that were counted may be longer
    other = most != TUNED_LENGTH and not change.work.packed  # which says it itself
    words = [
        shlex.quote(name),
        change.tune,
        *([f"--max-length {most}"] if other else []),
        said.tune,
    ]
    return f"ohlora tune {' '.join(words)}"
