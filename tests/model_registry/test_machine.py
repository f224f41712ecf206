"""What a result says of its machine: nothing made up where the machine does not tell."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from model_registry import cuda, machine
from model_registry.errors import OhloraError, UnknownName


def test_a_result_carries_processor_cores_memory_and_versions():
    facts = machine.describe("cpu")
    assert facts["device"] == "cpu"
    assert facts["name"]
    assert facts["cores"] == machine.available_cores() >= 1
    assert 0 < facts["available_bytes"] < facts["memory_bytes"]
    assert facts["native_bf16"] is False
    assert {"python", "torch", "transformers", "peft"} <= set(machine.versions())


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(machine, "PACKAGES", ("torch", "no-such-package"))
    assert set(machine.versions()) == {"python", "torch"}


@pytest.mark.parametrize("said", ["", "MemTotal: many kB\n", "MemTotal: 8 kB\n"])
def test_memory_that_the_kernel_does_not_tell_is_unknown(said, monkeypatch):
    monkeypatch.setattr(machine.Path, "read_text", lambda path: said)
    assert machine.memory_bytes() == (None, None)


def test_without_a_driver_no_card_is_looked_for(monkeypatch):
    monkeypatch.setattr(cuda, "has_driver", lambda: False)
    assert machine.pick_device("auto") == "cpu"


def test_a_driver_whose_card_does_not_answer_leaves_the_cpu(monkeypatch):
    monkeypatch.setattr(cuda, "has_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert machine.pick_device("auto") == "cpu"


def test_a_card_that_was_asked_for_is_taken_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert machine.pick_device("cuda") == "cuda"


@pytest.mark.parametrize(
    ("build", "said"), [(None, "built for CPUs only"), ("12.8", "No CUDA card can be used")]
)
def test_a_card_that_is_not_there_is_one_line_with_its_cure(monkeypatch, build, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", build)
    with pytest.raises(OhloraError, match=f"{said}.*--device cpu"):
        machine.pick_device("cuda")


@pytest.mark.parametrize(
    ("device", "wanted", "native", "got"),
    [
        ("cpu", "auto", False, "float32"),
        ("cuda", "auto", True, "bfloat16"),
        ("cuda", "auto", False, "float16"),
        ("cuda", "half", False, "float16"),
        ("cpu", "half", False, "bfloat16"),
        ("cuda", "float32", True, "float32"),
        ("cpu", "bfloat16", False, "bfloat16"),
    ],
)
def test_one_function_decides_the_precision(monkeypatch, device, wanted, native, got):
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: including_emulation or native,
    )
    assert machine.pick_dtype(device, wanted) == got


def test_an_unknown_precision_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean bfloat16"):
        machine.pick_dtype("cpu", "bf16")


@pytest.fixture
def t4(monkeypatch):
    """A Colab card as torch tells of it; its bf16 is emulated."""
    properties = SimpleNamespace(name="Tesla T4", major=7, minor=5)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(cuda, "free_and_total", lambda: (14 * 2**30, 15 * 2**30))
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation
    )
    monkeypatch.setattr(torch.version, "cuda", "12.8")


def test_a_card_is_told_with_its_capability_memory_and_driver(t4, monkeypatch):
    monkeypatch.setattr(cuda, "driver_version", lambda: "550.54.15")
    facts = machine.describe("cuda")
    assert (facts["name"], facts["capability"]) == ("Tesla T4", "7.5")
    assert (facts["available_bytes"], facts["memory_bytes"]) == (14 * 2**30, 15 * 2**30)
    assert (facts["driver"], facts["cuda"]) == ("550.54.15", "12.8")


def test_bf16_that_a_card_emulates_is_not_native(t4):
    assert machine.describe("cuda")["native_bf16"] is False


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5", "550.54.15"),
        ("NVRM version: something else", None),
    ],
)
def test_the_driver_s_version_is_read_from_the_kernel(said, version, monkeypatch):
    monkeypatch.setattr(cuda.Path, "read_text", lambda path: said)
    assert cuda.driver_version() == version
