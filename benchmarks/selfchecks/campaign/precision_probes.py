"""Probes of what a card computes in, and of what is left of a process that ran out of memory.

Each function is called in a worker and gives a dict of plain values.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.run.measure import wait_for
from benchmarks.run.worker import is_out_of_memory
from model_registry import cuda
from model_registry.errors import first_line

_DTYPES = ("float32", "float16", "bfloat16")
_MIB = 2**20


def products(device: str) -> dict[str, object]:
    """Operations a second of a matrix product in each precision, and what is said of bf16.

    A card without bf16 of its own emulates it: torch calls it supported, and it is slower than
    float16, which has the same size.
    """
    import torch

    size = 4096 if device == "cuda" else 256
    speeds: dict[str, float] = {}
    for name in _DTYPES:
        ones = torch.ones(size, size, device=device, dtype=getattr(torch, name))
        speeds[name] = 2 * size**3 / _seconds(partial(torch.matmul, ones, ones), device)
    on_card = device == "cuda"
    return {
        "operations_per_second": speeds,
        "bf16_share_of_float16": speeds["bfloat16"] / speeds["float16"],
        "native_bf16": cuda.has_native_bf16() if on_card else None,
        "emulated_bf16": cuda.emulates_bf16() if on_card else None,
    }


def _seconds(call: Callable[[], object], device: str, rounds: int = 7) -> float:
    """The median of a few calls, after one that is not counted."""
    taken = []
    for _ in range(rounds + 1):
        wait_for(device)
        begin = time.perf_counter()
        call()
        wait_for(device)
        taken.append(time.perf_counter() - begin)
    return median(taken[1:])


def out_of_memory(device: str) -> dict[str, object]:
    """What out of memory says, whether the product knows it as that, and what works after it.

    First more is asked for than there is, which torch's allocator refuses; then, on a card, a
    product is made where its library finds no room, which may leave the context unusable.
    """
    import torch

    too_much = 2**50
    found = {"too much asked for": _after(lambda: torch.empty(too_much, device=device), device)}
    if device == "cuda":
        held = _fill()
        found["no room for a library"] = _after(lambda: _product(device), device, held.clear)
    return {"cases": found}


def _after(
    fails: Callable[[], object], device: str, free: Callable[[], None] = lambda: None
) -> dict[str, object]:
    said, recognised = None, None
    try:
        fails()
    except (RuntimeError, MemoryError) as error:
        said, recognised = first_line(error, None), is_out_of_memory(error)
    free()
    try:
        works = _product(device)
    except RuntimeError:
        works = False
    return {"said": said, "recognised": recognised, "works_after": works}


def _product(device: str) -> bool:
    """Whether a small product is right."""
    import torch

    ones = torch.ones(64, 64, device=device)
    return float((ones @ ones).sum()) == 64.0**3


def _fill() -> list[object]:
    """All of a card's memory, in ever smaller pieces."""
    import torch

    held: list[object] = []
    size = 1024 * _MIB
    while size >= _MIB:
        try:
            held.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            size //= 2
    return held
