"""A tuning step against peers: seconds and peak at 4 × 512 tokens, 262 k vocabulary.

All sides tune the same random Llama with the same LoRA on the same token ids in the same order, in
the same precision, without checkpointing; every step is waited for. Each is called in a process
of its own. "plain" is the loop that transformers' and peft's documentation shows.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.run.measure import measured, wait_for
from benchmarks.study.contract import Contract
from benchmarks.workloads.answer_loss import Batch
from benchmarks.workloads.fine_tune import add_lora, train_steps, training_batches
from benchmarks.workloads.log import MemoryLog
from model_registry.candidate import Candidate, License
from model_registry.files.json_values import JsonDict
from model_registry.memory.allocator import give_back_what_is_freed
from model_registry.prompting.tokenization import EncodedRow
from model_registry.records import Peak
from model_registry.weights.loading import load, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: About 0.5 B parameters, half of them the vocabulary's.
LLAMA: JsonDict = {
    "model_type": "llama", "vocab_size": 262144, "hidden_size": 1024, "intermediate_size": 4096,
    "num_hidden_layers": 16, "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 64,
    "max_position_embeddings": 4096, "tie_word_embeddings": True,
}  # fmt: skip
TINY = {"vocab_size": 8192, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "head_dim": 16}  # fmt: skip
RANK = 16


@dataclass(frozen=True, slots=True)
class Job:
    """What all sides are asked to do; the first `warm_up` steps are not counted."""

    device: str
    dtype: str
    scale: str = "full"
    rows: int = 4
    length: int = 512
    steps: int = 12
    warm_up: int = 4
    threads: int = 1

    @property
    def contract(self) -> Contract:
        return Contract(
            batch_size=self.rows, epochs=1, dtype=self.dtype, device=self.device,
            weights="random", lora_dropout=0.0, max_length=self.length,
        )  # fmt: skip


@dataclass(slots=True)
class StepClock(MemoryLog):
    """Takes the time of each step, when the device has done it."""

    times: list[float] = field(default_factory=list)
    step_losses: list[float] = field(default_factory=list)

    def progress(self, done: int, total: int) -> None:
        self.tick()

    def tick(self) -> None:
        """A step is done."""
        wait_for(self.device)
        self.times.append(time.perf_counter())


Side = Callable[[Contract, "PreTrainedModel", list[Batch], StepClock], None]


def ours(
    contract: Contract, model: PreTrainedModel, batches: list[Batch], clock: StepClock
) -> None:
    """The product's own loop."""
    give_back_what_is_freed()
    clock.step_losses, _ = train_steps(model, batches, contract.learning_rate, contract, clock)


def plain(
    contract: Contract, model: PreTrainedModel, batches: list[Batch], clock: StepClock
) -> None:
    """transformers' loss, torch's AdamW, the learning rate falling to 0."""
    import torch

    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=contract.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: 1 - s / len(batches))
    for batch in batches:
        loss = model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        clock.step_losses.append(loss.item())
        clock.tick()


def trl(
    contract: Contract,
    model: PreTrainedModel,
    batches: list[Batch],
    clock: StepClock,
    *,
    liger: bool = False,
) -> None:
    """TRL's SFTTrainer over the rows in the order of our batches, with Liger's where `liger`."""
    import datasets
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Tick(TrainerCallback):
        """Tells each step."""

        def on_step_end(self, *_: object, **__: object) -> None:
            clock.tick()

    rows = datasets.Dataset.from_list(  # type: ignore[attr-defined]  # the library, not our folder
        [
            {"input_ids": ids[mask.bool()].tolist(), "labels": labels[mask.bool()].tolist()}
            for batch in batches
            for ids, mask, labels in zip(
                batch.input_ids, batch.attention_mask, batch.labels, strict=True
            )
        ]
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(**trl_settings(contract, folder), use_liger_kernel=liger),
            train_dataset=rows,
            processing_class=_tokenizer(),
            callbacks=[Tick()],
        )
        trainer.train()
    history = trainer.state.log_history
    clock.step_losses = [entry["loss"] for entry in history if "loss" in entry]


def trl_settings(contract: Contract, folder: str) -> JsonDict:
    """What TRL is told so that it makes the steps that the contract asks for."""
    return {
        "output_dir": folder,
        "num_train_epochs": 1,
        "per_device_train_batch_size": contract.batch_size,
        "learning_rate": contract.learning_rate,
        "lr_scheduler_type": "linear",
        "max_grad_norm": contract.max_grad_norm,
        "weight_decay": 0.0,
        "train_sampling_strategy": "sequential",
        "logging_steps": 1,  # ours keeps every step's loss too
        "max_length": None,  # nothing is cut on either side
        "bf16": False,  # the model is in the precision that is compared; nothing is cast
        "gradient_checkpointing": False,
        "use_cpu": contract.device == "cpu",
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "seed": contract.seed,
    }


def _tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(_candidate(LLAMA), source="random")


SIDES: dict[str, tuple[Side, tuple[str, ...]]] = {
    "ours": (ours, ()),
    "plain": (plain, ()),
    "ours + Liger": (ours, ("liger_kernel",)),
    "TRL": (trl, ("trl", "datasets")),
    "TRL + Liger": (partial(trl, liger=True), ("trl", "datasets", "liger_kernel")),
}


def step(name: str, job: Job) -> dict[str, object]:
    """One side: seconds a step, peaks of its training, and the losses that it saw.

    Where a package that it needs is not installed, `missing` names it and nothing is done.
    """
    import torch

    side, packages = SIDES[name]
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing or ("Liger" in name and job.device == "cpu"):
        return {"missing": missing or ["a card"]}
    torch.set_num_threads(job.threads)
    values = LLAMA if job.scale == "full" else LLAMA | TINY
    loaded = load(_candidate(values), source="random", device=job.device, dtype=job.dtype, seed=0)
    kernels = "liger" if name == "ours + Liger" else "none"
    model = add_lora(loaded.model, RANK, replace(job.contract, fused_kernels=kernels))
    batches = _batches(job, values["vocab_size"])
    clock = StepClock(job.device)
    with measured(job.device) as measurement:
        side(job.contract, model, batches, clock)
    return _found(job, clock, measurement.peak)


def _found(job: Job, clock: StepClock, peak: Peak | None) -> dict[str, object]:
    counted = clock.times[job.warm_up - 1 :]
    seconds = [late - early for early, late in pairwise(counted)]
    return {
        "step_seconds": median(seconds),
        "fastest_seconds": min(seconds),
        "slowest_seconds": max(seconds),
        "steps": len(clock.times),
        "allocated_bytes": peak and peak.allocated_bytes,
        "reserved_bytes": peak and peak.reserved_bytes,
        "process_bytes": peak and peak.process_bytes,
        "baseline_bytes": peak and peak.baseline_bytes,
        "loss_first": clock.step_losses[0],
        "loss_last": clock.step_losses[-1],
    }


def _candidate(values: JsonDict) -> Candidate:
    return Candidate("llama-262k", License("none", "yes"), architecture=values)


def _batches(job: Job, vocabulary: int) -> list[Batch]:
    """Random tokens, every one of them labelled."""
    import torch

    generator = torch.Generator().manual_seed(0)
    shape = (job.steps * job.rows, job.length)
    ids = torch.randint(16, int(vocabulary), shape, generator=generator).tolist()
    rows = [EncodedRow(tuple(row), tuple(row)) for row in ids]
    return training_batches(rows, job.contract, 0, job.device)


def short(job: Job) -> Job:
    """The same at a size of a second."""
    return replace(job, scale="tiny", length=32, steps=4, warm_up=1)
