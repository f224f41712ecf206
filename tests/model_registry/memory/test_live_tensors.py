"""Attention without data is counted as torch does it with data: which calls keep scores."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend

from model_registry.memory import live_tensors

ROWS, HEADS, LENGTH, WIDTH = 2, 6, 96, 16
CALLS = {
    "as many heads of keys": {},
    "one head of keys": {"heads": 1},
    "one head of keys, grouped": {"heads": 1, "grouped": True},
    "two heads of keys, grouped": {"heads": 2, "grouped": True},
    "one head of keys, expanded": {"heads": 1, "expanded": True},
    "a mask": {"mask": True},
    "a mask that learns": {"mask": True, "learns": True},
    "a mask and one head of keys": {"heads": 1, "mask": True},
    "dropout": {"dropout": 0.1},
    "narrower values": {"width": 8},
    "one row of keys": {"rows": 1},
    "heads that are no row of memory": {"turned": True},
}


def call(
    heads: int = HEADS, rows: int = ROWS, width: int = WIDTH, expanded: bool = False,
    turned: bool = False, mask: bool = False, learns: bool = False, grouped: bool = False,
    dropout: float = 0.0,
) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor | None], float, bool]:  # fmt: skip
    """Query, key, value and mask, dropout, and whether heads are grouped."""
    query = torch.randn(ROWS, HEADS, LENGTH, WIDTH, requires_grad=True)
    key = torch.randn(rows, heads, LENGTH, WIDTH, requires_grad=True)
    value = torch.randn(rows, heads, LENGTH, width, requires_grad=True)
    added = torch.zeros(ROWS, 1, LENGTH, LENGTH, requires_grad=learns) if mask else None
    if expanded:
        key, value = (t.expand(-1, HEADS, -1, -1) for t in (key, value))
    if turned:
        key = torch.randn(rows, heads, WIDTH, LENGTH, requires_grad=True).transpose(2, 3)
    return (query, key, value, added), dropout, grouped


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_fused_where_torch_has_a_kernel_for_it(name):
    tensors, dropout, grouped = call(**CALLS[name])
    chosen = torch._fused_sdp_choice(*tensors, dropout, False, enable_gqa=grouped)
    fused = chosen != SDPBackend.MATH.value
    assert live_tensors.has_fused_kernel(*tensors, dropout, grouped) == fused


def kept(name: str) -> int:
    """Bytes that a call holds for its backward pass, beside what it was given."""
    tensors, dropout, grouped = call(**CALLS[name])
    tracker = live_tensors.Tracker()
    with tracker:
        for tensor in tensors:
            if tensor is not None:
                tracker.see(tensor)
        before = tracker.live
        out = torch.nn.functional.scaled_dot_product_attention(
            *tensors, dropout_p=dropout, is_causal=tensors[3] is None, enable_gqa=grouped
        )
        more = tracker.live - before
    assert out.requires_grad
    return more


@pytest.mark.parametrize("name", CALLS)
def test_a_trace_keeps_the_bytes_that_autograd_really_keeps(name):
    """Of both kinds of call; the plain ones keep their scores, length² of them a head."""
    really = kept(name)
    with FakeTensorMode(), live_tensors._fused_attention():
        traced = kept(name)
    assert traced == really
    tensors, dropout, grouped = call(**CALLS[name])
    keeps_scores = traced > ROWS * HEADS * LENGTH**2 * 4
    assert keeps_scores != live_tensors.has_fused_kernel(*tensors, dropout, grouped)
