"""Messages that people really met are told as causes with cures."""

from __future__ import annotations

import pytest

from model_registry import doctor
from model_registry.doctor import check, check_disk, cure_for
from model_registry.messages.diagnoses import DIAGNOSES, diagnose

MESSAGES = {
    "RuntimeError: CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasGemmEx( handle, "
    "opa, opb, m, n, k, &falpha, a, CUDA_R_16BF, lda, b, CUDA_R_16BF, ldb, ...": (
        "dtype-not-supported",
        "float16",
    ),
    "RuntimeError: CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling "
    "`cublasLtMatmul with transpose_mat1 1 ...`": ("cublas-execution-failed", "float32"),
    "RuntimeError: CUDA error: unknown error\nCUDA kernel errors might be asynchronously "
    "reported at some other API call": ("cuda-unknown-error", "ohlora fit"),
    "RuntimeError: Found Quadro M6000 which is too old to be supported by the triton GPU "
    "compiler, which is used as the backend. Triton only supports devices of CUDA Capability "
    ">= 7.0, but your device is of CUDA capability 5.2": ("triton-too-old", "TORCHDYNAMO_DISABLE"),
    "ImportError: This modeling file requires the following packages that were not found in your "
    "environment: flash_attn. Run `pip install flash_attn`": ("flash-attn-missing", "sdpa"),
    "ImportError: FlashAttention2 has been toggled on, but it cannot be used due to the "
    "following error: the package flash_attn seems to be not installed.": (
        "flash-attn-missing",
        "sdpa",
    ),
    "AttributeError: 'generator' object has no attribute 'generate'": (
        "generator-is-no-model",
        "Return the model",
    ),
    "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't "
    "find them in the cached files.": ("hub-offline", "--weights bundled"),
    "huggingface_hub.errors.OfflineModeIsEnabled: Cannot reach https://huggingface.co/api: "
    "offline mode is enabled.": ("hub-offline", "--weights bundled"),
    "GatedRepoError: 401 Client Error. Cannot access gated repo for url ...": ("gated", "terms"),
    "OSError: [Errno 28] No space left on device": ("disk-full", "hf cache rm"),
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 500.00 MiB. GPU 0 has a total "
    "capacity of 11.92 GiB of which 231.62 MiB is free.": ("out-of-memory", "ohlora fit"),
    "RuntimeError: [enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't "
    "allocate memory: you tried to allocate 8388608 bytes.": ("out-of-memory", "ohlora fit"),
    "RuntimeError: CUDA error: no kernel image is available for execution on the device": (
        "no-kernel-image",
        "ohlora doctor",
    ),
    "AssertionError: Torch not compiled with CUDA enabled": ("torch-without-cuda", "--device cpu"),
    "RuntimeError: \"addmm_impl_cpu_\" not implemented for 'Half'": ("half-on-cpu", "float32"),
    "RuntimeError: CUDA error: device-side assert triggered": ("device-assert", "tokenizer"),
    "ValueError: The repository contains custom code which must be executed to correctly load "
    "the model. Please pass the argument `trust_remote_code=True`": ("remote-code", "candidate"),
}


@pytest.mark.parametrize(("message", "expected"), MESSAGES.items())
def test_a_message_people_met_is_told_with_its_cure(message, expected):
    name, cure = expected
    found = diagnose(message)
    assert found[0].name == name
    assert cure in found[0].cure


def test_a_message_nobody_met_has_no_made_up_cause():
    assert diagnose("ValueError: 7 is not 8") == []
    assert cure_for("ValueError: 7 is not 8") is None
    assert cure_for(None) is None


def test_every_cause_and_cure_is_there_in_both_languages():
    for diagnosis in DIAGNOSES.values():
        for korean in (diagnosis.cause_ko, diagnosis.cure_ko):
            assert korean == diagnosis.cure_en or any("가" <= c <= "힣" for c in korean), korean
        assert diagnosis.cause_en


def test_the_language_of_the_user_is_spoken(monkeypatch):
    monkeypatch.setenv("OHLORA_LANG", "ko")
    assert "디스크" in diagnose("No space left on device")[0].cause


CARD = {
    "device": "cuda", "name": "Tesla T4", "capability": "7.5", "driver": "550.54", "cuda": "12.4",
    "memory_bytes": 15 * 2**30, "available_bytes": 14 * 2**30, "native_bf16": False,
}  # fmt: skip


def test_bf16_that_is_emulated_is_not_called_native():
    findings = {f.name: f for f in check(CARD, {}, hub=True)}
    assert findings["bf16"].value == "not native"
    assert "float16" in findings["bf16"].cure
    assert findings["compute capability"].ok


def test_an_old_card_is_told_to_be_old():
    old = {f.name: f for f in check(CARD | {"capability": "5.2"}, {}, hub=True)}
    assert old["compute capability"].ok is False
    assert old["compute capability"].cure


def test_missing_extras_and_a_missing_hub_come_with_their_cure():
    findings = {f.name: f for f in check(CARD | {"device": "cpu"}, {"torch": "2.13"}, hub=False)}
    assert findings["hub"].ok is False
    assert "--weights bundled" in findings["hub"].cure
    assert "quant" in findings["bitsandbytes"].cure
    assert "driver" not in findings


def test_a_machine_that_tells_no_memory_is_unknown_not_zero():
    findings = {f.name: f for f in check(CARD | {"available_bytes": None}, {}, hub=True)}
    assert findings["free memory"].value == "?"


def test_a_full_disk_is_found(monkeypatch, tmp_path):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage(100, 99, 1))
    found = check_disk(tmp_path / "not" / "there")
    assert found.ok is False
    assert "hf cache rm" in found.cure
