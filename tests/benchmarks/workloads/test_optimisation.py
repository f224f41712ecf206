"""The levers of a tune: each does what its name says, and none changes what it should not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.study.contract import Contract
from benchmarks.tune_state import EpochEnd, restore, save
from benchmarks.workloads.log import MemoryLog
from benchmarks.workloads.optimisation import make_optimiser, prepare, rate_share
from model_registry.errors import OhloraError
from model_registry.weights.loading import LoadedModel, load
from tests.conftest import ROWS
from tests.support.small_study import worked
from tests.support.tiny_models import tiny_candidate

pytestmark = pytest.mark.usefixtures("frozen_libraries")

CONTRACT = Contract(
    epochs=3, max_new_tokens=4, learning_rate=5e-3, lora_dropout=0.0, batch_size=4, warm_up=0
)


@pytest.fixture
def loaded(tiny_model) -> LoadedModel:
    return load(tiny_candidate(tiny_model))


def losses(loaded: LoadedModel, contract: Contract, **options) -> list[float]:
    log = MemoryLog()
    worked("fine-tune", loaded, contract, log, train=ROWS, rank=4, **options)
    return [loss.loss for loss in log.losses]


@pytest.mark.parametrize("batch", [1, 2])
def test_accumulated_batches_learn_as_one_large_batch_does(tiny_model, batch):
    """Rows differ in length: a mean of means would give another loss."""
    candidate = tiny_candidate(tiny_model)
    whole = losses(load(candidate), CONTRACT)
    parts = replace(CONTRACT, batch_size=batch, gradient_accumulation=4 // batch)
    assert losses(load(candidate), parts) == pytest.approx(whole, rel=1e-4)
    assert losses(load(candidate), replace(parts, gradient_accumulation=1))[:6] != whole


def test_no_step_crosses_into_the_next_epoch(loaded):
    three = replace(CONTRACT, batch_size=1, gradient_accumulation=3)
    assert len(losses(loaded, three)) == 3 * 3  # 8 rows are steps of 3, 3 and 2


def test_checkpointing_learns_the_same(tiny_model):
    candidate = tiny_candidate(tiny_model)
    plain = losses(load(candidate), CONTRACT)
    kept = load(candidate)
    assert losses(kept, replace(CONTRACT, gradient_checkpointing=True)) == pytest.approx(plain)
    assert kept.model.get_base_model().model.gradient_checkpointing


def test_a_model_that_can_t_be_checkpointed_says_so(loaded):
    loaded.model.__class__ = type("Fixed", (type(loaded.model),), {})
    loaded.model.__class__.supports_gradient_checkpointing = False
    with pytest.raises(OhloraError, match="type llama can't be checkpointed"):
        prepare(loaded.model, replace(CONTRACT, gradient_checkpointing=True))


def test_an_attention_that_is_not_there_is_named(loaded):
    prepare(loaded.model, replace(CONTRACT, attention="eager"))
    assert loaded.model.config._attn_implementation == "eager"
    with pytest.raises(OhloraError, match="can't use the attention flash_attention_2"):
        prepare(loaded.model, replace(CONTRACT, attention="flash_attention_2"))


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("warm_up", [0, 3])
def test_the_schedules_are_those_of_transformers(schedule, warm_up):
    import torch
    from transformers import get_scheduler

    settings = replace(CONTRACT, schedule=schedule, warmup_steps=warm_up)
    named = "constant_with_warmup" if schedule == "constant" else schedule
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_scheduler(named, optimiser, warm_up, 10)
    for done in range(10):
        assert rate_share(done, 10, settings) == pytest.approx(theirs.get_last_lr()[0])
        optimiser.step()
        theirs.step()


def test_a_most_of_steps_ends_the_tune(loaded):
    assert len(losses(loaded, replace(CONTRACT, max_steps=4))) == 4


def test_rslora_and_dora_are_in_the_adapter_that_is_kept(loaded, tmp_path):
    losses(loaded, replace(CONTRACT, rslora=True, dora=True, epochs=1), keep=tmp_path / "adapter")
    kept = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (kept["use_rslora"], kept["use_dora"]) == (True, True)


@pytest.mark.parametrize("name", ["adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit"])
def test_an_optimiser_goes_on_from_its_state_as_if_it_had_never_stopped(tmp_path, name):
    import torch

    if name != "adamw":
        pytest.importorskip("bitsandbytes")
    settings = replace(CONTRACT, optimizer=name)

    def step(weight, optimiser) -> None:
        (weight**2).sum().backward()
        optimiser.step()
        optimiser.zero_grad()

    start = torch.randn(128, 64, generator=torch.Generator().manual_seed(0))
    weight = torch.nn.Parameter(start.clone())
    optimiser = make_optimiser([weight], settings, 1e-2)
    for _ in range(3):
        step(weight, optimiser)
    save(tmp_path / "state.safetensors", {}, [weight], optimiser, [EpochEnd(1, 0.5, None)])
    again = torch.nn.Parameter(torch.zeros(128, 64))
    other = make_optimiser([again], settings, 1e-2)
    assert restore(tmp_path / "state.safetensors", [again], other) == [EpochEnd(1, 0.5, None)]
    for one, two in ((weight, optimiser), (again, other)):
        step(one, two)
        step(one, two)
    assert torch.equal(weight, again)
    assert not torch.equal(weight, start)
