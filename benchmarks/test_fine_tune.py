"""Benchmark: a short LoRA tune at each rank, from a fresh base."""

from __future__ import annotations

import pytest

from benchmarks.conftest import Measure, clock


@pytest.mark.benchmark(timer=clock, group="fine-tune")
def test_fine_tune(measure: Measure, candidate_name: str, rank: int) -> None:
    measure("fine-tune", candidate_name, rank=rank)
