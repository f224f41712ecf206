"""A setting is written into a case's id and read from it in one place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.results.run import TuningMethod
from benchmarks.results.setting import Setting, case_id


@pytest.mark.parametrize(
    ("settings", "ending", "label"),
    [
        ({}, "", ""),
        ({"rank": 16}, "rank=16", "r16"),
        ({"quantization": "nf4"}, "quantization=nf4", ""),
        ({"rank": 8, "quantization": "int8"}, "quantization=int8/rank=8", "r8"),
        ({"variant": "lr=1e-4", "tuning": "lora", "rank": 8}, "lr=1e-4", "lr=1e-4"),
        ({"variant": "rank=16", "tuning": "full"}, "rank=16", "rank=16"),
        ({"rank": 4, "alpha": 32}, "alpha=32/rank=4", "r4 32"),
    ],
)
def test_a_setting_keeps_its_values_and_has_an_id_and_a_label(
    settings: dict[str, Any], ending: str, label: str
) -> None:
    setting = Setting.of(settings)
    assert setting.to_json() == settings
    assert (setting.id, setting.label) == (ending, label)
    assert Setting.of(setting.to_json()) == setting
    variant = settings.get("variant")
    if variant is None:
        assert Setting.parse(ending) == setting
    else:
        assert Setting.parse(ending, [variant]).work == setting.work


def test_an_id_without_a_setting_ends_with_the_workload() -> None:
    assert case_id("org/model", "inference", Setting()) == "org/model/inference"
    assert case_id("a", "fine-tune", Setting(rank=16)) == "a/fine-tune/rank=16"


def test_cases_that_differ_in_quantisation_only_are_one_work_and_variants_are_not() -> None:
    plain, quantized = Setting(rank=8), Setting(rank=8, quantization="nf4")
    assert plain.work == quantized.work
    before, after = (Setting.of({"variant": name, "rank": 8}) for name in ("before", "after"))
    assert before.work != after.work
    assert before.method == after.method  # what is done, whatever it is called


def test_a_preference_tune_is_told_from_a_fine_tune_of_the_same_rank() -> None:
    labels = [TuningMethod(work, Setting(rank=8)).label for work in ("fine-tune", "preference")]
    assert labels == ["r8", "preference r8"]


NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name == name.strip())


@given(NAMES, st.integers(1, 64), st.sampled_from(["none", "int8", "nf4"]))
def test_a_variant_of_any_name_is_told_again_from_its_id(name, rank, quantization) -> None:
    setting = Setting.of({"variant": name, "rank": rank, "quantization": quantization})
    assert setting.id == name
    assert Setting.parse(setting.id, variants=[name]).variant == name
    assert Setting.of(setting.to_json()) == setting


@given(st.integers(1, 4096), st.sampled_from(["none", "int8", "nf4", "gptq"]))
def test_a_rank_and_a_quantisation_are_told_again_from_their_id(rank, quantization) -> None:
    assert Setting.parse(Setting(rank=rank, quantization=quantization).id) == Setting(
        rank=rank, quantization=quantization
    )
