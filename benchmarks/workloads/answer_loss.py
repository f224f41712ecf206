"""Batches of rows and their loss: cross entropy over the labelled tokens alone."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.study.tuning_settings import TuningSettings
from benchmarks.workloads.packing import positions
from model_registry.prompting.tokenization import IGNORED, EncodedRow

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded rows: three int64 tensors of shape (rows, longest row), and what is learned.

    Labels are shifted by one: `positions` counts through the rows laid end to end, and the last
    hidden state at positions[i] predicts the token targets[i]. `first` is the first column with a
    position: a number, so that nobody waits for the device to ask it.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor  # int64, (labelled tokens,)
    targets: torch.Tensor  # int64, (labelled tokens,)
    first: int = 0
    position_ids: torch.Tensor | None = None  # (rows, longest row), where rows are packed

    @property
    def inputs(self) -> dict[str, torch.Tensor]:
        """What the model is given: positions tell packed rows apart, and padding from them."""
        if self.position_ids is not None:
            return {"input_ids": self.input_ids, "position_ids": self.position_ids}
        return {"input_ids": self.input_ids, "attention_mask": self.attention_mask}


def collate(rows: Sequence[EncodedRow], pad_id: int, device: str) -> Batch:
    """Rows padded on the right to the longest of them."""
    import torch

    width = max(len(row.input_ids) for row in rows)

    def padded(values: Sequence[int], filler: int) -> list[int]:
        return [*values, *[filler] * (width - len(values))]

    learned = [
        (number * width + place, label)
        for number, row in enumerate(rows)
        for place, label in enumerate(row.labels[1:])
        if label != IGNORED
    ]
    return Batch(
        input_ids=torch.tensor([padded(r.input_ids, pad_id) for r in rows], device=device),
        attention_mask=torch.tensor(
            [padded([1] * len(r.input_ids), 0) for r in rows], device=device
        ),
        labels=torch.tensor([padded(r.labels, IGNORED) for r in rows], device=device),
        positions=torch.tensor([place for place, _ in learned], dtype=torch.long, device=device),
        targets=torch.tensor([label for _, label in learned], dtype=torch.long, device=device),
        first=min((place % width for place, _ in learned), default=0),
        position_ids=torch.tensor([positions(row, width) for row in rows], device=device)
        if any(row.lengths for row in rows)
        else None,
    )


def epoch_batches(
    rows: Sequence[EncodedRow],
    settings: TuningSettings,
    generator: torch.Generator,
    pad_id: int,
    device: str,
) -> list[Batch]:
    """The batches of one epoch, the last of them with what is left of the rows.

    Shuffled rows in their order; by length, batches of like-long rows in a shuffled order.
    """
    import torch

    order = torch.randperm(len(rows), generator=generator).tolist()
    by_length = settings.row_order == "length"
    if by_length:
        order.sort(key=lambda number: len(rows[number].input_ids))
    size = settings.batch_size
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    if by_length:
        parts = [parts[n] for n in torch.randperm(len(parts), generator=generator).tolist()]
    return [collate([rows[number] for number in part], pad_id, device) for part in parts]


def answer_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Mean cross entropy over the labelled tokens of a batch, without logits of all of them.

    A model whose own logits this does not give has its loss made the plain way.
    """
    # it imports torch, which plans and commands do without
    from model_registry.architectures.chunked_head import head_of, log_probabilities

    head = head_of(model)
    if head is None:
        return plain_loss(model, batch)
    hidden = head.hidden(**batch.inputs).flatten(0, 1)
    return -log_probabilities(head, hidden.index_select(0, batch.positions), batch.targets).mean()


def plain_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """The same loss by way of logits, from the first labelled position on where that can be."""
    import torch

    first = batch.first
    labels = batch.labels[:, first + 1 :]
    options: dict[str, object] = {}
    if takes_logits_to_keep(model):
        options["logits_to_keep"] = batch.labels.shape[1] - first
    logits = model(**batch.inputs, use_cache=False, **options).logits
    if not options:
        logits = logits[:, first:]
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED
    )


def takes_logits_to_keep(model: PreTrainedModel) -> bool:
    """Whether the model's forward can leave out the logits of early positions."""
    # it imports torch, which plans and commands do without
    from model_registry.architectures.chunked_head import causal_of

    return "logits_to_keep" in inspect.signature(causal_of(model).forward).parameters


def loss_form(model: PreTrainedModel) -> str:
    """How `answer_loss` is made: "chunks", or "plain" by way of all logits."""
    # it imports torch, which plans and commands do without
    from model_registry.architectures.chunked_head import head_of

    return "plain" if head_of(model) is None else "chunks"


def largest_batch(batches: Sequence[Batch], model: PreTrainedModel) -> dict[str, int]:
    """The batch that needs most memory: its rows, its length and how many positions get logits.

    What a prediction is made from. Positions are a mean over the rows where logits are made of
    labelled ones alone, of all rows together.
    """
    in_chunks, keeps_logits = loss_form(model) == "chunks", takes_logits_to_keep(model)

    def sizes(batch: Batch) -> tuple[int, int, int]:
        rows, length = batch.input_ids.shape
        if in_chunks:
            return rows, length, -(-len(batch.positions) // rows)
        return rows, length, length - batch.first if keeps_logits else length

    found = max((sizes(batch) for batch in batches), key=lambda s: (s[0] * (s[1] + s[2]), s))
    return dict(zip(("batch_rows", "batch_tokens", "batch_kept"), found, strict=True))


def validation_loss(
    model: PreTrainedModel, rows: Sequence[EncodedRow], settings: TuningSettings
) -> float | None:
    """Mean loss per answer token over rows; None where there are no rows."""
    import torch

    if not rows:
        return None
    losses, counts = [], []
    device = str(next(model.parameters()).device)
    with torch.inference_mode():
        for start in range(0, len(rows), settings.batch_size):
            batch = collate(rows[start : start + settings.batch_size], 0, device)
            losses.append(answer_loss(model, batch).double())
            counts.append(len(batch.positions))
        total = torch.stack(losses) @ torch.tensor(counts, dtype=torch.double, device=device)
    return float(total) / sum(counts)
