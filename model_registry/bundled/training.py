"""The training loop of the bundled models, written out: rows in, a trained model out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from model_registry.bundled.variation import vary
from model_registry.candidate import PromptPolicy
from model_registry.prompting import IGNORED, EncodedRow, check_rows, encode_row, end_token_id

CHAT = PromptPolicy(kind="chat")
VARIANTS = 12  # of each prompt; drawn once, because writing and encoding them takes time
EARLIER_TURN = 0.1  # the share of rows that follow another exchange, as in a conversation

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How one model is trained."""

    epochs: int
    learning_rate: float
    batch_size: int = 16
    warmup_steps: int = 20
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    seed: int = 20261121

    def steps(self, rows: int) -> int:
        """Optimiser steps for this many rows."""
        return self.epochs * math.ceil(rows / self.batch_size)


def train(
    model: Any,
    tokenizer: Any,
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
    variants = encode_variants(tokenizer, rows, draw)
    total = plan.steps(len(rows))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmup_cosine(step, plan.warmup_steps, total)
    )
    model.train()
    for _ in range(plan.epochs):
        for batch in epoch_batches(variants, plan.batch_size, draw):
            input_ids, labels = pad_right(batch, tokenizer.pad_token_id)
            # No attention mask: a causal model never looks right, where the padding is.
            loss = model(input_ids=input_ids, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            on_step(loss.item())
    model.eval()


def warmup_cosine(step: int, warmup: int, total: int) -> float:
    """The share of the full learning rate: up in a line, then down to 0 along a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def encode_variants(tokenizer: Any, rows: Sequence[Row], draw: Random) -> list[list[EncodedRow]]:
    """For each row VARIANTS encodings, the prompt said in different ways; all checked."""
    variants = [
        [
            encode_row(CHAT, tokenizer, vary(row["prompt"], draw), row["reply"])
            for _ in range(VARIANTS)
        ]
        for row in rows
    ]
    end = end_token_id(CHAT, tokenizer)
    check_rows([row for several in variants for row in several], end)
    return variants


def epoch_batches(
    variants: Sequence[Sequence[EncodedRow]], batch_size: int, draw: Random
) -> list[list[EncodedRow]]:
    """Each row once, in one of its variants, in a new order."""
    chosen = [draw.choice(several) for several in variants]
    draw.shuffle(chosen)
    chosen = [
        after(draw.choice(chosen), row) if draw.random() < EARLIER_TURN else row for row in chosen
    ]
    return [chosen[i : i + batch_size] for i in range(0, len(chosen), batch_size)]


def after(earlier: EncodedRow, row: EncodedRow) -> EncodedRow:
    """`row` as the second exchange of a conversation; of the first nothing is learned."""
    return EncodedRow(
        input_ids=earlier.input_ids + row.input_ids,
        labels=(IGNORED,) * len(earlier.labels) + row.labels,
    )


def pad_right(batch: Sequence[EncodedRow], pad_id: int) -> tuple[Any, Any]:
    """Input ids and labels as two tensors of shape (rows, longest row)."""
    import torch

    width = max(len(row.input_ids) for row in batch)
    ids = [[*row.input_ids, *[pad_id] * (width - len(row.input_ids))] for row in batch]
    labels = [[*row.labels, *[IGNORED] * (width - len(row.labels))] for row in batch]
    return torch.tensor(ids), torch.tensor(labels)
