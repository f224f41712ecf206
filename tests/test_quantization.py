"""Quantisation is proved by what became of the weights, and refused with a reason elsewhere."""

from __future__ import annotations

import importlib.util

import pytest

from model_registry import quantization
from model_registry.errors import LoadError, OhloraError
from model_registry.quantization import Proof, check_available, quantize, weight_bytes
from model_registry.weights import load
from tests.tiny_models import tiny_candidate


def test_a_missing_package_is_an_unsupported_device_with_its_cure(monkeypatch):
    monkeypatch.setattr(quantization.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LoadError, match="quant") as caught:
        check_available("nf4")
    assert caught.value.status == "unsupported_device"


def test_an_unknown_method_is_told_what_there_is():
    with pytest.raises(OhloraError, match="int8, nf4, gptq"):
        check_available("int3")


def test_weights_that_stayed_as_they_were_are_no_proof():
    same = {"torch.Linear": 3}
    assert not Proof("nf4", same, same, 100, 50, 10).applied
    assert not Proof("nf4", same, {"bitsandbytes.Linear4bit": 3}, 100, 100, 10).applied
    assert Proof("nf4", same, {"bitsandbytes.Linear4bit": 3}, 100, 50, 10).applied


def test_tied_weights_are_weighed_once(tiny_model):
    model = load(tiny_candidate(tiny_model)).model
    parameters = sum(p.numel() * p.element_size() for p in model.parameters())
    assert parameters <= weight_bytes(model) < parameters + 10_000


@pytest.mark.parametrize("method", ["nf4", "int8"])
def test_linear_layers_are_really_packed(method, tiny_model):
    if importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")
    model, proof = quantize(load(tiny_candidate(tiny_model)).model, method)
    assert proof.applied
    assert proof.to_json()["bytes_per_parameter_after"] < 4
    assert type(model.get_output_embeddings()).__name__ == "Linear"
