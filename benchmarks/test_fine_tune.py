"""What a short LoRA tune costs, at each rank, from a fresh base."""

from __future__ import annotations

import pytest

from benchmarks.conftest import clock


@pytest.mark.benchmark(timer=clock, group="fine-tune")
def test_fine_tune(measure, candidate_name, rank):
    measure("fine-tune", candidate_name, rank=rank)
