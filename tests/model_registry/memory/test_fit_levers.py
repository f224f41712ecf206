"""What the levers of a tune save and cost is counted: optimisers, DoRA, accumulation."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.study.tuning_settings import TuningSettings
from benchmarks.workloads.optimisation import make_optimiser
from model_registry.errors import LoadError
from model_registry.memory import coefficients
from model_registry.memory.fit import Work, moments_bytes, predict
from model_registry.memory.verdict import changes
from model_registry.registry import Registry

SMALL = {
    "model_type": "llama", "vocab_size": 256, "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
    "max_position_embeddings": 256, "tie_word_embeddings": True,
}  # fmt: skip
TUNE = Work(kind="lora", rank=16, batch=4, length=512)


@pytest.fixture(scope="module")
def architecture():
    return Registry().candidate("llama1B").architecture


@pytest.mark.parametrize("name", ["adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit"])
def test_an_optimiser_s_state_takes_what_is_counted(name):
    import torch

    if name != "adamw":
        pytest.importorskip("bitsandbytes")
    weights = [torch.nn.Parameter(torch.zeros(128, 96)), torch.nn.Parameter(torch.zeros(64, 128))]
    optimiser = make_optimiser(weights, TuningSettings(optimizer=name), 1e-3)
    sum((weight**2).sum() for weight in weights).backward()
    optimiser.step()
    held = sum(
        value.numel() * value.element_size()
        for state in optimiser.state.values()
        for key, value in state.items()
        if isinstance(value, torch.Tensor) and value.numel() > 1 and not key.startswith("qmap")
    )
    numbers = sum(weight.numel() for weight in weights)
    work = replace(TUNE, optimizer=name, device="cpu")
    assert held == moments_bytes(8 * numbers, numbers, work)


def test_paged_moments_leave_a_card_that_is_full():
    assert moments_bytes(800, 100, replace(TUNE, optimizer="paged_adamw_8bit")) == 0
    assert moments_bytes(800, 100, replace(TUNE, optimizer="adamw_8bit")) == 203


def test_a_full_tune_with_moments_of_eight_bits_has_no_step_of_temporaries(architecture):
    full = replace(TUNE, kind="full", rank=None)
    plain, packed = (
        predict(architecture, full),
        predict(architecture, replace(full, optimizer="adamw_8bit")),
    )
    assert plain.moment == "step"
    assert packed.moment != "step"
    assert packed.terms["optimiser"] < 0.6 * plain.terms["optimiser"]
    assert packed.predicted_bytes < plain.predicted_bytes


def test_gradients_of_earlier_batches_wait_for_the_step(architecture):
    once, often = (
        predict(architecture, TUNE),
        predict(architecture, replace(TUNE, accumulation=2)),
    )
    assert often.predicted_bytes - once.predicted_bytes == pytest.approx(
        once.terms["adapter"], abs=2**20
    )


def fitted(ohlora, *options: str) -> dict[str, dict]:
    code, out, error = ohlora("fit", "llama1B", "--gpu", "12GB", *options, "--json")
    assert (code, error) == (0, "")
    rows = json.loads(out)["rows"]
    return {f"{r['workload']} {r['rank']} {r['quantization']}": r for r in rows}


def test_fit_takes_the_levers_of_a_tune_by_their_names_there(ohlora):
    plain = fitted(ohlora)
    levers = (
        "--batch-size 2 --max-length 256 --rank 8 --gradient-accumulation 2 "
        "--gradient-checkpointing --optimizer paged_adamw_8bit --learning-rate 1e-4"
    )
    kept = fitted(ohlora, *levers.split())
    assert {name for name in plain if name.startswith("lora")} == {
        f"lora {rank} {bits}" for rank in (16, 32, 64) for bits in ("none", "nf4")
    }
    assert {name for name in kept if name.startswith("lora")} == {"lora 8 none", "lora 8 nf4"}
    row = kept["lora 8 none"]
    told = ("batch", "length", "gradient_accumulation", "gradient_checkpointing", "optimizer")
    assert [row[name] for name in told] == [2, 256, 2, True, "paged_adamw_8bit"]
    assert "optimiser" not in row["terms"]  # nothing of it stays on a full card
    assert row["predicted_bytes"] < plain["lora 16 none"]["predicted_bytes"]
    assert list(fitted(ohlora, "--quantization", "int8", "--rank", "16")).count("lora 16 int8") == 1


def test_the_older_names_of_fit_s_options_stay(ohlora):
    assert fitted(ohlora, "--batch", "2", "--length", "256") == fitted(
        ohlora, "--batch-size", "2", "--max-length", "256"
    )


def test_a_change_keeps_the_levers_that_were_set(architecture):
    asked = replace(TUNE, optimizer="adamw_8bit", targets=("q_proj", "v_proj"), accumulation=3)
    first = changes(asked)[0]
    assert first.work.accumulation * first.work.batch == 12
    assert first.tune == (
        "--rank 16 --batch-size 2 --gradient-accumulation 6 --lora-targets q_proj,v_proj "
        "--optimizer adamw_8bit"
    )


def test_a_change_of_a_packed_tune_packs_to_the_same_length(architecture):
    first = changes(replace(TUNE, packed=True))[0]
    assert first.tune is not None
    assert first.tune.endswith("--packing --max-length 512")


def test_eager_attention_is_unknown_with_its_reason(architecture):
    with pytest.raises(LoadError, match="scores of length times length"):
        predict(architecture, replace(TUNE, attention="eager"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_dora_keeps_unpacked_weights_of_each_layer_unless_it_is_checkpointed():
    work = Work(kind="lora", rank=8, batch=2, length=48, dtype="bfloat16", device="cpu")
    plain, dora = predict(SMALL, work), predict(SMALL, replace(work, dora=True))
    linear = coefficients.skeleton_of(SMALL)["linear_parameters"]
    assert dora.terms["adapter"] > plain.terms["adapter"]
    assert dora.terms["gradients"] > 4 * linear  # each layer's weights in float32
    kept = predict(SMALL, replace(work, dora=True, checkpointing=True))
    assert kept.predicted_bytes < dora.predicted_bytes - 2 * linear
