"""Describes this machine: device, memory, versions; part of every result."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from model_registry import cuda
from model_registry.errors import OhloraError, UnknownName
from model_registry.files.json_values import JsonDict

DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("float32", "bfloat16", "float16")
PACKAGES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "gptqmodel", "trl")


def cpu_name() -> str:
    """The processor's name as the kernel gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def available_cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> tuple[int | None, int | None]:
    """(total, available) memory of the machine."""
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        kilobytes = [int(fields[name].split()[0]) for name in ("MemTotal", "MemAvailable")]
        return kilobytes[0] * 1024, kilobytes[1] * 1024
    except (OSError, KeyError, ValueError):
        return None, None


def versions() -> dict[str, str]:
    """Installed versions of the packages that figures depend on, and Python's."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def pick_device(wanted: str = "auto") -> str:
    """ "cpu" or "cuda". Loads torch, and initialises CUDA where there is a driver.

    Raises:
        UnknownName: no device is called so.
        OhloraError: a card was asked for, and none can be used here.
    """
    if wanted not in DEVICES:
        raise UnknownName("device", wanted, DEVICES)
    if wanted == "cuda":
        _need_cuda()
    if wanted != "auto":
        return wanted
    return "cuda" if cuda.has_driver() and cuda.is_usable() else "cpu"


def _need_cuda() -> None:
    if cuda.is_usable():
        return
    if cuda.build() is None:
        import torch

        raise OhloraError(
            f"This torch ({torch.__version__}) is built for CPUs only. Install a CUDA build "
            "(https://pytorch.org/get-started/locally), or use --device cpu.",
            f"설치된 torch({torch.__version__})는 CPU 전용입니다. CUDA용 torch를 설치하거나"
            "(https://pytorch.org/get-started/locally) --device cpu를 쓰세요.",
        )
    raise OhloraError(
        "No CUDA card can be used here: `nvidia-smi` says whether there is one. Or use "
        "--device cpu.",
        "사용할 수 있는 CUDA 카드가 없습니다: `nvidia-smi`로 확인하거나 --device cpu를 쓰세요.",
    )


def pick_dtype(device: str, wanted: str = "auto") -> str:
    """The precision that every command computes in: one of DTYPES.

    "auto" is fp32 on a CPU and half precision on a card; "half" is half precision.

    Raises:
        OhloraError: nothing is called so.
    """
    if wanted == "half" or (wanted == "auto" and device == "cuda"):
        return half_precision(device)
    if wanted == "auto":
        return "float32"
    if wanted not in DTYPES:
        raise UnknownName("dtype", wanted, ("auto", *DTYPES))
    return wanted


def half_precision(device: str, *, native_bf16: bool | None = None) -> str:
    """What "half" means on a device: float16 on a card that only emulates bf16, and slowly.

    `native_bf16` is asked of the card where it is None.
    """
    if device != "cuda":
        return "bfloat16"
    if native_bf16 is None:
        native_bf16 = cuda.has_native_bf16()
    return "bfloat16" if native_bf16 else "float16"


def describe(device: str) -> JsonDict:
    """This machine as every result carries it. `device` is "cpu" or "cuda"."""
    total, available = memory_bytes()
    facts: JsonDict = {
        "device": device,
        "name": cpu_name(),
        "cores": available_cores(),
        "memory_bytes": total,
        "available_bytes": available,
        "native_bf16": False,
    }
    if device == "cuda":
        facts |= cuda.describe()
    return facts
