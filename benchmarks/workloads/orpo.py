"""TRL's ORPO trainer, configured by the contract."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.study.contract import Contract
from benchmarks.workloads.fine_tune import learning_rate
from benchmarks.workloads.log import WorkLog
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonDict
from model_registry.prompting.tokenization import IGNORED, encode_row, prompt_ids
from model_registry.weights.loading import LoadedModel

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, TrainerCallback, TrainerState

    from benchmarks.workloads.preference import Preference
    from model_registry.architectures.chunked_head import Head

#: transformers' names for bitsandbytes' optimisers.
_OPTIMIZERS = {
    "adamw_8bit": "adamw_8bit",
    "paged_adamw": "paged_adamw_32bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
}
BETA = 0.1  # how much the odds ratio weighs against the likelihood: the paper's lambda


def trainer_for(
    model: PreTrainedModel,
    loaded: LoadedModel,
    pairs: Sequence[Preference],
    contract: Contract,
    folder: Path,
    log: WorkLog,
) -> Any:
    """TRL's trainer over the pairs, with the contract's batch, epochs and rate.

    TRL's own defaults would be bfloat16 and gradient checkpointing: both are set, so that a
    figure compares with those of fine-tuning.

    Args:
        model: with LoRA, ready to train.
        loaded: for the tokenizer and the candidate's template and rate.
        pairs: what is preferred to what.
        contract: the shared policy.
        folder: for what the trainer writes.
        log: told after each step.

    Raises:
        OhloraError: TRL is not installed.
    """
    trl = orpo_of_trl()
    from datasets import Dataset, disable_progress_bars  # type: ignore[attr-defined]
    from transformers import PrinterCallback

    # it imports torch, which plans and commands do without
    from model_registry.architectures.chunked_head import head_of

    disable_progress_bars()

    class Trainer(trl.ORPOTrainer):  # type: ignore[name-defined,misc]
        """TRL's, for rows that are tokenised: it would add begin and end tokens of its own."""

        def tokenize_row(self, feature: object, model: object = None) -> dict[str, object]:
            return {}

        def concatenated_forward(
            self, model: PreTrainedModel, batch: JsonDict
        ) -> tuple[torch.Tensor, ...]:
            head = head_of(model)
            if head is None or self.aux_loss_enabled:
                return tuple(super().concatenated_forward(model, batch))
            both = self.concatenated_inputs(
                batch, padding_value=self.padding_value, device=self.accelerator.device
            )
            return likelihoods(head, both, len(batch["chosen_labels"]))

    rows = [tokenised(loaded, pair) for pair in pairs]
    device = str(next(model.parameters()).device.type)
    with warnings.catch_warnings():
        # `gradient_checkpointing` is the name that older transformers know, too.
        warnings.simplefilter("ignore", FutureWarning)
        settings = trl.ORPOConfig(
            output_dir=str(folder),
            num_train_epochs=contract.epochs,
            max_steps=contract.max_steps or -1,
            gradient_accumulation_steps=contract.gradient_accumulation,
            lr_scheduler_type=contract.schedule,
            warmup_steps=contract.warmup_steps,
            per_device_train_batch_size=contract.batch_size,
            learning_rate=learning_rate(loaded, contract),
            max_grad_norm=contract.max_grad_norm,
            max_length=contract.max_length,
            beta=BETA,
            seed=contract.seed,
            bf16=False,
            gradient_checkpointing=contract.gradient_checkpointing,
            gradient_checkpointing_kwargs={"use_reentrant": False},
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=device == "cpu",
            remove_unused_columns=False,
            **({} if contract.optimizer == "adamw" else {"optim": _OPTIMIZERS[contract.optimizer]}),
        )
    trainer = Trainer(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=loaded.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)  # it writes on standard output, which is not ours
    trainer.add_callback(_progress_to(log))
    return trainer


def likelihoods(
    head: Head, both: Mapping[str, torch.Tensor], chosen: int
) -> tuple[torch.Tensor, ...]:
    """What TRL's trainer makes of all logits, without them.

    Args:
        head: the model's halves.
        both: the trainer's batch, chosen rows and then rejected ones.
        chosen: how many rows are chosen ones.

    Returns:
        As `ORPOTrainer.concatenated_forward`: mean log probability of each chosen and each
        rejected answer, the mean logits of both (which only its log would show: unknown), and the
        mean loss over the chosen rows' tokens, prompts included.
    """
    import torch

    # it imports torch, which plans and commands do without
    from model_registry.architectures.chunked_head import log_probabilities

    ids, mask = both["concatenated_input_ids"], both["concatenated_attention_mask"]
    seen = mask[:, 1:] == 1
    hidden = head.hidden(ids, mask)[:, :-1][seen]
    told = torch.zeros(seen.shape, dtype=torch.float32, device=ids.device)
    told = told.masked_scatter(seen, log_probabilities(head, hidden, ids[:, 1:][seen]))
    answers = both["concatenated_labels"][:, 1:] != IGNORED
    means = (told * answers).sum(-1) / answers.sum(-1)
    loss = -told[:chosen].sum() / seen[:chosen].sum()
    unknown = torch.full((), math.nan)
    return means[:chosen], means[chosen:], unknown, unknown, loss


def tokenised(loaded: LoadedModel, pair: Preference) -> dict[str, object]:
    """A pair as TRL's collator takes it: both sides as the rows that a tune would learn."""
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    row: dict[str, object] = {
        "prompt": pair.prompt,
        "chosen": pair.chosen,
        "rejected": pair.rejected,
    }
    for side, reply in (("chosen", pair.chosen), ("rejected", pair.rejected)):
        encoded = encode_row(policy, tokenizer, pair.messages, reply)
        row[f"{side}_input_ids"] = list(encoded.input_ids)
        row[f"{side}_attention_mask"] = [1] * len(encoded.input_ids)
        row[f"{side}_labels"] = list(encoded.labels)
    prompt = prompt_ids(policy, tokenizer, pair.messages)
    return {**row, "prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}


def _progress_to(log: WorkLog) -> TrainerCallback:
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        """Tells the log after each step."""

        def on_step_end(
            self, args: object, state: TrainerState, control: object, **_: object
        ) -> None:
            log.progress(state.global_step, state.max_steps)

    return Progress()


def orpo_of_trl() -> Any:
    """TRL's ORPO.

    Raises:
        OhloraError: TRL is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that ORPO is experimental there is known
            import trl.experimental.orpo as orpo
    except ImportError as error:
        raise OhloraError(
            'ORPO needs TRL, which is not installed: pip install -e ".[preference]".',
            'ORPO에는 TRL이 필요합니다: pip install -e ".[preference]"',
        ) from error
    return orpo
