"""Every architecture of the catalogs, and the usual ones beside them, can be tuned and exported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.study.contract import Contract
from benchmarks.workloads.fine_tune import add_lora
from benchmarks.workloads.log import MemoryLog
from model_registry.candidate import Candidate
from model_registry.catalog import catalog_names
from model_registry.errors import OhloraError
from model_registry.registry import Registry
from model_registry.weights.loading import LoadedModel, load
from model_registry.weights.lora import lora_targets, stacked_experts
from rows.row import Row
from tests.support.small_study import worked
from tests.support.tiny_models import FREE

pytestmark = pytest.mark.usefixtures("frozen_libraries", "stand_in_tokenizer")

CONTRACT = Contract(epochs=2, max_new_tokens=3, warm_up=0, learning_rate=5e-3)
ROWS = tuple(Row(f"질문 {n}", f"답 {n}") for n in range(4))

QUICK = ("deepseek_v2", "mixtral", "qwen2_moe", "gemma3_text")
MIXTURES = (
    "deepseek_v2", "deepseek_v3", "ernie4_5_moe", "exaone_moe", "glm4_moe", "gpt_oss",
    "granitemoe", "granitemoehybrid", "hunyuan_v1_moe", "lfm2_moe", "mixtral", "olmoe", "qwen2_moe",
    "qwen3_moe", "solar_open",
)  # fmt: skip
USUAL = (
    "apertus", "arcee", "cohere2", "ernie4_5", "exaone4", "falcon", "gemma", "gemma2",
    "gemma3_text", "glm4", "gpt2", "gpt_neox", "granite", "helium", "hunyuan_v1_dense", "lfm2",
    "llama", "ministral3", "mistral", "nemotron", "olmo2", "olmo3", "opt", "phi", "phi3", "qwen2",
    "qwen3", "seed_oss", "smollm3", "stablelm", "starcoder2", *MIXTURES,
)  # fmt: skip


def of_the_catalogs() -> Iterator[Candidate]:
    """One candidate of each architecture's values, whatever its size."""
    seen = set()
    for catalog in catalog_names():
        for candidate in Registry().candidates(catalog):
            kind = candidate.architecture and candidate.architecture["model_type"]
            if kind and kind not in seen:
                seen.add(kind)
                yield candidate


def usual(model_type: str) -> Candidate:
    return Candidate(name=model_type, license=FREE, architecture={"model_type": model_type})


def small(candidate: Candidate) -> LoadedModel:
    loaded = load(candidate, source="random", scale="tiny")
    assert sum(p.numel() for p in loaded.model.parameters()) < 2_000_000
    return loaded


def tunes(candidate: Candidate) -> None:
    log = MemoryLog()
    outcome = worked(
        "fine-tune", small(candidate), CONTRACT, log, train=ROWS, valid=ROWS[:1],
        prompts=ROWS[:1], rank=4,
    )  # fmt: skip
    losses = [loss.loss for loss in log.losses if loss.split == "train"]
    assert outcome.steps == len(losses) == 2
    assert losses[-1] != losses[0]
    assert len(log.replies) == 2


@pytest.mark.slow
@pytest.mark.parametrize("candidate", list(of_the_catalogs()), ids=lambda c: c.name)
def test_every_architecture_of_the_catalogs_tunes(candidate) -> None:
    tunes(candidate)


@pytest.mark.parametrize(
    "model_type",
    [pytest.param(t, marks=() if t in QUICK else pytest.mark.slow) for t in USUAL],
)
def test_the_usual_architectures_tune(model_type) -> None:
    tunes(usual(model_type))


@pytest.mark.parametrize(
    "model_type",
    [pytest.param(t, marks=() if t in QUICK else pytest.mark.slow) for t in MIXTURES],
)
def test_in_a_mixture_every_linear_layer_and_every_expert_learns(model_type) -> None:
    """peft alone leaves experts frozen in some architectures, and the layers beside in others."""
    import torch

    model = small(usual(model_type)).model
    head = model.get_output_embeddings()
    linears = sum(isinstance(m, torch.nn.Linear) and m is not head for m in model.modules())
    experts = sum(
        f"{name.rpartition('.')[2]}" in {e.rpartition(".")[2] for e in stacked_experts(model)}
        and p.ndim == 3
        for name, p in model.named_parameters()
    )
    assert experts >= 2
    tuned = add_lora(model, 4, CONTRACT)
    matrices = [name for name, _ in tuned.named_parameters() if "lora_A" in name]
    assert len(matrices) == linears + experts
    ids = torch.arange(5, 25)[None]
    tuned(input_ids=ids, use_cache=False).logits.float().sum().backward()
    still = [n for n, p in tuned.named_parameters() if "lora_B" in n and p.grad is None]
    assert still == []


def test_a_mixture_s_result_says_that_it_had_no_dropout() -> None:
    mixture, dense = (
        worked("fine-tune", small(usual(name)), CONTRACT, MemoryLog(), train=ROWS, rank=4).figures[
            "lora_dropout"
        ]
        for name in ("mixtral", "llama")
    )
    assert (mixture, dense) == (0.0, CONTRACT.lora_dropout)


@pytest.mark.parametrize("targets", ["q_proj,v_proj", "q_proj, v_proj"])
def test_named_layers_of_a_mixture_keep_their_dropout(targets) -> None:
    model = small(usual("mixtral")).model
    found = lora_targets(model, targets)
    assert (found.modules, found.parameters) == (["q_proj", "v_proj"], [])
    tuned = add_lora(model, 4, replace(CONTRACT, lora_targets=targets))
    assert tuned.peft_config["default"].lora_dropout == CONTRACT.lora_dropout


@pytest.mark.slow
@pytest.mark.parametrize("model_type", MIXTURES)
def test_a_mixture_s_adapter_loads_again_and_merges_to_the_same_answers(
    model_type, tmp_path
) -> None:
    import torch
    from peft import PeftModel

    loaded = small(usual(model_type))
    tuned = add_lora(loaded.model, 4, CONTRACT)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.1)
    tuned.eval().save_pretrained(tmp_path / "adapter")
    ids = torch.arange(5, 25)[None]
    with torch.inference_mode():
        wanted = tuned(input_ids=ids, use_cache=False).logits
        fresh = PeftModel.from_pretrained(small(usual(model_type)).model, tmp_path / "adapter")
        again = fresh.eval()(input_ids=ids, use_cache=False).logits
        merged = tuned.merge_and_unload()(input_ids=ids, use_cache=False).logits
    torch.testing.assert_close(again, wanted)
    torch.testing.assert_close(merged, wanted, rtol=1e-3, atol=1e-3)


def test_a_rank_that_no_layer_can_use_is_refused_with_the_largest_that_one_can() -> None:
    model = small(usual("llama")).model
    with pytest.raises(OhloraError, match=r"rank 65 is larger than every layer.*at most 64"):
        add_lora(model, 65, CONTRACT)
    assert add_lora(model, 64, CONTRACT)
