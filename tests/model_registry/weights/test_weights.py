"""Weights come in one way; what can't be loaded says why with the status of its case."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

from model_registry.architectures.architecture import architecture_values
from model_registry.architectures.model_config import build_config
from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.transformers_local import answer_one
from model_registry.candidate import Candidate
from model_registry.catalog import catalog_names
from model_registry.errors import LoadError
from model_registry.registry import Registry
from model_registry.weights import random_weights
from model_registry.weights.loading import (
    load,
    network_is_up,
    random_model,
    resolve_source,
)
from model_registry.weights.pretrained import load_error
from model_registry.weights.quantization import weight_bytes
from tests.support.tiny_models import FREE, make_tiny_model, tiny_candidate

LLAMA = {
    "model_type": "llama", "vocab_size": 3000, "hidden_size": 512, "intermediate_size": 256,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 128,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
}  # fmt: skip


def by_model_type() -> dict[str, Candidate]:
    """One candidate of each model type that any catalog has."""
    found: dict[str, Candidate] = {}
    for catalog in catalog_names():
        for candidate in Registry().candidates(catalog):
            if candidate.architecture:
                found.setdefault(candidate.architecture["model_type"], candidate)
    return found


BY_TYPE = by_model_type()


pytestmark = pytest.mark.usefixtures("stand_in_tokenizer")


def refused(**options) -> LoadError:
    with pytest.raises(LoadError) as caught:
        load(**options)
    return caught.value


def test_the_catalogs_have_the_architectures_of_the_study():
    wanted = {"gemma2", "gemma", "gpt_neox", "llama", "rwkv", "qwen2", "opt", "gpt_neo"}
    assert wanted | {"deepseek_v2"} <= set(BY_TYPE)


@pytest.mark.parametrize("model_type", sorted(BY_TYPE))
def test_every_architecture_answers_with_tiny_random_weights(model_type):
    loaded = load(BY_TYPE[model_type], source="random", scale="tiny")
    assert (loaded.source, loaded.scale) == ("random", "tiny")
    assert loaded.model.config.model_type == model_type
    assert sum(p.numel() for p in loaded.model.parameters()) < 2_000_000
    answer = answer_one(loaded, conversation("안녕?"), GenerationSettings(max_new_tokens=4))
    assert answer.new_tokens >= 1


@pytest.mark.parametrize("model_type", sorted(BY_TYPE))
def test_random_weights_compute_as_an_ordinarily_made_model_of_the_same_weights(model_type):
    """Buffers are no weights: rotary frequencies and causal masks must have been made again."""
    import torch
    from transformers import AutoModelForCausalLM

    config = build_config(architecture_values(BY_TYPE[model_type], "tiny", vocab_size=300))
    ours = random_model(config, "cpu", torch.float32, seed=1).eval()
    ordinary = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    ordinary.load_state_dict(ours.state_dict())
    ids = torch.arange(5, 45)[None]
    with torch.inference_mode():
        torch.testing.assert_close(ours(ids).logits, ordinary(ids).logits)
    buffers = dict(ordinary.named_buffers())
    for name, buffer in ours.named_buffers():
        torch.testing.assert_close(buffer, buffers[name])


def test_large_matrices_filled_by_repetition_leave_rotary_buffers_right():
    """At real size whole modules are filled by blocks: those modules' buffers must be right too."""
    import torch
    from transformers import AutoModelForCausalLM

    config = build_config(LLAMA)
    ours = random_model(config, "cpu", torch.float32, seed=1).eval()
    large = [p for p in ours.parameters() if p.numel() > 1 << 20]
    assert large
    ordinary = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    ordinary.load_state_dict(ours.state_dict())
    ids = torch.arange(40)[None]
    with torch.inference_mode():
        torch.testing.assert_close(ours(ids).logits, ordinary(ids).logits)
    assert large[0].std().item() == pytest.approx(0.02, rel=0.02)


def test_tied_weights_stay_tied():
    import torch

    config = build_config(LLAMA | {"tie_word_embeddings": True})
    model = random_model(config, "cpu", torch.float32, seed=1)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_tied_weights_are_made_once_and_not_for_a_moment_twice():
    """A vocabulary of 256,000 made twice was a gigabyte at the peak of loading."""
    import torch
    from transformers import AutoModelForCausalLM

    small = architecture_values(BY_TYPE["gemma2"], "tiny", vocab_size=512)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(build_config(small))
    counted = weight_bytes(model)
    random_weights._materialise(model, "cpu")
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert weight_bytes(model) == counted
    assert not any(p.is_meta for p in (*model.parameters(), *model.buffers()))


def test_random_weights_repeat_under_their_seed_and_leave_no_memory_unset():
    import torch

    config = build_config(LLAMA)
    states = [random_model(config, "cpu", torch.float32, seed).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["lm_head.weight"], states[2]["lm_head.weight"])
    assert all(torch.isfinite(tensor).all() for tensor in states[0].values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_random_weights_come_in_the_dtype_that_was_asked_for(dtype):
    loaded = load(BY_TYPE["llama"], source="random", scale="tiny", dtype=dtype)
    assert {str(p.dtype) for p in loaded.model.parameters()} == {f"torch.{dtype}"}


def test_at_full_scale_the_architecture_is_as_the_catalog_has_it():
    for candidate in BY_TYPE.values():
        assert architecture_values(candidate, "full") == dict(candidate.architecture)


def test_a_folder_is_loaded_with_its_tokenizer_and_end_token(tiny_model):
    loaded = load(tiny_candidate(tiny_model))
    assert loaded.source == "path"
    assert loaded.end_ids == (loaded.tokenizer.eos_token_id,)
    assert not loaded.model.training


def test_end_tokens_of_the_generation_config_end_answers_too(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 9]}))
    loaded = load(tiny_candidate(folder))
    assert loaded.end_ids == (7, 9, loaded.tokenizer.eos_token_id)


def test_a_bundled_candidate_says_that_it_is_bundled(tiny_model):
    assert load(tiny_candidate(tiny_model, traits=("bundled",)), source="bundled").source == (
        "bundled"
    )


def test_a_candidate_that_is_not_bundled_can_not_pass_for_one():
    error = refused(candidate=Candidate("other", FREE, hub_id="a/b"), source="bundled")
    assert error.status == "error"
    assert "--weights bundled replaces the candidates" in str(error)


def test_a_folder_without_a_model_is_unreachable_with_a_cure(tmp_path):
    plain = refused(candidate=tiny_candidate(tmp_path))
    bundled = refused(candidate=tiny_candidate(tmp_path, traits=("bundled",)), source="bundled")
    assert plain.status == bundled.status == "unreachable"
    assert "Is the path right?" in str(plain)
    assert "make bundled" in str(bundled)


def test_a_publishers_own_code_is_never_run(tmp_path):
    needs = Candidate("moe", FREE, hub_id="a/moe", traits=("remote-code",))
    assert refused(candidate=needs, source="hub").status == "needs_remote_code"
    make_tiny_model(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {
        "model_type": "strange",
        "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    assert refused(candidate=tiny_candidate(tmp_path)).status == "needs_remote_code"


def test_an_architecture_that_transformers_does_not_know_is_unsupported(tmp_path):
    make_tiny_model(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"model_type": "strange"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert refused(candidate=tiny_candidate(tmp_path)).status == "unsupported_architecture"
    with pytest.raises(LoadError) as caught:
        build_config({"model_type": "strange"})
    assert caught.value.status == "unsupported_architecture"


def test_weights_that_are_no_safetensors_stay_shut(tmp_path):
    import torch

    folder = make_tiny_model(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    error = refused(candidate=tiny_candidate(folder))
    assert error.status == "error"
    assert "safetensors" in str(error)


def test_a_candidate_without_an_architecture_can_not_have_random_weights():
    nothing = Candidate("api", FREE, parameters_note="never published")
    error = refused(candidate=nothing, source="random")
    assert error.status == "unsupported_architecture"
    assert "never published" in str(error)
    needs = replace(nothing, traits=("remote-code",))
    assert refused(candidate=needs, source="random").status == "needs_remote_code"


def test_a_candidate_with_neither_hub_id_nor_path_is_unreachable():
    assert refused(candidate=Candidate("nobody", FREE), source="hub").status == "unreachable"


def test_a_hub_that_can_not_be_reached_is_unreachable_and_names_the_way_without():
    error = refused(candidate=Candidate("far", FREE, hub_id="nobody/nothing"), source="hub")
    assert error.status == "unreachable"
    assert "--weights bundled" in str(error)


FORBIDDEN = httpx2.Response(403, request=httpx2.Request("GET", "https://hub"))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (GatedRepoError("403", response=FORBIDDEN), "gated"),
        (OSError("You are trying to access a gated repo."), "gated"),
        (
            ValueError("requires you to execute ... pass trust_remote_code=True"),
            "needs_remote_code",
        ),
        (ValueError("does not recognize this architecture"), "unsupported_architecture"),
        (ConnectionError("timed out"), "unreachable"),
        (httpx2.ConnectError("no route"), "unreachable"),
        (LocalEntryNotFoundError("not in the cache"), "unreachable"),
        (OSError("no file named model.safetensors"), "error"),
    ],
)
def test_what_a_library_raises_becomes_the_status_that_it_means(error, status):
    assert load_error(Candidate("c", FREE, hub_id="a/b"), error).status == status


def test_what_means_nothing_special_stays_as_it_was_raised():
    assert load_error(Candidate("c", FREE), KeyError("weight")) is None


def test_auto_takes_the_bundled_models_where_there_is_no_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not network_is_up()
    assert resolve_source("auto") == "bundled"
    assert resolve_source("random") == "random"


def test_a_host_that_does_not_answer_is_no_network(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert not network_is_up("127.0.0.1", seconds=0.2)


def test_rwkv_answers_after_tuning_as_it_was_trained():
    """Its weights must not be divided for answering once LoRA stands beside them."""
    import torch

    from benchmarks.study.contract import Contract
    from benchmarks.workloads.fine_tune import add_lora

    values = dict(BY_TYPE["rwkv"].architecture) | {"num_hidden_layers": 8, "vocab_size": 300}
    values |= {"hidden_size": 32, "attention_hidden_size": 32, "intermediate_size": 64}
    loaded = load(replace(BY_TYPE["rwkv"], architecture=values), source="random")
    ids = torch.arange(20)[None]
    model = add_lora(loaded.model, 4, Contract(lora_dropout=0.0))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0.0, 0.5)
        trained = model.train()(ids, use_cache=False).logits
        answering = model.eval()(ids, use_cache=False).logits
    torch.testing.assert_close(answering, trained)


def test_the_path_of_a_bundled_model_lies_in_the_package():
    bundled = Registry().candidates("bundled")
    assert all(Path(c.path).parts[-3:-1] == ("bundled", "weights") for c in bundled)


def test_random_weights_hold_nothing_that_was_in_memory_before() -> None:
    """Some parameters are set only where their module is built, which no empty model does."""
    import torch

    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1,
             "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 64}  # fmt: skip
    ids = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 0)
    config = build_config({"model_type": "apertus", **sizes, **ids})
    junk = [torch.full((size,), 1e18) for size in (1, 2, 4, 8) for _ in range(200)]
    del junk  # the allocator hands such memory out again
    activation = random_model(config, "cpu", torch.float32, seed=1).model.layers[0].mlp.act_fn
    fresh = type(activation)(dtype=torch.float32)
    for name in ("alpha_p", "alpha_n", "beta", "eps"):
        assert getattr(activation, name).item() == pytest.approx(getattr(fresh, name).item())
