"""What this machine is: part of every result, because figures of two machines don't compare."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

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


def has_nvidia_driver() -> bool:
    """Whether the kernel has an NVIDIA driver, asked without loading torch or CUDA."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def pick_device(wanted: str = "auto") -> str:
    """ "cpu" or "cuda". Loads torch, and initialises CUDA where there is a driver."""
    if wanted != "auto":
        return wanted
    if not has_nvidia_driver():
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def describe(device: str) -> dict[str, Any]:
    """This machine as every result carries it. `device` is "cpu" or "cuda"."""
    total, available = memory_bytes()
    facts: dict[str, Any] = {
        "device": device,
        "name": cpu_name(),
        "cores": available_cores(),
        "memory_bytes": total,
        "available_bytes": available,
        "native_bf16": False,
    }
    if device == "cuda":
        facts |= _describe_cuda()
    return facts


def _describe_cuda() -> dict[str, Any]:
    import torch

    properties = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info(0)
    return {
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "memory_bytes": total,
        "available_bytes": free,
        # Without the argument a T4 answers True: it emulates bf16, slowly.
        "native_bf16": torch.cuda.is_bf16_supported(including_emulation=False),
        "driver": _driver_version(),
        "cuda": torch.version.cuda,
    }


def _driver_version() -> str | None:
    try:
        words = Path("/proc/driver/nvidia/version").read_text().split()
    except OSError:
        return None
    return next((word for word in words if word[:1].isdigit() and "." in word), None)
