"""The fine-tuning loop: what it learns from, that it agrees with TRL, that it starts fresh."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import pytest
import torch

from benchmarks.study.contract import Contract
from benchmarks.workloads import fine_tune, training_rows
from benchmarks.workloads.answer_loss import answer_loss, collate
from benchmarks.workloads.fine_tune import (
    add_lora,
    train_steps,
    training_batches,
    validation_loss,
    warm_up,
)
from benchmarks.workloads.log import MemoryLog
from benchmarks.workloads.optimisation import NanLoss
from benchmarks.workloads.workload import Outcome
from model_registry.errors import BadTrainingRow
from model_registry.prompting.tokenization import IGNORED, EncodedRow, encode_row
from model_registry.records import Reply
from model_registry.weights.loading import LoadedModel, load
from rows.row import Row
from tests.conftest import ROWS
from tests.support.small_study import worked
from tests.support.tiny_models import tiny_candidate

pytestmark = pytest.mark.usefixtures("frozen_libraries")

CONTRACT = Contract(epochs=3, max_new_tokens=4, learning_rate=5e-3)


@pytest.fixture
def loaded(tiny_model) -> LoadedModel:
    return load(tiny_candidate(tiny_model))


def encoded(loaded: LoadedModel, rows=ROWS) -> list[EncodedRow]:
    policy = loaded.candidate.prompting
    return [encode_row(policy, loaded.tokenizer, row.prompt, row.reply) for row in rows]


def tune(loaded, contract=CONTRACT, rank=4, train=ROWS, valid=(), prompts=(), **options):
    log = MemoryLog()
    settings = {"tuning": "full"} if rank is None else {"rank": rank}
    outcome = worked(
        "fine-tune", loaded, contract, log, train=train, valid=valid, prompts=prompts, **settings,
        **options,
    )  # fmt: skip
    return outcome, log


def losses_of(log: MemoryLog, split: str = "train") -> list[float]:
    return [loss.loss for loss in log.losses if loss.split == split]


def trl_losses(model_folder, rank: int, contract: Contract, output_dir) -> list[float]:
    """What TRL's SFTTrainer makes of the same rows in the same order: it tokenises itself."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    loaded = load(tiny_candidate(model_folder))
    tokenizer = loaded.tokenizer
    texts = [
        {
            "prompt": tokenizer.apply_chat_template(
                [{"role": "user", "content": row.prompt}],
                tokenize=False,
                add_generation_prompt=True,
            ),
            "completion": row.reply + tokenizer.eos_token,
        }
        for row in ROWS
    ]
    # The rows in the order in which our batches hold them, epoch after epoch.
    rows = encoded(loaded)
    number = {row.input_ids: n for n, row in enumerate(rows)}
    ordered = [
        texts[number[tuple(ids[mask.bool()].tolist())]]
        for batch in training_batches(rows, contract, tokenizer.pad_token_id, "cpu")
        for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True)
    ]
    losses: list[float] = []

    class Listen(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            if logs and "loss" in logs:
                losses.append(logs["loss"])

    config = SFTConfig(
        output_dir=str(output_dir),
        num_train_epochs=1,
        per_device_train_batch_size=contract.batch_size,
        gradient_accumulation_steps=contract.gradient_accumulation,
        learning_rate=contract.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0,
        max_grad_norm=contract.max_grad_norm,
        weight_decay=0.0,
        completion_only_loss=True,
        train_sampling_strategy="sequential",
        logging_steps=1,
        bf16=False,
        gradient_checkpointing=contract.gradient_checkpointing,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        seed=contract.seed,
    )
    trainer = SFTTrainer(
        model=add_lora(loaded.model, rank, contract),
        args=config,
        train_dataset=Dataset.from_list(ordered),
        processing_class=tokenizer,
        callbacks=[Listen()],
    )
    trainer.train()
    return losses


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["llama", "gpt_neox"])
def test_the_loss_curve_agrees_with_trl(tiny_model_of, tmp_path, model_type):
    contract = replace(CONTRACT, lora_dropout=0.0, warm_up=0)
    folder = tiny_model_of(model_type)
    _, log = tune(load(tiny_candidate(folder)), contract)
    ours, theirs = losses_of(log), trl_losses(folder, 4, contract, tmp_path)
    assert len(ours) == len(theirs) == 6
    assert ours == pytest.approx(theirs, rel=2e-4)
    assert ours[-1] < ours[0] - 0.01  # both learned, or agreement would say little


@pytest.mark.slow
@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("together", [1, 2])
def test_fifty_losses_agree_with_trl_whatever_is_accumulated_and_checkpointed(
    tiny_model, tmp_path, together, checkpointed
):
    contract = replace(
        CONTRACT, epochs=25, batch_size=4 // together, gradient_accumulation=together,
        gradient_checkpointing=checkpointed, lora_dropout=0.0, warm_up=0,
    )  # fmt: skip
    _, log = tune(load(tiny_candidate(tiny_model)), contract)
    ours, theirs = losses_of(log), trl_losses(tiny_model, 4, contract, tmp_path)
    assert len(ours) == len(theirs) == 50
    assert ours == pytest.approx(theirs, rel=1e-3)
    assert ours[-1] < ours[0] - 0.2


def reference_losses(model_folder, rank: int, contract: Contract) -> list[float]:
    """transformers' Trainer on the same batches, written out by the book: AdamW without weight
    decay, a rate that falls on a line to 0, the gradient's norm cut at its most."""
    import torch

    loaded = load(tiny_candidate(model_folder))
    batches = training_batches(encoded(loaded), contract, loaded.tokenizer.pad_token_id, "cpu")
    model = add_lora(loaded.model, rank, contract)
    weights = [p for p in model.parameters() if p.requires_grad]
    moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in weights]
    losses = []
    for step, batch in enumerate(batches):
        logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), batch.labels[:, 1:].flatten(), ignore_index=IGNORED
        )
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, weights)
        norm = torch.sqrt(sum((g**2).sum() for g in gradients))
        scale = min(1.0, contract.max_grad_norm / (norm.item() + 1e-6))
        rate = contract.learning_rate * (1 - step / len(batches))
        with torch.no_grad():
            for weight, gradient, (first, second) in zip(weights, gradients, moments, strict=True):
                first.mul_(0.9).add_(gradient * scale, alpha=0.1)
                second.mul_(0.999).add_((gradient * scale) ** 2, alpha=0.001)
                mean, square = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
                weight -= rate * mean / (square.sqrt() + 1e-8)
    return losses


def test_fifty_losses_agree_with_the_trainer_s_steps_written_out(tiny_model):
    """A rate that does not fall, a gradient that is not cut or a weight decay would show."""
    # In this seed's order no step divides almost nothing by almost nothing, where the last digits
    # of a processor's kernels would count.
    contract = replace(
        CONTRACT, epochs=25, lora_dropout=0.0, warm_up=0, max_grad_norm=0.2, learning_rate=1e-2,
        seed=1,
    )  # fmt: skip
    _, log = tune(load(tiny_candidate(tiny_model)), contract)
    ours, theirs = losses_of(log), reference_losses(tiny_model, 4, contract)
    assert len(ours) == len(theirs) == 50
    assert ours == pytest.approx(theirs, rel=8e-3)
    assert ours[-1] < ours[0] - 0.2


def test_every_row_has_a_labelled_end_token_before_training_starts(loaded, monkeypatch):
    """A row that lost its end token is named, and nothing has been trained by then."""
    whole = training_rows.encode_all

    def without_end(policy, tokenizer, rows, names):
        encoded = whole(policy, tokenizer, rows, names)
        if len(encoded) < 3:
            return encoded
        cut = EncodedRow(encoded[2].input_ids[:-1], encoded[2].labels[:-1])
        return [*encoded[:2], cut, *encoded[3:]]

    monkeypatch.setattr(training_rows, "encode_all", without_end)
    log = MemoryLog()
    with pytest.raises(BadTrainingRow, match="Training row 3 does not end in the end token"):
        worked("fine-tune", loaded, CONTRACT, log, train=ROWS, rank=4)
    assert not log.phases
    assert not hasattr(loaded.model, "peft_config")


def test_a_row_that_is_too_long_is_named(loaded):
    rows = [*ROWS[:1], Row("길어?", "길" * 300)]
    with pytest.raises(BadTrainingRow, match=r"Training row 2 has \d+ tokens, more than 512"):
        tune(loaded, train=rows)


def test_each_rank_starts_from_a_fresh_base(tiny_model):
    """Rank 8 gives the same curve after rank 4 as it gives alone, because each loads its own."""
    candidate = tiny_candidate(tiny_model)
    _, alone = tune(load(candidate), rank=8)
    _, first = tune(load(candidate), rank=4)
    _, second = tune(load(candidate), rank=8)
    assert losses_of(second) == losses_of(alone)
    assert losses_of(first) != losses_of(alone)


def test_a_base_that_was_tuned_already_would_give_another_curve(loaded):
    """What the fresh base guards against: peft changes the model in place."""
    tune(loaded)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # peft's, that it is the second time
        _, again = tune(loaded)
    _, fresh = tune(load(loaded.candidate))
    assert losses_of(again) != losses_of(fresh)


def test_the_same_case_gives_the_same_losses_every_time(tiny_model):
    candidate = tiny_candidate(tiny_model)
    curves = [losses_of(tune(load(candidate))[1]) for _ in range(2)]
    assert curves[0] == curves[1]
    other = losses_of(tune(load(candidate), replace(CONTRACT, seed=7))[1])
    assert other != curves[0]


def test_warming_up_changes_nothing_that_is_learned(tiny_model):
    candidate = tiny_candidate(tiny_model)
    cold = losses_of(tune(load(candidate), replace(CONTRACT, warm_up=0))[1])
    warm = losses_of(tune(load(candidate), replace(CONTRACT, warm_up=3))[1])
    assert warm == cold


def test_a_tune_has_as_many_steps_as_rows_and_epochs_say(loaded):
    outcome, log = tune(loaded, replace(CONTRACT, batch_size=3, epochs=2))
    assert outcome.steps == 6  # 8 rows in threes are 3 batches
    assert [loss.step for loss in log.losses] == [1, 2, 3, 4, 5, 6]


def test_every_row_is_seen_once_an_epoch(loaded):
    rows = encoded(loaded)
    batches = training_batches(rows, replace(CONTRACT, batch_size=3), 0, "cpu")
    for epoch in range(CONTRACT.epochs):
        seen = [
            tuple(ids[mask.bool()].tolist())
            for batch in batches[3 * epoch : 3 * epoch + 3]
            for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True)
        ]
        assert sorted(seen) == sorted(row.input_ids for row in rows)


def test_the_loss_is_the_answers_alone(loaded):
    """Another prompt of the same length changes the loss; its own tokens are never scored."""
    import torch

    batch = collate(encoded(loaded)[:3], 0, "cpu")
    logits = loaded.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    wanted = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch.labels[:, 1:].flatten(), ignore_index=IGNORED
    )
    assert answer_loss(loaded.model, batch).item() == pytest.approx(wanted.item(), rel=1e-6)
    answers = (batch.labels != IGNORED).sum().item()
    assert answers == sum(len(r.reply.encode()) + 1 for r in ROWS[:3])


@pytest.mark.parametrize("model_type", ["llama", "gpt_neox", "rwkv", "opt", "gpt_neo"])
def test_leaving_early_logits_out_does_not_change_the_loss(model_type):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    names = {"hidden_size": 32, "vocab_size": 64, "num_attention_heads": 4}
    layers = {"num_layers": 2, "attention_types": [[["global", "local"], 1]], "num_heads": 4}
    own = layers if model_type == "gpt_neo" else {"num_hidden_layers": 2, "intermediate_size": 64}
    if model_type == "opt":
        own = {"num_hidden_layers": 2, "ffn_dim": 64, "word_embed_proj_dim": 32}
    config = AutoConfig.for_model(model_type, **names, **own)
    model = AutoModelForCausalLM.from_config(config).eval()
    rows = [
        EncodedRow((5, 6, 7, 8, 9), (IGNORED, IGNORED, 7, 8, 9)),
        EncodedRow((5, 6, 7, 8), (IGNORED, IGNORED, IGNORED, 8)),
    ]
    batch = collate(rows, 0, "cpu")
    logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    wanted = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch.labels[:, 1:].flatten(), ignore_index=IGNORED
    )
    assert answer_loss(model, batch).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_all_linear_layers_but_the_head_carry_lora(loaded):
    model = add_lora(loaded.model, 4, CONTRACT)
    tuned = {
        name.partition(".lora_A")[0].rpartition(".")[2]
        for name, _ in model.named_parameters()
        if "lora_A" in name
    }
    assert tuned == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    assert all("lora_" in name for name in trainable)


def test_a_higher_rank_trains_proportionally_more_parameters(tiny_model):
    counts = [
        tune(load(tiny_candidate(tiny_model)), rank=rank)[0].figures["trainable_parameters"]
        for rank in (2, 4)
    ]
    assert counts[1] == 2 * counts[0]


def test_the_validation_loss_is_a_mean_over_answer_tokens_however_batched(loaded):
    rows = encoded(loaded)
    one = validation_loss(loaded.model, rows, replace(CONTRACT, batch_size=1))
    many = validation_loss(loaded.model, rows, replace(CONTRACT, batch_size=5))
    assert one == pytest.approx(many, rel=1e-5)


def test_validation_losses_stand_beside_the_curve_before_and_after(loaded):
    outcome, log = tune(loaded, valid=ROWS[:2])
    assert [loss.step for loss in log.losses if loss.split == "valid"] == [0, outcome.steps]
    before, after = losses_of(log, "valid")
    assert outcome.figures["validation_loss_before"] == before
    assert after < before  # the valid rows are training rows here


def test_without_valid_rows_the_validation_loss_is_unknown(loaded):
    outcome, log = tune(loaded)
    assert outcome.figures["validation_loss_before"] is None
    assert losses_of(log, "valid") == []


def test_the_candidates_own_learning_rate_goes_before_the_contracts(tiny_model):
    own = load(tiny_candidate(tiny_model, learning_rate=1e-2))
    assert tune(own)[0].figures["learning_rate"] == 1e-2
    assert tune(load(tiny_candidate(tiny_model)))[0].figures["learning_rate"] == 5e-3


def test_a_loss_that_is_no_number_stops_the_tune_and_names_the_step(loaded):
    import torch

    model = add_lora(loaded.model, 4, CONTRACT)
    batches = training_batches(encoded(loaded), CONTRACT, 0, "cpu")
    weight = next(p for n, p in model.named_parameters() if "lora_B" in n)
    with torch.no_grad():
        weight.fill_(math.nan)
    with pytest.raises(NanLoss, match="the loss is nan at step 1 "):
        train_steps(model, batches, 1e-3, CONTRACT, MemoryLog())


def test_a_step_whose_loss_overflows_leaves_the_weights_numbers(loaded, monkeypatch):
    """Else who asks at the epoch's end would blame the weights."""
    import torch

    from benchmarks.workloads import optimisation

    whole = optimisation.answer_loss
    calls = iter([1.0, math.inf, 1.0])
    monkeypatch.setattr(
        optimisation, "answer_loss", lambda model, batch: whole(model, batch) * next(calls)
    )
    model = add_lora(loaded.model, 4, CONTRACT)
    batches = training_batches(encoded(loaded), CONTRACT, 0, "cpu")
    stepper = optimisation.Stepper(model, CONTRACT, 1e-3)
    begun = [parameter.detach().clone() for parameter in stepper.parameters]
    stepper.take(batches[:1], 1e-3)
    assert any(not torch.equal(p, b) for p, b in zip(stepper.parameters, begun, strict=True))
    for _ in range(2):
        stepper.take(batches[:1], 1e-3)
    assert all(p.isfinite().all() for p in stepper.parameters)
    assert [math.isfinite(loss) for loss in stepper.read()] == [True, False, True]
    assert stepper.read() == []


def test_an_infinite_gradient_of_a_loss_that_is_a_number_ends_the_tune_too(loaded, monkeypatch):
    from benchmarks.workloads import optimisation

    whole = optimisation.answer_loss
    monkeypatch.setattr(optimisation, "answer_loss", lambda m, b: _Steep.apply(whole(m, b)))
    model = add_lora(loaded.model, 4, CONTRACT)
    batches = training_batches(encoded(loaded), CONTRACT, 0, "cpu")
    stepper = optimisation.Stepper(model, CONTRACT, 1e-3)
    stepper.take(batches[:1], 1e-3)
    assert all(p.isfinite().all() for p in stepper.parameters)
    assert math.isnan(stepper.read()[0])


class _Steep(torch.autograd.Function):
    """Its value as it is, and an infinite gradient."""

    @staticmethod
    def forward(ctx, loss):
        return loss.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * math.inf


def test_a_first_loss_that_overflows_is_not_blamed_on_the_weights(loaded, monkeypatch):
    from benchmarks.workloads import optimisation

    whole = optimisation.answer_loss
    monkeypatch.setattr(
        optimisation, "answer_loss", lambda model, batch: whole(model, batch) * math.inf
    )
    model = add_lora(loaded.model, 4, CONTRACT)
    batches = training_batches(encoded(loaded), CONTRACT, 0, "cpu")
    with pytest.raises(NanLoss, match=r"at step 1 .*: try a smaller learning rate"):
        train_steps(model, batches, 1e-3, CONTRACT, MemoryLog())


def test_by_length_every_row_is_learnt_once_an_epoch_beside_rows_of_its_length():
    rows = [EncodedRow((n,) * length, (n,) * length) for n, length in enumerate((9, 2, 8, 3, 2))]
    contract = replace(CONTRACT, batch_size=2, epochs=2, row_order="length")
    batches = training_batches(rows, contract, 0, "cpu")
    shapes = [tuple(batch.input_ids.shape) for batch in batches]
    assert sorted(shapes[:3]) == sorted(shapes[3:]) == [(1, 9), (2, 2), (2, 8)]
    for epoch in (batches[:3], batches[3:]):
        assert sorted(int(n) for batch in epoch for n in batch.input_ids[:, 0]) == [0, 1, 2, 3, 4]
    assert Contract(row_order="length").hash != Contract().hash


def test_losses_are_read_once_an_epoch(loaded, monkeypatch):
    from benchmarks.workloads import optimisation

    reads: list[int] = []
    read = optimisation.Stepper.read

    def counted(stepper):
        losses = read(stepper)
        reads.append(len(losses))
        return losses

    monkeypatch.setattr(optimisation.Stepper, "read", counted)
    contract = replace(CONTRACT, epochs=3, batch_size=2, gradient_accumulation=2, max_steps=5)
    model = add_lora(loaded.model, 4, contract)
    batches = training_batches(encoded(loaded)[:7], contract, 0, "cpu")
    losses, kept = train_steps(model, batches, 1e-3, contract, MemoryLog())
    assert len(losses) == kept == 5
    assert reads == [2, 2, 1]


def test_patience_ends_a_measured_tune_and_brings_its_best_epoch_back(tiny_model, monkeypatch):
    def tuned(contract: Contract) -> tuple[Outcome, MemoryLog, list[torch.Tensor]]:
        loaded = load(tiny_candidate(tiny_model))
        outcome, log = tune(loaded, contract, valid=ROWS[:2])
        return outcome, log, [p.clone() for p in loaded.model.parameters() if p.requires_grad]

    same = replace(CONTRACT, epochs=2, schedule="constant")
    two_epochs, _, best = tuned(same)
    steps = two_epochs.steps
    losses = iter([9.0, 3.0, 2.0, 2.5, 2.0, 9.0])  # before the tune, of each epoch, and after it
    monkeypatch.setattr(fine_tune, "validation_loss", lambda *_: next(losses))
    ended, log, kept = tuned(replace(same, epochs=9, patience=2))
    assert (ended.steps, next(losses, None)) == (2 * steps, None)
    assert [each.step for each in log.losses if each.split == "valid"] == [0, steps]
    assert ended.figures["loss_last"] == losses_of(log)[steps - 1] != losses_of(log)[-1]
    assert all(torch.equal(one, other) for one, other in zip(best, kept, strict=True))


def test_warm_up_leaves_no_gradients(loaded):
    model = add_lora(loaded.model, 4, CONTRACT)
    warm_up(model, training_batches(encoded(loaded), CONTRACT, 0, "cpu")[:2])
    assert all(p.grad is None for p in model.parameters())


def test_the_adapter_is_kept_and_gives_the_tuned_replies_again(loaded, tmp_path):
    from peft import PeftModel

    from benchmarks.workloads.inference import make_replies

    _, log = tune(loaded, prompts=ROWS[:3], keep=tmp_path / "adapter")
    fresh = load(loaded.candidate)
    fresh.model = PeftModel.from_pretrained(fresh.model, tmp_path / "adapter").eval()
    again = make_replies("case", fresh, ROWS[:3], CONTRACT, MemoryLog(), tuned=4)
    assert [r.reply for r in again] == [r.reply for r in log.replies]
    assert (tmp_path / "adapter" / "adapter_model.safetensors").exists()


def test_a_tuned_model_gives_its_training_replies_and_stops_by_itself(tiny_model):
    contract = replace(CONTRACT, epochs=200, max_new_tokens=20, lora_dropout=0.0)
    rows = (Row("1?", "a"), Row("2?", "b"))
    loaded = load(tiny_candidate(tiny_model, learning_rate=1e-2))
    assert "stop" not in {
        r.finish_reason for r in tune_and_ask(loaded, replace(contract, epochs=1), rows)
    }
    greedy = tune_and_ask(load(loaded.candidate), contract, rows)
    assert [(reply.reply, reply.finish_reason) for reply in greedy] == [
        ("a", "stop"),
        ("b", "stop"),
    ]
    assert {reply.tuned for reply in greedy} == {32}


def tune_and_ask(loaded: LoadedModel, contract: Contract, rows) -> list[Reply]:
    _, log = tune(loaded, contract, rank=32, train=rows, prompts=rows)
    return [reply for reply in log.replies if reply.pass_ == "greedy"]
