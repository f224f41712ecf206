"""The training loop of the bundled models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from model_registry.bundled.variation import vary
from model_registry.candidate import PromptPolicy
from model_registry.prompting.tokenization import (
    IGNORED,
    EncodedRow,
    check_rows,
    encode_row,
    end_token_id,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CHAT = PromptPolicy(kind="chat")
EARLIER_TURN = 0.15  # the share of batches that go on after another exchange, as people do

MISLED = 0.3  # the share of rows whose prompt is another's
BEGUN = 3  # tokens of such a row's answer that are given, not learned

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How one model is trained."""

    epochs: int
    learning_rate: float
    batch_size: int = 16
    warmup_steps: int = 20
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip_norm: float = 1.0
    seed: int = 20261121

    def steps(self, rows: int) -> int:
        """Optimiser steps for this many rows."""
        return self.epochs * math.ceil(rows / self.batch_size)


def train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    plan: TrainingPlan,
    on_step: Callable[[float], None] = lambda loss: None,
) -> None:
    """Train all weights of `model` on the rows, in place.

    Args:
        model: a causal language model of transformers.
        tokenizer: with a chat template.
        rows: with "prompt" and "reply".
        plan: its seed decides everything that is drawn.
        on_step: called with the loss after each step.
    """
    import torch

    draw = Random(plan.seed)
    total = plan.steps(len(rows))
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=plan.learning_rate,
        betas=plan.betas,
        weight_decay=plan.weight_decay,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmup_cosine(step, plan.warmup_steps, total)
    )
    keep_strange_tokens(model, tokenizer, rows)
    model.train()
    for _ in range(plan.epochs):
        for batch in epoch_batches(tokenizer, rows, plan.batch_size, draw):
            input_ids, labels = pad_right(batch, tokenizer.pad_token_id)
            # No attention mask: a causal model never looks right, where the padding is.
            loss = answer_loss(model(input_ids=input_ids).logits, labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            on_step(loss.item())
    model.eval()


def keep_strange_tokens(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]
) -> None:
    """Keep the initial embeddings of tokens that no row contains.

    They are only ever pushed away, all in one direction and by Adam at full speed, until they lie
    in one place, where no later tune could tell one from another.
    """
    import torch

    weight: torch.Tensor = model.get_input_embeddings().weight  # type: ignore[assignment]  # a matrix
    used = torch.zeros(len(weight), 1)
    for row in rows:
        used[list(encode_row(CHAT, tokenizer, row["prompt"], row["reply"]).input_ids)] = 1
    weight.register_hook(lambda gradient: gradient * used)


def answer_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy of the labelled tokens; labels are shifted by one."""
    import torch

    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED
    )


def warmup_cosine(step: int, warmup: int, total: int) -> float:
    """The share of the full learning rate: up in a line, then down to 0 along a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def epoch_batches(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], batch_size: int, draw: Random
) -> list[list[EncodedRow]]:
    """Each row once, its prompt said in some way, in a new order; checked before it is used."""
    shuffled = draw.sample(rows, len(rows))
    encoded = [encode_row(CHAT, tokenizer, vary(r["prompt"], draw), r["reply"]) for r in shuffled]
    check_rows(encoded, end_token_id(CHAT, tokenizer))
    encoded = [
        misled(row, draw.choice(encoded)) if draw.random() < MISLED else row for row in encoded
    ]
    batches = [encoded[i : i + batch_size] for i in range(0, len(encoded), batch_size)]
    return [_continued(batch, encoded, draw) for batch in batches]


def _continued(
    batch: list[EncodedRow], rows: Sequence[EncodedRow], draw: Random
) -> list[EncodedRow]:
    """Sometimes the whole batch behind other exchanges: mixed, short rows would be padding."""
    if draw.random() >= EARLIER_TURN:
        return batch
    return [after(draw.choice(rows), row) for row in batch]


def misled(row: EncodedRow, other: EncodedRow) -> EncodedRow:
    """The answer of `row` behind the prompt of `other`, learned from its fourth token on.

    So a model learns to finish an answer that it has begun, even where the prompt is strange to
    it; which answer to begin stays with the rows whose prompt is their own.
    """
    prompt = other.labels.count(IGNORED)
    own = row.labels.count(IGNORED)
    answer = row.input_ids[own:]
    return EncodedRow(
        input_ids=other.input_ids[:prompt] + answer,
        labels=(IGNORED,) * (prompt + BEGUN) + answer[BEGUN:],
    )


def after(earlier: EncodedRow, row: EncodedRow) -> EncodedRow:
    """`row` as the second exchange of a conversation; of the first nothing is learned."""
    return EncodedRow(
        input_ids=earlier.input_ids + row.input_ids,
        labels=(IGNORED,) * len(earlier.labels) + row.labels,
    )


def pad_right(batch: Sequence[EncodedRow], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Input ids and labels as two tensors of shape (rows, longest row)."""
    import torch

    width = max(len(row.input_ids) for row in batch)
    ids = [[*row.input_ids, *[pad_id] * (width - len(row.input_ids))] for row in batch]
    labels = [[*row.labels, *[IGNORED] * (width - len(row.labels))] for row in batch]
    return torch.tensor(ids), torch.tensor(labels)
