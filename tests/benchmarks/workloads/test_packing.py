"""Packed rows are learned as each would be alone, in fewer steps; fused kernels are optional."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.study.contract import Contract
from benchmarks.workloads.answer_loss import Batch, collate, plain_loss
from benchmarks.workloads.log import MemoryLog
from benchmarks.workloads.optimisation import prepare
from benchmarks.workloads.packing import check_packs, packed
from model_registry.architectures.chunked_head import head_of, log_probabilities
from model_registry.architectures.fused_kernels import check_fused_kernels
from model_registry.errors import LoadError, OhloraError
from model_registry.prompting.tokenization import IGNORED, EncodedRow
from model_registry.weights.loading import load
from tests.conftest import ROWS
from tests.support.small_study import worked
from tests.support.tiny_models import tiny_candidate

pytestmark = pytest.mark.usefixtures("frozen_libraries")


def made_up_rows(lengths: list[int]) -> list[EncodedRow]:
    numbers = torch.Generator().manual_seed(1)
    rows = [torch.randint(5, 250, (n,), generator=numbers).tolist() for n in lengths]
    return [EncodedRow(tuple(row), (IGNORED, *row[1:])) for row in rows]


def losses_by_token(model, batch: Batch) -> list[tuple[int, float]]:
    """(token, loss) of every label, in any order."""
    head = head_of(model)
    hidden = head.hidden(**batch.inputs).flatten(0, 1).index_select(0, batch.positions)
    told = -log_probabilities(head, hidden, batch.targets)
    return sorted(zip(batch.targets.tolist(), told.tolist(), strict=True))


@pytest.mark.parametrize("model_type", ["llama", "gpt_neox", "qwen3", "gemma2"])
def test_losses_of_packed_rows_are_those_of_each_alone(tiny_model_of, model_type) -> None:
    model = load(tiny_candidate(tiny_model_of(model_type))).model.eval()
    check_packs(model)
    rows = made_up_rows([9, 14, 5, 21, 7])
    packs = packed(rows, 32, seed=0)
    assert len(packs) < len(rows)
    with torch.no_grad():
        together = losses_by_token(model, collate(packs, 0, "cpu"))
        alone = sorted(x for r in rows for x in losses_by_token(model, collate([r], 0, "cpu")))
        assert float(plain_loss(model, collate(packs, 0, "cpu"))) == pytest.approx(
            sum(loss for _, loss in alone) / len(alone), abs=1e-5
        )
    assert [token for token, _ in together] == [token for token, _ in alone]
    assert [loss for _, loss in together] == pytest.approx([x for _, x in alone], abs=1e-5)


def test_packs_are_full_and_hold_every_row_once() -> None:
    rows = made_up_rows([n % 30 + 3 for n in range(300)])
    packs = packed(rows, 64, seed=3)
    assert packs == packed(rows, 64, seed=3) != packed(rows, 64, seed=4)
    assert max(len(pack.input_ids) for pack in packs) <= 64
    tokens = sum(len(row.input_ids) for row in rows)
    assert sum(len(pack.input_ids) for pack in packs) == tokens
    assert sorted(n for pack in packs for n in pack.lengths) == sorted(
        len(row.input_ids) for row in rows
    )
    assert len(packs) < 1.1 * tokens / 64


@pytest.mark.parametrize("model_type", ["rwkv", "mamba"])
def test_a_model_whose_state_would_leak_refuses_to_pack(model_type) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        model_type, vocab_size=64, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32
    )
    with pytest.raises(OhloraError, match="leak into one another in a model"):
        check_packs(AutoModelForCausalLM.from_config(config))


def test_rows_that_are_kept_apart_in_a_batch_of_one_alone_are_packed_in_no_larger_one(
    tiny_model_of,
) -> None:
    """As under flash attention, where transformers tells packs apart for one row a batch only."""
    model = load(tiny_candidate(tiny_model_of("llama"))).model
    whole = model.forward

    def forward(input_ids, **more):
        mask = {"attention_mask": torch.ones_like(input_ids)} if len(input_ids) > 1 else {}
        return whole(input_ids=input_ids, **mask, **more)

    model.forward = forward
    prepare(model, Contract(packing=True, batch_size=1))
    with pytest.raises(OhloraError, match="--batch-size 1"):
        prepare(model, Contract(packing=True, batch_size=4))


def test_packing_makes_fewer_steps_and_learns(tiny_model) -> None:
    contract = Contract(
        epochs=2, max_new_tokens=2, learning_rate=5e-3, batch_size=1, warm_up=0, max_length=200
    )
    steps = {}
    for packing in (False, True):
        log = MemoryLog()
        policy = replace(contract, packing=packing)
        loaded = load(tiny_candidate(tiny_model))
        worked("fine-tune", loaded, policy, log, train=ROWS, rank=4)
        steps[packing] = [loss.loss for loss in log.losses]
    assert len(steps[True]) <= len(steps[False]) / 2
    assert steps[True][-1] < steps[True][0]


def test_fused_kernels_that_are_not_there_are_named(monkeypatch) -> None:
    check_fused_kernels("none", "cpu")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LoadError, match="pip install liger-kernel"):
        check_fused_kernels("liger", "cuda")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with pytest.raises(LoadError, match="graphics card only"):
        check_fused_kernels("liger", "cpu")
