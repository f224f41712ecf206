"""Tunes the chosen model for good: all rows, as many epochs as asked for, resumable.

The same loop pieces as the measured workload, so that what was measured is what is done. After
each epoch adapter, optimiser and place are written; a killed tune goes on from there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contract import Contract
from benchmarks.data import Row, read_data
from benchmarks.workloads.fine_tune import (
    Batch,
    NanLoss,
    add_lora,
    answer_loss,
    collate,
    learning_rate,
    validation_loss,
)
from model_registry.errors import OhloraError
from model_registry.language import text
from model_registry.prompting import EncodedRow, check_rows, encode_all, end_token_id
from model_registry.registry import Registry
from model_registry.tuned import find_candidate, is_tuned, write_card
from model_registry.weights import LoadedModel, load
from rows.account import left_out_note, overlapping, read_notes
from rows.overlap import apart

if TYPE_CHECKING:
    from rich.console import Console

STATE = "training_state.safetensors"
Tell = Callable[[int, int, float], None]  # step, steps, loss


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """What one epoch gave. `valid_loss` is None where there are no valid rows."""

    epoch: int
    train_loss: float
    valid_loss: float | None


@dataclass(frozen=True, slots=True)
class TuneRows:
    """The rows of a tune, encoded and checked."""

    train: tuple[EncodedRow, ...]
    valid: tuple[EncodedRow, ...]


def encode_rows(
    loaded: LoadedModel, train: Sequence[Row], valid: Sequence[Row], contract: Contract
) -> TuneRows:
    """Tokens and labels of all rows.

    Raises:
        BadTrainingRow: a row would teach something wrong.
    """
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    encoded = [tuple(encode_all(policy, tokenizer, rows)) for rows in (train, valid)]
    for rows in encoded:
        check_rows(rows, end_token_id(policy, tokenizer), contract.max_length)
    return TuneRows(*encoded)


def tune(
    loaded: LoadedModel,
    rows: TuneRows,
    contract: Contract,
    *,
    rank: int,
    out: Path,
    tell: Tell = lambda step, steps, loss: None,
    epoch_ends: Callable[[EpochEnd], None] = lambda end: None,
) -> list[EpochEnd]:
    """LoRA over all rows; goes on where a killed tune in `out` stopped.

    Args:
        loaded: a freshly loaded base; it is changed.
        rows: encoded and checked.
        contract: batch size, epochs, learning rate, LoRA policy, seed.
        rank: LoRA's r.
        out: folder for the adapter and the state between epochs.
        tell: after every step.
        epoch_ends: after every epoch, when its state is on disk.

    Returns:
        All epochs, those of an earlier try included.

    Raises:
        OhloraError: `out` holds a tune with other settings.
        NanLoss: the loss is no number; the last epoch's adapter stays.
    """
    import torch

    out.mkdir(parents=True, exist_ok=True)
    settings = {"rank": rank, "rows": len(rows.train), "contract": contract.hash}
    model = add_lora(loaded.model, rank, contract)
    parameters = [p for p in model.parameters() if p.requires_grad]
    rate = learning_rate(loaded, contract)
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
    history = _restore(out / STATE, settings, parameters, optimiser)
    per_epoch = math.ceil(len(rows.train) / contract.batch_size)
    steps = per_epoch * contract.epochs
    for epoch in range(len(history), contract.epochs):
        losses = []
        for number, batch in enumerate(_epoch(loaded, rows.train, contract, epoch)):
            step = epoch * per_epoch + number
            for group in optimiser.param_groups:
                group["lr"] = rate * (1 - step / steps)
            losses.append(_step(model, batch, parameters, optimiser, contract.max_grad_norm))
            tell(step + 1, steps, losses[-1])
        model.eval()
        end = EpochEnd(
            epoch + 1, sum(losses) / len(losses), validation_loss(model, rows.valid, contract)
        )
        model.train()
        history.append(end)
        _save(out / STATE, settings, parameters, optimiser, history)
        epoch_ends(end)
    loaded.model = model.eval()
    model.save_pretrained(out)
    write_card(out, loaded.candidate, settings | {"epochs": [_row(end) for end in history]})
    (out / STATE).unlink(missing_ok=True)
    return history


def tune_candidate(
    name: str,
    data: Path,
    out: Path,
    registry: Registry,
    *,
    rank: int,
    epochs: int,
    weights: str,
    device: str,
    console: Console,
) -> Path:
    """Tune a candidate on a file or folder of rows, showing progress and the losses of each epoch.

    Raises:
        OhloraError: no such candidate, rows that can't serve, or a finished tune in `out`.
    """
    from benchmarks.progress import progress_bar
    from model_registry import machine
    from model_registry.backends.opening import source_for

    if is_tuned(out):
        raise OhloraError(f"{out} holds a finished tune. Choose another --out.")
    candidate = find_candidate(name, registry)
    where = machine.pick_device(device)
    rows = read_data(data)
    train, valid = rows.of("train"), rows.of("valid")
    if not train:
        raise OhloraError(f"{data} has no train rows with an answer.")
    valid, seen = apart(valid, train)
    overlaps = overlapping(seen, "asks_a_train_row", "valid")
    for note in (*read_notes(rows), *map(left_out_note, overlaps)):
        console.print(note.words, highlight=False, markup=False, soft_wrap=True)
    loaded = load(candidate, source=source_for(candidate, weights), device=where)
    contract = Contract(epochs=epochs, weights=loaded.source, device=where, data=rows.hash())
    encoded = encode_rows(loaded, train, valid, contract)
    with progress_bar(console) as bar:
        task = bar.add_task(text("tuning", "튜닝"), total=None)
        tune(
            loaded,
            encoded,
            contract,
            rank=rank,
            out=out,
            tell=lambda step, steps, loss: bar.update(task, completed=step, total=steps),
            epoch_ends=lambda end: console.print(_epoch_words(end), highlight=False),
        )
    return out


def _epoch_words(end: EpochEnd) -> str:
    valid = "—" if end.valid_loss is None else f"{end.valid_loss:.3f}"
    return text(
        f"epoch {end.epoch}: loss {end.train_loss:.3f}, validation loss {valid}",
        f"에폭 {end.epoch}: 손실 {end.train_loss:.3f}, 검증 손실 {valid}",
    )


def _epoch(
    loaded: LoadedModel, rows: Sequence[EncodedRow], contract: Contract, epoch: int
) -> list[Batch]:
    """One epoch's batches; its order hangs on seed and epoch alone, so that a resume repeats it."""
    import torch

    generator = torch.Generator().manual_seed(contract.seed * 1000 + epoch)
    torch.manual_seed(contract.seed * 1000 + epoch)  # dropout, likewise
    order = torch.randperm(len(rows), generator=generator).tolist()
    device = str(next(loaded.model.parameters()).device)
    return [
        collate(
            [rows[i] for i in order[start : start + contract.batch_size]],
            loaded.tokenizer.pad_token_id,
            device,
        )
        for start in range(0, len(order), contract.batch_size)
    ]


def _step(
    model: Any, batch: Batch, parameters: list[Any], optimiser: Any, max_norm: float
) -> float:
    import torch

    loss = answer_loss(model, batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    value = float(loss.item())
    if not math.isfinite(value):
        raise NanLoss(f"the loss is {value}: try a smaller learning rate")
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return value


def _save(
    path: Path,
    settings: dict[str, Any],
    parameters: list[Any],
    optimiser: Any,
    history: list[EpochEnd],
) -> None:
    """The state between two epochs; written beside and moved, so that a kill leaves a whole one."""
    from safetensors.torch import save_file

    tensors = {f"parameter.{i}": p.detach() for i, p in enumerate(parameters)}
    for i, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"{name}.{i}": value for name, value in moments.items()}
    place = {"settings": settings, "history": [_row(end) for end in history]}
    beside = path.with_suffix(".tmp")
    save_file(tensors, beside, metadata={"place": json.dumps(place)})
    beside.replace(path)


def _restore(
    path: Path, settings: dict[str, Any], parameters: list[Any], optimiser: Any
) -> list[EpochEnd]:
    """Put an earlier try's state back; the epochs it had done."""
    import torch
    from safetensors import safe_open

    if not path.exists():
        return []
    with safe_open(path, framework="pt") as state:
        place = json.loads(state.metadata()["place"])
        tensors = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118
    if place["settings"] != settings:
        raise OhloraError(
            f"{path.parent} holds a tune with other settings ({place['settings']}, now "
            f"{settings}). Use the same settings, or another --out."
        )
    moments = {
        i: {name: tensors[f"{name}.{i}"] for name in ("step", "exp_avg", "exp_avg_sq")}
        for i in range(len(parameters))
    }
    with torch.no_grad():
        for i, parameter in enumerate(parameters):
            parameter.copy_(tensors[f"parameter.{i}"])
    optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
    return [EpochEnd(**row) for row in place["history"]]


def _row(end: EpochEnd) -> dict[str, Any]:
    return {"epoch": end.epoch, "train_loss": end.train_loss, "valid_loss": end.valid_loss}
