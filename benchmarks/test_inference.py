"""Benchmark: inference on 25 prompts one by one, before any tuning."""

from __future__ import annotations

import pytest

from benchmarks.conftest import Measure, clock


@pytest.mark.benchmark(timer=clock, group="inference")
def test_inference(measure: Measure, candidate_name: str) -> None:
    measure("inference", candidate_name)
