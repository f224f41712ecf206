"""The loss in chunks: values and gradients are those of the plain form, memory is small."""

from __future__ import annotations

import pytest

from model_registry.architectures import head_chunks
from model_registry.architectures.chunked_head import (
    causal_of,
    head_of,
    log_probabilities,
    split,
    way_of,
)
from model_registry.candidate import Candidate
from model_registry.weights.loading import load
from model_registry.weights.quantization import keep_gradients
from tests.support.tiny_models import FREE

pytestmark = pytest.mark.usefixtures("frozen_libraries")

ARCHITECTURES = (
    "llama", "gpt2", "gpt_neox", "opt", "rwkv", "gemma2", "granite", "cohere", "qwen3",
    "mixtral", "nemotron", "mpt", "lfm2", "xglm", "bloom", "codegen", "cohere2", "exaone4",
    "gemma", "gemma3_text", "glm4", "gpt_neo", "gpt_oss", "gptj", "granitemoe", "helium",
    "hunyuan_v1_dense", "mamba", "mistral", "olmo2", "persimmon", "phi", "phi3", "qwen2",
    "qwen2_moe", "smollm3", "stablelm", "starcoder2", "biogpt",
)  # fmt: skip
VOCABULARY = 67
#: What an architecture's logits go through after the matrix.
AFTER = {
    "gemma2": {"final_logit_softcapping": 2.0},
    "gemma3_text": {"final_logit_softcapping": 2.0},
    "granite": {"logits_scaling": 8.0},
    "granitemoe": {"logits_scaling": 8.0},
    "cohere": {"logit_scale": 0.0625},
    "cohere2": {"logit_scale": 0.0625},
    "mpt": {"logit_scale": 0.5},
}
SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "n_embd": 32, "d_model": 32,
    "word_embed_proj_dim": 32, "attention_hidden_size": 32, "intermediate_size": 64, "ffn_dim": 64,
    "num_hidden_layers": 2, "n_layer": 2, "num_layers": 2, "n_layers": 2, "num_attention_heads": 4,
    "n_head": 4, "n_heads": 4, "num_heads": 4, "attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 8, "moe_intermediate_size": 16, "num_local_experts": 4, "num_experts": 4,
    "rotary_dim": 4, "max_position_embeddings": 64, "pad_token_id": 0, "eos_token_id": 1,
    "bos_token_id": 1,
}  # fmt: skip


def tiny(model_type: str, **more):
    """A language model of this architecture with random weights, without dropout."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    names = vars(AutoConfig.for_model(model_type)) | AutoConfig.for_model(model_type).attribute_map
    own = {name: value for name, value in SIZES.items() if name in names}
    if model_type == "gpt_neo":
        own["attention_types"] = [[["global", "local"], 1]]
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **own | AFTER.get(model_type, {}) | more)
    return AutoModelForCausalLM.from_config(config).eval()


def rows():
    import torch

    ids = torch.randint(2, VOCABULARY, (3, 9), generator=torch.Generator().manual_seed(1))
    return ids, torch.ones_like(ids)


def plain(model):
    """Each token's log probability, by way of all logits."""
    import torch

    ids, mask = rows()
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits.float()
    return torch.log_softmax(logits[:, :-1], -1).gather(-1, ids[:, 1:, None]).flatten()


def in_chunks(model):
    ids, mask = rows()
    head = head_of(model)
    assert head is not None
    hidden = head.hidden(ids, mask)[:, :-1].flatten(0, 1)
    return log_probabilities(head, hidden, ids[:, 1:].flatten())


def assert_alike(model) -> None:
    """Values and all gradients agree, where positions weigh differently."""
    import torch

    weights = torch.rand(24, generator=torch.Generator().manual_seed(2))
    trained = [p for p in model.parameters() if p.requires_grad]
    found = []
    for form in (plain, in_chunks):
        values = form(model)
        slopes = torch.autograd.grad((values * weights).sum(), trained, allow_unused=True)
        found.append((values, *slopes))
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            scale = max(1.0, one.detach().abs().max().item())
            assert (one - other).detach().abs().max().item() <= 1e-5 * scale


@pytest.fixture(autouse=True)
def five_rows_a_chunk(monkeypatch) -> None:
    monkeypatch.setattr(head_chunks, "CHUNK_LOGITS", 5 * VOCABULARY)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_chunks_give_the_plain_values_and_gradients(model_type) -> None:
    """With all weights trained, and with the head frozen as under LoRA."""
    model = tiny(model_type)
    assert_alike(model)
    model.get_output_embeddings().requires_grad_(False)
    assert not head_of(model).trained()
    assert_alike(model)


@pytest.mark.parametrize("tied", [True, False])
def test_a_tied_head_learns_from_both_of_its_ends(tied) -> None:
    model = tiny("llama", tie_word_embeddings=tied)
    assert (model.lm_head.weight is model.model.embed_tokens.weight) is tied
    assert_alike(model)


def test_a_lora_on_the_head_learns_too() -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, target_modules=["q_proj", "lm_head"], init_lora_weights="gaussian")
    model = get_peft_model(tiny("llama", tie_word_embeddings=False), config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_()
    assert len(head_of(model).trained()) == 2
    assert_alike(model)


@pytest.mark.parametrize("positions", [0, 1, 5, 6, 10])
def test_any_number_of_positions_has_its_log_probabilities(positions) -> None:
    import torch

    model = tiny("llama")
    head = head_of(model)
    hidden, targets = torch.randn(positions, 32), torch.arange(positions)
    wanted = torch.log_softmax(model.lm_head(hidden), -1)[torch.arange(positions), targets]
    with torch.no_grad():
        assert torch.allclose(log_probabilities(head, hidden, targets), wanted, atol=1e-6)
    model.requires_grad_(False)
    hidden.requires_grad_(True)
    assert torch.allclose(log_probabilities(head, hidden, targets), wanted, atol=1e-6)


def test_half_precision_is_as_near_as_its_rounding() -> None:
    import torch

    model = tiny("gemma2").to(torch.float16)
    model.requires_grad_(False)
    assert head_of(model) is not None
    assert torch.allclose(in_chunks(model), plain(model), atol=2e-2)


def test_a_quantised_head_gives_the_plain_values_and_gradients() -> None:
    """bitsandbytes leaves heads alone by default; a model may come with a packed one."""
    import torch

    bitsandbytes = pytest.importorskip("bitsandbytes")
    model = tiny("llama", tie_word_embeddings=False, hidden_size=64, vocab_size=128)
    model.requires_grad_(False)
    packed = bitsandbytes.nn.Linear4bit(64, 128, bias=False, compute_dtype=torch.float32)
    packed.load_state_dict({"weight": model.lm_head.weight})
    model.lm_head = packed.to("cpu")
    keep_gradients(model)
    model.model.layers[0].requires_grad_(True)
    assert_alike(model)


def test_a_head_that_does_more_than_its_decoder_s_output_tells_is_left_plain() -> None:
    """A forward that looks at the tokens again can't be cut into two halves."""
    import torch

    model = tiny("llama")
    whole = type(model).forward

    class Other(type(model)):
        def forward(self, input_ids=None, **options):
            output = whole(self, input_ids=input_ids, **options)
            output.logits = output.logits + input_ids[..., None]
            return output

    model.__class__ = Other
    assert head_of(model) is None
    with torch.no_grad():
        assert split(model, "get_decoder").logits(torch.zeros(3, 32)).shape == (3, VOCABULARY)


def test_the_model_s_own_forward_stands_as_it_was() -> None:
    import torch

    model = tiny("llama").train()
    before = plain(model)
    in_chunks(model)
    assert "forward" not in vars(model.model)
    assert model.training
    assert torch.equal(plain(model), before)


def test_the_halves_are_proven_once_a_model() -> None:
    model = tiny("llama")
    assert head_of(model).decoder is model.model
    model.forward = None  # what would be asked for another proof
    assert head_of(model).decoder is model.model
    assert causal_of(model) is model


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "rwkv", "gemma2", "opt"])
def test_a_model_type_s_way_is_that_of_its_models(model_type) -> None:
    way = way_of(model_type)
    assert way is not None
    assert (
        split(tiny(model_type), way).decoder.__class__
        is head_of(tiny(model_type)).decoder.__class__
    )


def test_no_tensor_of_tokens_times_vocabulary_is_made() -> None:
    """The largest tensor that the pass makes has a chunk's rows, forward and backward."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        rows = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, (tuple, list)) else (out,):
                if not isinstance(tensor, torch.Tensor) or tensor.shape == matrix:
                    continue
                if tensor.shape[-1:] == (VOCABULARY,):
                    self.rows = max(self.rows, tensor.numel() // VOCABULARY)
            return out

    model = tiny("llama")
    model.lm_head.requires_grad_(False)
    matrix = model.lm_head.weight.T.shape  # the head's own, turned
    in_chunks(model)
    with Largest() as largest:
        in_chunks(model).sum().backward()
    assert largest.rows == 5
    with Largest() as largest:
        plain(model).sum().backward()
    assert largest.rows >= 24


def test_a_bundled_size_candidate_is_cut_into_halves(tiny_model) -> None:
    loaded = load(Candidate(name="tiny", license=FREE, path=str(tiny_model)))
    assert head_of(loaded.model) is not None
