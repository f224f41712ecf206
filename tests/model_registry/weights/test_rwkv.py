"""RWKV's deeper layers are divided while it answers; adapters must be divided with them."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model

from model_registry.architectures.model_config import build_config
from model_registry.weights import rwkv
from model_registry.weights.loading import random_model

TINY = {
    "model_type": "rwkv", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 4,
    "attention_hidden_size": 32, "intermediate_size": 64, "context_length": 64, "rescale_every": 2,
}  # fmt: skip
IDS = torch.arange(12)[None]


def tuned() -> torch.nn.Module:
    """A model with an adapter that changes what it says."""
    torch.manual_seed(0)
    model = random_model(build_config(TINY), "cpu", torch.float32, 0)
    adapted = get_peft_model(
        model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    )
    return adapted.eval()


@torch.inference_mode()
def logits(model: torch.nn.Module) -> torch.Tensor:
    return model(input_ids=IDS).logits


def expected() -> torch.Tensor:
    model = tuned()
    model.config.rescale_every = 0
    return logits(model)


def test_transformers_alone_answers_wrongly_with_an_adapter():
    """Why this file is there: should it pass one day, the hook may go."""
    assert not torch.allclose(logits(tuned()), expected(), atol=1e-4)


def test_an_adapter_is_divided_with_the_weights():
    model = tuned()
    rwkv.divide_adapters(model.get_base_model())
    assert torch.allclose(logits(model), expected(), atol=1e-4)


def test_going_back_and_forth_between_training_and_answering_divides_once():
    model = tuned()
    rwkv.divide_adapters(model.get_base_model())
    logits(model)
    model.train()(input_ids=IDS)
    model.eval()
    assert torch.allclose(logits(model), expected(), atol=1e-4)


def test_an_adapter_that_comes_after_the_base_has_answered_is_divided_too():
    torch.manual_seed(0)
    model = random_model(build_config(TINY), "cpu", torch.float32, 0).eval()
    rwkv.divide_adapters(model)
    logits(model)
    adapted = get_peft_model(
        model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    ).eval()
    assert torch.allclose(logits(adapted), expected(), atol=1e-4)


@pytest.mark.parametrize(("dtype", "every"), [("float32", 0), ("bfloat16", 0), ("float16", 2)])
def test_only_where_numbers_are_short_is_anything_divided(dtype, every):
    model = random_model(build_config(TINY), "cpu", getattr(torch, dtype), 0)
    rwkv.prepare(model)
    assert model.config.rescale_every == every
