"""Probes of the card: memory as torch, the driver and the kernel count it.

Each function is called in a worker and gives a dict of plain values.
"""

from __future__ import annotations

import importlib.metadata
import time

from benchmarks.run.measure import measured, resident_bytes, wait_for
from model_registry import cuda, machine

#: What the campaign uses where it is installed.
OPTIONAL = ("bitsandbytes", "trl", "datasets", "liger_kernel", "nvidia-ml-py", "triton", "psutil")
_MIB = 2**20


def environment(device: str) -> dict[str, object]:
    """The machine, versions, what is missing, and the precision that every command computes in."""
    found, missing = machine.versions(), []
    for package in OPTIONAL:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    return {
        "machine": machine.describe(device),
        "versions": found,
        "missing": missing,
        "dtypes": {
            wanted: machine.pick_dtype(device, wanted) for wanted in ("auto", "half", "float32")
        },
        "bf16_emulated": device == "cuda" and cuda.emulates_bf16(),
    }


def forked(device: str) -> dict[str, object]:
    """Whether a worker can use its device although it was forked: what it finds, and a product."""
    import torch

    before = {
        "initialised_before": cuda.is_initialised(),
        "open_before": cuda.open_files(),
    }
    begin = time.perf_counter()
    ones = torch.ones(64, 64, device=device)
    value = float((ones @ ones).sum())
    wait_for(device)
    return before | {
        "product_is_right": value == 64.0**3,
        "first_product_seconds": time.perf_counter() - begin,
    }


def accounts(device: str) -> dict[str, object]:
    """Bytes as torch, the driver and the whole card tell them, before, while and after 1 GiB.

    `context_bytes` is what the driver says this process holds beyond what torch reserved.
    """
    import torch

    size = 1024 * _MIB if device == "cuda" else 64 * _MIB
    steps = {"asked only": _account(device)}
    held = torch.ones(size // 4, device=device)
    steps["holding"] = _account(device)
    with measured(device) as measurement:
        more = held + 1
        del more
    del held
    peak = measurement.peak
    return {
        "held_bytes": size,
        "steps": steps | {"freed": _account(device)},
        "peak": None if peak is None else {
            "allocated_bytes": peak.allocated_bytes, "reserved_bytes": peak.reserved_bytes,
            "process_bytes": peak.process_bytes, "baseline_bytes": peak.baseline_bytes,
        },
    }  # fmt: skip


def _account(device: str) -> dict[str, int | None]:
    if device != "cuda":
        return {"process_bytes": resident_bytes()}
    allocated, reserved = cuda.in_use()
    free, total = cuda.free_and_total()
    process = cuda.process_bytes()
    return {
        "allocated_bytes": allocated,
        "reserved_bytes": reserved,
        "process_bytes": process,
        "context_bytes": None if process is None else process - reserved,
        "card_used_bytes": total - free,
    }


def libraries(device: str, dtype: str) -> dict[str, object]:
    """Bytes that the libraries keep in torch's allocator once they have been used: workspaces of
    the forward pass's thread and of the backward pass's."""
    import torch

    kind = getattr(torch, dtype)
    weight = torch.ones(512, 512, device=device, dtype=kind, requires_grad=True)
    bias = torch.ones(512, device=device, dtype=kind)
    values = torch.ones(4, 64, 512, device=device, dtype=kind)
    kept: dict[str, int | None] = {}

    def note(what: str) -> None:
        wait_for(device)
        kept[what] = cuda.in_use()[0] if device == "cuda" else None

    note("before")
    with torch.no_grad():
        torch.nn.functional.linear(values, weight)
        note("product")
        torch.nn.functional.linear(values, weight, bias)
        note("product with bias")
        heads = values.view(4, 64, 8, 64).transpose(1, 2)
        torch.nn.functional.scaled_dot_product_attention(heads, heads, heads)
        note("attention")
    torch.nn.functional.linear(values, weight).float().sum().backward()
    weight.grad = None
    note("backward")
    return {"kept_bytes": kept}
