"""The training loop of the final LoRA tune: all rows, resumable after a kill.

The same loop pieces as the measured workload, so that what was measured is what is done. After
each epoch adapter, optimiser and place are written; a killed tune goes on from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.study.contract import Contract
from benchmarks.study.tuning_settings import step_counts
from benchmarks.tune_rows import TuneRows
from benchmarks.tune_state import BEST, STATE, EpochEnd, check_state, identity_of, restore, save
from benchmarks.workloads.answer_loss import Batch, epoch_batches, validation_loss
from benchmarks.workloads.fine_tune import add_lora, dropout_of, learning_rate
from benchmarks.workloads.optimisation import (
    Stepper,
    check_losses,
    is_patience_over,
    nan_loss,
    rate_share,
    steps_of,
)
from benchmarks.workloads.training_rows import as_trained
from model_registry.files.output import whole_files
from model_registry.prompting.tokenization import EncodedRow
from model_registry.weights.adapter import CARD, write_card
from model_registry.weights.loading import LoadedModel

Tell = Callable[[int, int], None]  # step, steps


def tune(
    loaded: LoadedModel,
    rows: TuneRows,
    contract: Contract,
    *,
    rank: int,
    out: Path,
    quantization: str = "none",
    tell: Tell = lambda step, steps: None,
    epoch_ends: Callable[[EpochEnd], None] = lambda end: None,
) -> list[EpochEnd]:
    """Tune with LoRA on all rows; resumes where a killed tune in `out` stopped.

    Args:
        loaded: a freshly loaded base; it is changed.
        rows: encoded and checked.
        contract: batch size, epochs, learning rate, LoRA policy, seed.
        rank: LoRA's r.
        out: folder for the adapter and the state between epochs.
        quantization: of the base, which is quantised already.
        tell: after every step.
        epoch_ends: after every epoch, when its state is on disk.

    Returns:
        All epochs, those of an earlier try included.

    Raises:
        OhloraError: `out` holds a tune with other settings.
        NanLoss: the loss is no number; the last epoch's adapter stays.
    """
    out.mkdir(parents=True, exist_ok=True)
    identity = identity_of(loaded.candidate, loaded.tokenizer, rows, contract, rank, quantization)
    check_state(out, identity)
    model = add_lora(loaded.model, rank, contract)
    rate = learning_rate(loaded, contract)
    stepper = Stepper(model, contract, rate)
    history: list[EpochEnd] = []
    if (out / STATE).exists():
        history = restore(out / STATE, stepper.parameters, stepper.optimiser)
    train = as_trained(rows.train, contract)
    per_epoch, steps = step_counts(len(train), contract)
    for epoch in range(len(history), math.ceil(steps / per_epoch)):
        waited = [_loss_of(end) for end in history if end.valid_loss is not None]
        if is_patience_over(waited, contract.patience):
            break
        done = epoch * per_epoch
        for step, together in enumerate(
            _epoch(loaded, train, contract, epoch)[: steps - done], start=done
        ):
            stepper.take(together, rate * rate_share(step, steps, contract))
            tell(step + 1, steps)
        losses = stepper.read()
        check_losses(model, losses, rate, before=done)
        model.eval()
        valid = validation_loss(model, rows.valid, contract)
        if valid is not None and not math.isfinite(valid):
            raise nan_loss(model, valid, done + len(losses), rate)
        end = EpochEnd(epoch + 1, sum(losses) / len(losses), valid)
        model.train()
        history.append(end)
        if contract.patience and end == best_of(history):  # first: a kill between repeats the epoch
            save(out / BEST, identity, stepper.parameters, stepper.optimiser, history)
        save(out / STATE, identity, stepper.parameters, stepper.optimiser, history)
        epoch_ends(end)
    if contract.patience and best_of(history):  # the epochs that were waited for brought nothing
        restore(out / BEST, stepper.parameters, stepper.optimiser)
    loaded.model = model.eval()
    with whole_files(out, last=CARD) as folder:
        model.save_pretrained(folder)
        write_card(folder, loaded.candidate, _figures(loaded, identity, history))
    for left in (BEST, STATE):  # no state is left without its best epoch
        (out / left).unlink(missing_ok=True)
    return history


def best_of(history: Sequence[EpochEnd]) -> EpochEnd | None:
    """The first epoch with the lowest valid loss; None where none has one that is a number."""
    told = [(loss, end) for end in history if math.isfinite(loss := _loss_of(end))]
    return min(told, key=lambda each: each[0])[1] if told else None


def _loss_of(end: EpochEnd) -> float:
    """An epoch's valid loss, infinite where it is no number: no other is higher."""
    loss = end.valid_loss
    return math.inf if loss is None or math.isnan(loss) else loss


def _figures(
    loaded: LoadedModel, identity: dict[str, object], history: list[EpochEnd]
) -> dict[str, object]:
    """What a card says beside whose adapter it is."""
    really = {"lora_dropout": dropout_of(loaded.model), "dtype": loaded.dtype}
    named = {name: value for name, value in identity.items() if name not in ("base", "revision")}
    return named | really | {"epochs": [asdict(end) for end in history]}


def _epoch(
    loaded: LoadedModel, rows: Sequence[EncodedRow], contract: Contract, epoch: int
) -> list[list[Batch]]:
    """One epoch's steps; its order hangs on seed and epoch alone, so that a resume repeats it."""
    import torch

    generator = torch.Generator().manual_seed(contract.seed * 1000 + epoch)
    torch.manual_seed(contract.seed * 1000 + epoch)  # dropout, likewise
    device = str(next(loaded.model.parameters()).device)
    pad_id = loaded.tokenizer.pad_token_id
    batches = epoch_batches(rows, contract, generator, pad_id, device)
    return steps_of(batches, len(batches), contract.gradient_accumulation)
