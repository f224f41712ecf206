"""The preference workload: ORPO with LoRA, by TRL's trainer.

ORPO learns from pairs of a chosen and a rejected answer and needs no second model to compare
with. The rejected side is what the tuned model answered; the chosen side is the target.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.run.case import Case
from benchmarks.study.contract import Contract
from benchmarks.study.variant import effective
from benchmarks.workloads.fine_tune import (
    add_lora,
    dropout_of,
    learning_rate,
    train_steps,
    training_batches,
)
from benchmarks.workloads.inference import greedy, make_replies
from benchmarks.workloads.log import WorkLog
from benchmarks.workloads.optimisation import NanLoss
from benchmarks.workloads.orpo import BETA, orpo_of_trl, trainer_for
from benchmarks.workloads.training_rows import encode_rows
from benchmarks.workloads.workload import Opened, Outcome, loaded_here
from model_registry.backends.transformers_local import answer_batch
from model_registry.errors import BadTrainingRow
from model_registry.prompting.tokenization import check_rows, encode_row, end_token_id
from model_registry.records import Loss
from model_registry.weights.loading import LoadedModel
from rows.row import Row

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Preference:
    """One prompt with its chosen and its rejected answer."""

    prompt: str
    chosen: str
    rejected: str
    before: tuple[Mapping[str, str], ...] = ()  # as a row's

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation that either side ends."""
        return [*map(dict, self.before), {"role": "user", "content": self.prompt}]


def from_replies(rows: Sequence[Row], replies: Sequence[str]) -> list[Preference]:
    """Preferences whose rejected answer is the tuned model's own reply to each row.

    A reply that is the target itself, or empty, teaches nothing and is left out.
    """
    return [
        Preference(row.prompt, row.reply, reply, row.before)
        for row, reply in zip(rows, replies, strict=True)
        if reply.strip() and reply.strip() != row.reply.strip()
    ]


def work(case: Case, opened: Opened, log: WorkLog) -> Outcome:
    """Tune a fresh base on the rows, let it answer them, and prefer the rows' answers to its own.

    All of it in one process, so that no case waits for what another left behind. Both tunes have
    the case's rank and follow its contract. The log takes phases "tuning" and "own_replies" before
    those of `run`.

    Raises:
        BadTrainingRow: a row would teach something wrong, or every reply was its target.
        NanLoss: the loss of either tune is no number.
        OhloraError: TRL is not installed.
    """
    loaded, contract = loaded_here(case, opened), effective(case.contract, case.settings)
    train, rank = case.task.train, int(case.settings["rank"])
    orpo_of_trl()  # before minutes of tuning
    with log.phase("tuning"):
        tuned = _tuned(loaded, train, contract, log, rank)
    loaded.model = tuned
    with log.phase("own_replies"):
        conversations = [row.messages for row in train]
        replies = [a.text for a in answer_batch(loaded, conversations, greedy(contract))]
    pairs = from_replies(train, replies)
    outcome = run(case.id, loaded, pairs, case.task.prompts, contract, log, rank=rank)
    without_pair = {"rows_without_pair": len(train) - len(pairs)}
    return replace(outcome, figures={**outcome.figures, **without_pair})


def _tuned(
    loaded: LoadedModel, train: Sequence[Row], contract: Contract, log: WorkLog, rank: int
) -> PreTrainedModel:
    """The base after supervised tuning, its adapter merged into the weights."""
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    rows = encode_rows(policy, tokenizer, train, contract, "train").rows
    model = add_lora(loaded.model, rank, contract)
    device = str(next(model.parameters()).device)
    batches = training_batches(rows, contract, tokenizer.pad_token_id, device)
    train_steps(model, batches, learning_rate(loaded, contract), contract, log)
    merged: PreTrainedModel = model.merge_and_unload()  # type: ignore[operator]  # peft's
    merged.eval()
    return merged


def run(
    case: str,
    loaded: LoadedModel,
    pairs: Sequence[Preference],
    prompts: Sequence[Row],
    contract: Contract,
    log: WorkLog,
    *,
    rank: int,
    keep: Path | None = None,
) -> Outcome:
    """Tune a fresh base by ORPO and answer the prompts.

    Args:
        case: the case's id, for losses and replies.
        loaded: a freshly loaded base model; it is changed.
        pairs: what is preferred to what.
        prompts: asked after the tune; may be empty.
        contract: the shared policy.
        log: takes phases "warm_up" (everything before the first step), "training", "replies".
        rank: LoRA's r.
        keep: folder for the adapter.

    Raises:
        BadTrainingRow: no pairs, or one that would teach something wrong.
        NanLoss: the loss is no number.
        OhloraError: TRL is not installed.
    """
    check_pairs(loaded, pairs, contract)
    lengths = _lengths(loaded, pairs)
    with log.phase("warm_up"), tempfile.TemporaryDirectory() as folder:
        model = add_lora(loaded.model, rank, contract)
        trainer = trainer_for(model, loaded, pairs, contract, Path(folder), log)
    with log.phase("training"):
        trainer.train()
    losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    for step, loss in enumerate(losses, start=1):
        log.loss(Loss(case, step, loss))
        if not math.isfinite(loss):
            raise NanLoss(
                f"the loss is {loss} at step {step}", f"{step}번째 스텝의 손실이 {loss}입니다"
            )
    loaded.model = model.eval()
    if keep is not None:
        model.save_pretrained(keep)
    if prompts:
        make_replies(case, loaded, prompts, contract, log, tuned=rank)
    return Outcome(
        steps=len(losses),
        tokens=contract.epochs * sum(sum(sides) for sides in lengths),
        figures={
            "loss_first": losses[0],
            "loss_last": losses[-1],
            "pairs": len(pairs),
            "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
            "batch_rows": min(contract.batch_size, len(pairs)),
            "batch_tokens": max(max(sides) for sides in lengths),
            "learning_rate": learning_rate(loaded, contract),
            "lora_dropout": dropout_of(model),
            "beta": BETA,
        },
    )


def check_pairs(loaded: LoadedModel, pairs: Sequence[Preference], contract: Contract) -> None:
    """Refuse pairs that would teach something wrong, on both sides.

    Raises:
        BadTrainingRow: there are none, or one is too long or has no answer.
    """
    if not pairs:
        raise BadTrainingRow(
            "There is no pair to prefer by: every reply was its target, or there were none.",
            "선호 쌍이 없습니다: 모든 답변이 목표와 같거나 답변이 없습니다.",
        )
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    for side in ("chosen", "rejected"):
        rows = [encode_row(policy, tokenizer, p.messages, getattr(p, side)) for p in pairs]
        check_rows(rows, end_token_id(policy, tokenizer), contract.max_length)


def _lengths(loaded: LoadedModel, pairs: Sequence[Preference]) -> list[tuple[int, int]]:
    """Tokens of the chosen and of the rejected side of each pair, each with its prompt."""
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer

    def tokens(pair: Preference, answer: str) -> int:
        return len(encode_row(policy, tokenizer, pair.messages, answer).input_ids)

    return [(tokens(p, p.chosen), tokens(p, p.rejected)) for p in pairs]
