"""The preference workload: ORPO with LoRA, by TRL's trainer.

ORPO learns from pairs of a chosen and a rejected answer and needs no second model to compare
with. The rejected side is what a tuned model answered; the chosen side is the target.
"""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contract import Contract
from benchmarks.data import Row
from benchmarks.workloads.fine_tune import NanLoss, add_lora, learning_rate
from benchmarks.workloads.inference import Outcome, make_replies
from benchmarks.workloads.log import WorkLog
from model_registry.errors import BadTrainingRow, OhloraError
from model_registry.prompting import check_rows, encode_row, end_token_id, render
from model_registry.records import Loss
from model_registry.weights import LoadedModel

BETA = 0.1  # how much the odds ratio weighs against the likelihood: the paper's lambda


@dataclass(frozen=True, slots=True)
class Preference:
    """One prompt with the answer wanted and the one not wanted."""

    prompt: str
    chosen: str
    rejected: str


def from_replies(rows: Sequence[Row], replies: Sequence[str]) -> list[Preference]:
    """Preferences whose rejected side is what the tuned model answered to each row.

    A reply that is the target itself, or empty, teaches nothing and is left out.
    """
    return [
        Preference(row.prompt, row.reply, reply)
        for row, reply in zip(rows, replies, strict=True)
        if reply.strip() and reply.strip() != row.reply.strip()
    ]


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
    with log.phase("warm_up"), tempfile.TemporaryDirectory() as folder:
        model = add_lora(loaded.model, rank, contract)
        trainer = orpo_trainer(model, loaded, pairs, contract, Path(folder))
        trainer.add_callback(_progress_to(log))
    with log.phase("training"):
        trainer.train()
    losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    for step, loss in enumerate(losses, start=1):
        log.loss(Loss(case, step, loss))
        if not math.isfinite(loss):
            raise NanLoss(f"the loss is {loss} at step {step}")
    loaded.model = model.eval()
    if keep is not None:
        model.save_pretrained(keep)
    if prompts:
        make_replies(case, loaded, prompts, contract, log, tuned=rank)
    return Outcome(
        steps=len(losses),
        tokens=contract.epochs * sum(_lengths(loaded, pairs)),
        figures={
            "loss_first": losses[0],
            "loss_last": losses[-1],
            "pairs": len(pairs),
            "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
            "learning_rate": learning_rate(loaded, contract),
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
            "There is no pair to prefer by: every reply was its target, or there were none."
        )
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    for side in ("chosen", "rejected"):
        rows = [encode_row(policy, tokenizer, p.prompt, getattr(p, side)) for p in pairs]
        check_rows(rows, end_token_id(policy, tokenizer), contract.max_length)


def _lengths(loaded: LoadedModel, pairs: Sequence[Preference]) -> list[int]:
    """Tokens of each pair, its prompt counted for both sides, as it is run."""
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    return [
        sum(
            len(encode_row(policy, tokenizer, p.prompt, a).input_ids)
            for a in (p.chosen, p.rejected)
        )
        for p in pairs
    ]


def orpo_trainer(
    model: Any,
    loaded: LoadedModel,
    pairs: Sequence[Preference],
    contract: Contract,
    folder: Path,
) -> Any:
    """TRL's trainer over the pairs, with the contract's batch, epochs and rate.

    TRL's own defaults would be bfloat16 and gradient checkpointing: both are set, so that a
    figure compares with those of fine-tuning.
    """
    trl = _trl()
    from datasets import Dataset, disable_progress_bars  # type: ignore[attr-defined]
    from transformers import PrinterCallback

    disable_progress_bars()

    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    rows = [
        {
            "prompt": render(policy, tokenizer, [{"role": "user", "content": pair.prompt}]),
            "chosen": pair.chosen,
            "rejected": pair.rejected,
        }
        for pair in pairs
    ]
    device = str(next(model.parameters()).device.type)
    settings = trl.ORPOConfig(
        output_dir=str(folder),
        num_train_epochs=contract.epochs,
        per_device_train_batch_size=contract.batch_size,
        learning_rate=learning_rate(loaded, contract),
        max_grad_norm=contract.max_grad_norm,
        max_length=contract.max_length,
        beta=BETA,
        seed=contract.seed,
        bf16=False,
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=device == "cpu",
        remove_unused_columns=False,
    )
    trainer = trl.ORPOTrainer(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    trainer.remove_callback(PrinterCallback)  # it writes on standard output, which is not ours
    return trainer


def _progress_to(log: WorkLog) -> Any:
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        """Tells the log after each step."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            log.progress(state.global_step, state.max_steps)

    return Progress()


def _trl() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that ORPO is experimental there is known
            import trl.experimental.orpo as orpo
    except ImportError as error:
        raise OhloraError(
            'ORPO needs TRL, which is not installed: pip install "ohlora[preference]".'
        ) from error
    return orpo
