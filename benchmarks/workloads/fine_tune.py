"""The fine-tuning workload: a short LoRA tune, written out from the first row to the last step.

The base model must be a fresh one: peft changes it in place. One policy holds for every
candidate: the same rows in the same order, all linear layers, loss on the answer only.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.run.case import Case
from benchmarks.study.contract import Contract
from benchmarks.study.variant import effective, tuned_rank
from benchmarks.tune_checks import check_warm_up
from benchmarks.workloads.answer_loss import (
    Batch,
    answer_loss,
    epoch_batches,
    largest_batch,
    loss_form,
    validation_loss,
)
from benchmarks.workloads.inference import make_replies
from benchmarks.workloads.log import WorkLog
from benchmarks.workloads.optimisation import (
    EarlyStopping,
    Stepper,
    check_losses,
    nan_loss,
    prepare,
    rate_share,
    steps_of,
)
from benchmarks.workloads.training_rows import as_trained, encode_rows
from benchmarks.workloads.workload import Opened, Outcome, loaded_here
from model_registry.files.output import whole_folder
from model_registry.prompting.tokenization import EncodedRow
from model_registry.records import Loss
from model_registry.weights.loading import LoadedModel
from model_registry.weights.lora import check_rank, lora_dropout, lora_targets
from model_registry.weights.quantization import keep_gradients

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def work(case: Case, opened: Opened, log: WorkLog) -> Outcome:
    """Tune a fresh base, which is changed, under the case's contract; answer the prompts again.

    Its adapter is kept where the case says; all weights tuned are not. The log takes phases
    "validation_before", "warm_up", "training", "validation_after" and "replies".

    Raises:
        BadTrainingRow: a row would teach something wrong; before anything is trained.
        NanLoss: the loss is no number.
    """
    loaded, contract = loaded_here(case, opened), effective(case.contract, case.settings)
    task, rank = case.task, tuned_rank(case.settings)
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    encoded = encode_rows(policy, tokenizer, task.train, contract, "train")
    rows = as_trained(encoded.rows, contract)
    keep_gradients(loaded.model)  # before the first answer, which may cost quantised weights theirs
    held_out = encode_rows(policy, tokenizer, task.valid, contract, "valid").rows
    with log.phase("validation_before"):
        before = validation_loss(loaded.model, held_out, contract)

    with log.phase("warm_up"):
        model = make_trainable(loaded.model, rank, contract)
        steps = training_batches(rows, contract, tokenizer.pad_token_id, _device(model))
        check_warm_up(contract, len(training_steps(steps, contract)))
        warm_up(model, steps[: contract.warm_up])
    with log.phase("training"):
        rate = learning_rate(loaded, contract)
        losses, kept = train_steps(model, steps, rate, contract, log, held_out)
    for step, loss in enumerate(losses, start=1):
        log.loss(Loss(case.id, step, loss))

    loaded.model = model.eval()
    with log.phase("validation_after"):
        after = validation_loss(model, held_out, contract)
    for step, loss_value in ((0, before), (kept, after)):
        if loss_value is not None:
            log.loss(Loss(case.id, step, loss_value, "valid"))
    if case.keep and rank is not None:
        with whole_folder(Path(case.keep), replace=True) as folder:
            model.save_pretrained(folder)
    if task.prompts:
        make_replies(case.id, loaded, task.prompts, contract, log, tuned=rank or 0)
    return Outcome(
        steps=len(losses),
        tokens=sum(
            int(batch.attention_mask.sum())
            for together in training_steps(steps, contract)[: len(losses)]
            for batch in together
        ),
        figures={
            "loss_first": losses[0],
            "loss_last": losses[kept - 1],
            "validation_loss_before": before,
            "validation_loss_after": after,
            "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
            "longest_row_tokens": max(len(row.input_ids) for row in rows),
            "loss_form": loss_form(model),
            **largest_batch(steps, model),
            "learning_rate": rate,
            "lora_dropout": dropout_of(model),
            "rows_cut": len(encoded.cut),
        },
    )


def learning_rate(loaded: LoadedModel, contract: Contract) -> float:
    """The candidate's own rate, else the contract's."""
    return loaded.candidate.learning_rate or contract.learning_rate


def dropout_of(model: PreTrainedModel) -> float | None:
    """The dropout that LoRA really has in a model; None where it has no LoRA.

    Its layers say it, not its configuration: TRL turns theirs off.
    """
    if "default" not in getattr(model, "peft_config", {}):
        return None
    noise = [m for name, m in model.named_modules() if name.endswith("lora_dropout.default")]
    return max((float(getattr(layer, "p", 0.0)) for layer in noise), default=0.0)  # or Identity


def make_trainable(model: PreTrainedModel, rank: int | None, contract: Contract) -> PreTrainedModel:
    """The model with LoRA, or with all its weights open where `rank` is None."""
    if rank is not None:
        return add_lora(model, rank, contract)
    prepare(model, contract)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    model.train()
    return model


def add_lora(model: PreTrainedModel, rank: int, contract: Contract) -> PreTrainedModel:
    """The model with LoRA on the layers that the contract names, ready to train.

    Seeded, so that the same case starts from the same adapter every time.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    check_rank(model, rank)
    keep_gradients(model)
    prepare(model, contract)
    torch.manual_seed(contract.seed)
    targets = lora_targets(model, contract.lora_targets)
    config = LoraConfig(
        r=rank,
        lora_alpha=contract.lora_alpha,
        lora_dropout=lora_dropout(model, contract.lora_targets, contract.lora_dropout),
        target_modules=targets.modules,
        target_parameters=targets.parameters or None,
        init_lora_weights=contract.lora_init,  # type: ignore[arg-type]
        use_rslora=contract.rslora,
        use_dora=contract.dora,
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        # peft asks transformers by a name that newer transformers call deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config).train()  # type: ignore[return-value]  # wraps one


def training_batches(
    rows: Sequence[EncodedRow], contract: Contract, pad_id: int, device: str
) -> list[Batch]:
    """All steps' batches, made before the clock runs: each epoch in its own seeded order."""
    import torch

    generator = torch.Generator().manual_seed(contract.seed)
    batches: list[Batch] = []
    for _ in range(contract.epochs):
        batches += epoch_batches(rows, contract, generator, pad_id, device)
    return batches


def warm_up(model: PreTrainedModel, batches: Sequence[Batch]) -> None:
    """Forward and backward without a step, so that the first measured one is like the others."""
    import torch

    with torch.random.fork_rng():
        for batch in batches:
            answer_loss(model, batch).backward()
    model.zero_grad(set_to_none=True)


def train_steps(
    model: PreTrainedModel,
    batches: Sequence[Batch],
    rate: float,
    contract: Contract,
    log: WorkLog,
    valid: Sequence[EncodedRow] = (),
) -> tuple[list[float], int]:
    """One optimiser step a batch, or a group of them: AdamW, gradients clipped by their norm.

    Without other settings these are the defaults of transformers' Trainer, whose loss curve ours
    agrees with.

    Losses are read once an epoch, so that no step waits for the one before it. With a patience the
    loss of the `valid` rows is, too, and may end it.

    Returns:
        The loss of each step, before that step's update; and the step whose weights the model
        has: the last, or with a patience that of the best epoch's end.

    Raises:
        NanLoss: a loss is no number; the first of them is named.
    """
    stepper = Stepper(model, contract, rate)
    steps = training_steps(batches, contract)
    losses: list[float] = []
    with EarlyStopping(stepper.parameters, contract.patience) as stopping:
        for done, together in enumerate(steps, start=1):
            stepper.take(together, rate * rate_share(done - 1, len(steps), contract))
            log.progress(done, len(steps))
            if done % steps_per_epoch(batches, contract) and done < len(steps):
                continue
            losses += stepper.read()
            check_losses(model, losses, rate)
            if not contract.patience:
                continue
            if stopping.is_over(_valid_loss(model, valid, contract, rate, done), done):
                break
    return losses, stopping.best_step or len(losses)


def _valid_loss(
    model: PreTrainedModel, rows: Sequence[EncodedRow], contract: Contract, rate: float, step: int
) -> float:
    """The valid loss between two epochs.

    Raises:
        NanLoss: it is no number.
    """
    loss = validation_loss(model.eval(), rows, contract)
    assert loss is not None  # noqa: S101 - for mypy: a plan with a patience has valid rows
    if not math.isfinite(loss):
        raise nan_loss(model, loss, step, rate)
    model.train()
    return loss


def steps_per_epoch(batches: Sequence[Batch], contract: Contract) -> int:
    """Steps that all rows make once."""
    per_epoch = -(-len(batches) // contract.epochs)
    return -(-per_epoch // contract.gradient_accumulation)


def training_steps(batches: Sequence[Batch], contract: Contract) -> list[list[Batch]]:
    """The batches of each step; no step crosses from one epoch into the next."""
    per_epoch = -(-len(batches) // contract.epochs)
    steps = steps_of(batches, per_epoch, contract.gradient_accumulation)
    return steps[: contract.max_steps or None]


def _device(model: PreTrainedModel) -> str:
    return str(next(model.parameters()).device)
