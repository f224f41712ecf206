"""Every call to CUDA and the NVIDIA driver, in one place.

Nothing else in the product names `torch.cuda`. All functions load torch when called, none when
imported; those that open the card say so.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

_NOT_INITIALISED = 3  # CUDA_ERROR_NOT_INITIALIZED of the driver


def has_driver() -> bool:
    """Whether the kernel has an NVIDIA driver, asked without loading torch or CUDA."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def driver_version() -> str | None:
    """The driver's version, from the kernel."""
    try:
        words = Path("/proc/driver/nvidia/version").read_text().split()
    except OSError:
        return None
    return next((word for word in words if word[:1].isdigit() and "." in word), None)


def is_usable() -> bool:
    """Whether torch can work on a card here. Initialises the driver in this process."""
    import torch

    return torch.cuda.is_available()


def build() -> str | None:
    """The CUDA version that torch is built for; None for a build that knows CPUs only."""
    import torch

    return torch.version.cuda


def is_initialised() -> bool:
    """Whether this process can no longer be forked into one that uses CUDA.

    The driver's own answer counts, where its library is loaded: torch asks it how many cards there
    are without calling itself initialised.
    """
    import torch

    return torch.cuda.is_initialized() or _driver_is_initialised()


def _driver_is_initialised() -> bool:
    if not any("libcuda.so" in line for line in _maps()):
        return False
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        context = ctypes.c_void_p()
        return int(driver.cuCtxGetCurrent(ctypes.byref(context))) != _NOT_INITIALISED
    except (OSError, AttributeError):  # it can't be asked: better to think the worst
        return True


def _maps() -> list[str]:
    try:
        return Path("/proc/self/maps").read_text().split("\n")
    except OSError:
        return []


@contextmanager
def left_uninitialised() -> Iterator[None]:
    """Let libraries be imported that ask which cards there are, and open none.

    bitsandbytes asks torch for their capability when it is imported, which initialises CUDA: no
    process forked afterwards could use it. The driver's management library knows it too. Where
    that can't be asked, things take their course: `is_initialised` tells.
    """
    import torch

    # torch's own switch for processes that are to be forked: it counts cards without CUDA.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    found = _capabilities() if has_driver() else []
    if not found:
        yield
        return

    def capability(device: object = None) -> tuple[int, int]:
        index = getattr(device, "idx", device)
        return found[index if isinstance(index, int) and 0 <= index < len(found) else 0]

    with patch.object(torch.cuda, "get_device_capability", capability):
        yield


def _capabilities() -> list[tuple[int, int]]:
    """(major, minor) of each card, asked of the management library; empty where it is silent."""
    import pynvml

    try:
        pynvml.nvmlInit()
        cards = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
        return [tuple(pynvml.nvmlDeviceGetCudaComputeCapability(card)) for card in cards]
    except pynvml.NVMLError:
        return []


def open_files() -> list[str]:
    """The NVIDIA devices that this process holds open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("/dev/nvidia"):
            found.append(target)
    return sorted(found)


def has_native_bf16() -> bool:
    """Whether the card computes in bf16 itself. Without the argument a T4 answers True: it
    emulates."""
    import torch

    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def describe() -> dict[str, object]:
    """The card as every result carries it."""
    import torch

    properties = torch.cuda.get_device_properties(0)
    free, total = free_and_total()
    return {
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "memory_bytes": total,
        "available_bytes": free,
        "native_bf16": has_native_bf16(),
        "driver": driver_version(),
        "cuda": torch.version.cuda,
    }


def limit_memory(count: int) -> None:
    """Let this process's allocator reserve at most so many bytes."""
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, count / total))


def make_room(count: int, device: str) -> None:
    """Have the allocator take one piece for all weights, so that it cuts them from that.

    Asked for one by one, each of more than a mebibyte may leave up to another unused behind it:
    21 MiB of 885 in a model of 0.46 B parameters, measured.
    """
    if device == "cuda":
        import torch

        torch.empty(count, dtype=torch.uint8, device=device)


def synchronise() -> None:
    """Wait until the card has done what it was given."""
    import torch

    torch.cuda.synchronize()


def reset_peaks() -> int:
    """Give back what the allocator keeps and start its peaks anew; the bytes that are in use."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def peaks() -> tuple[int, int]:
    """(allocated, reserved) bytes at their highest since `reset_peaks`."""
    import torch

    return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()


def process_bytes() -> int | None:
    """What the driver says this process holds, context included; None where it won't say."""
    import pynvml

    with suppress(pynvml.NVMLError):
        for process in pynvml.nvmlDeviceGetComputeRunningProcesses(_card()):
            if process.pid == os.getpid():
                held: int | None = process.usedGpuMemory
                return held
    return None


def _card() -> Any:
    """The management library's name for the card that torch calls the first.

    Raises:
        pynvml.NVMLError: it can't be asked here.
    """
    import pynvml
    import torch

    pynvml.nvmlInit()
    return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(0).uuid}")


def emulates_bf16() -> bool:
    """Whether torch calls bf16 supported on a card that has none of its own."""
    import torch

    return torch.cuda.is_bf16_supported() and not has_native_bf16()


def in_use() -> tuple[int, int]:
    """(allocated, reserved) bytes of this process's allocator now."""
    import torch

    return torch.cuda.memory_allocated(), torch.cuda.memory_reserved()


def free_and_total() -> tuple[int, int]:
    """(free, total) bytes of the card, whoever uses the rest.

    The management library is asked first: torch would open a context to answer, and whoever only
    wants to know would hold half a gigabyte of the card from then on.
    """
    import pynvml
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    try:
        return int(pynvml.nvmlDeviceGetMemoryInfo(_card()).free), total
    except pynvml.NVMLError:
        return torch.cuda.mem_get_info(0)[0], total


def take_peak() -> int:
    """The allocator's peak since this was last called, which starts the next one."""
    import torch

    peak = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return peak
