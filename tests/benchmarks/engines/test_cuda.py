"""What is asked of a card, on doubles of one: the fork server's promise above all."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest
import torch

from model_registry import cuda

ROOT = Path(__file__).resolve().parents[3]

#: A machine with a card, as far as a library that is imported can see. What it asks of torch about
#: cards is told; two questions of all are answered without CUDA, by torch's own switch.
CARD = """
import logging, os
import torch
from model_registry import cuda

asked = set()
answers = {
    "is_available": True, "device_count": 1, "get_device_capability": (9, 0), "init": None,
    "get_device_properties": None, "current_device": 0, "mem_get_info": (1, 1), "_lazy_init": None,
    "is_bf16_supported": True, "get_device_name": "card", "synchronize": None,
}
for name, answer in answers.items():
    setattr(torch.cuda, name, lambda *_, _name=name, _answer=answer: asked.add(_name) or _answer)
torch.version.cuda = "13.0"
torch._C._cuda_getCurrentRawStream = None  # of CUDA builds
cuda.has_driver = lambda: True
cuda._capabilities = lambda: CAPABILITIES
logging.disable(logging.CRITICAL)
import benchmarks.engines.preload
print("asked", sorted(asked), os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("known", "said"),
    [
        ("[(9, 0)]", "asked ['device_count', 'is_available'] 1"),
        ("[]", "asked ['device_count', 'get_device_capability', 'is_available'] 1"),
    ],
)
def test_nothing_that_the_fork_server_imports_opens_a_card(known, said):
    """bitsandbytes asks for the capability: with CUDA initialised, no worker could be forked."""
    pytest.importorskip("bitsandbytes")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CARD.replace("CAPABILITIES", known)],
        cwd=ROOT, capture_output=True, text=True, timeout=800,
    )  # fmt: skip
    assert said in done.stdout, done.stdout + done.stderr[-1000:]


@pytest.mark.parametrize(("answer", "initialised"), [(3, False), (0, True), (201, True)])
def test_the_driver_itself_says_whether_it_was_initialised(monkeypatch, answer, initialised):
    driver = SimpleNamespace(cuCtxGetCurrent=lambda context: answer)
    monkeypatch.setattr(cuda, "_maps", lambda: ["7f00 r-xp /usr/lib/libcuda.so.580"])
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    assert cuda.is_initialised() is initialised


def test_a_process_that_never_loaded_the_driver_has_not_initialised_it():
    assert not cuda.is_initialised()


def test_the_management_library_knows_each_card_s_capability(monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 2)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda n: n)
    monkeypatch.setattr(
        pynvml, "nvmlDeviceGetCudaComputeCapability", lambda card: [[7, 5], [9, 0]][card]
    )
    assert cuda._capabilities() == [(7, 5), (9, 0)]


def refuse(*_: object) -> None:
    raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)


def test_where_the_management_library_is_silent_things_take_their_course(monkeypatch):
    monkeypatch.setattr(cuda, "has_driver", lambda: True)
    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    before = torch.cuda.get_device_capability
    with cuda.left_uninitialised():
        assert torch.cuda.get_device_capability is before


@pytest.fixture
def card(monkeypatch):
    """A card of 80 GiB that torch tells of."""
    properties = SimpleNamespace(uuid="1-2", total_memory=80 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (7, 8))


def test_free_memory_is_asked_without_a_context_of_one_s_own(card, monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda name: name)
    monkeypatch.setattr(
        pynvml, "nvmlDeviceGetMemoryInfo",
        lambda name: SimpleNamespace(free=5 * 2**30 if name == "GPU-1-2" else 0),
    )  # fmt: skip
    assert cuda.free_and_total() == (5 * 2**30, 80 * 2**30)


def test_torch_is_asked_for_free_memory_where_nobody_else_tells(card, monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    assert cuda.free_and_total() == (7, 80 * 2**30)
    assert cuda.process_bytes() is None


def test_a_limit_is_a_share_of_the_card(card, monkeypatch):
    shares: list[float] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", shares.append)
    cuda.limit_memory(20 * 2**30)
    cuda.limit_memory(160 * 2**30)
    assert shares == [0.25, 1.0]


def test_only_one_module_of_the_product_calls_cuda():
    rooms = ("model_registry", "rows", "diagrams", "evaluators", "benchmarks", "pages", "commands")
    sources = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    calling = {
        path.relative_to(ROOT).as_posix()
        for path in [*sources, ROOT / "ohlora_app.py", ROOT / "ohlora_cli.py"]
        if re.search(r"torch\.cuda\.\w+\(|import pynvml", path.read_text(encoding="utf-8"))
    }
    assert calling == {"model_registry/cuda.py"}
