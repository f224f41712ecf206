"""What answering costs: 25 prompts one by one, before any tuning."""

from __future__ import annotations

import pytest

from benchmarks.conftest import clock


@pytest.mark.benchmark(timer=clock, group="inference")
def test_inference(measure, candidate_name):
    measure("inference", candidate_name)
