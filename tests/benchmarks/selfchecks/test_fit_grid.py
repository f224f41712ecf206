"""The grid that predictions are judged on covers what it says, and judges on what was left out."""

from __future__ import annotations

import pytest

from benchmarks.run.case import Case
from benchmarks.selfchecks import fit_accuracy
from benchmarks.selfchecks.fit_accuracy import Pair, errors
from benchmarks.selfchecks.fit_grid import (
    ARCHITECTURES,
    BATCHES,
    CLEAN_RAW,
    CLEAN_WAYS,
    LENGTHS,
    RANKS,
    WAYS,
    Cell,
    case_of,
    cells,
    clean_cells,
    measured,
)
from model_registry.memory.fit import Correction, Estimate, Work


def test_every_way_meets_every_architecture_length_batch_and_rank():
    found = cells()
    assert len({cell.name for cell in found}) == len(found) >= 110
    assert len(ARCHITECTURES) >= 14
    for way in set(WAYS):
        ours = [cell for cell in found if cell.way == way]
        assert {cell.architecture for cell in ours} == set(ARCHITECTURES)
        assert {cell.length for cell in ours} == set(LENGTHS)
        assert {cell.rank for cell in ours} == set(RANKS)
    assert {(c.length, c.batch) for c in found} >= {(n, b) for n in LENGTHS[:3] for b in BATCHES}


def test_a_grid_that_was_stopped_has_some_of_everything():
    first = cells()[: len(cells()) // 3]
    assert {cell.way for cell in first} == set(WAYS)
    assert {cell.architecture for cell in first} == set(ARCHITECTURES)


def test_what_is_measured_is_of_the_grid():
    assert set(measured()) <= {cell.name for cell in cells()}


def test_the_clean_cells_are_of_architectures_that_nothing_is_fitted_on():
    found = clean_cells()
    assert {cell.architecture for cell in found}.isdisjoint(ARCHITECTURES)
    assert {cell.way for cell in found} == {*CLEAN_WAYS, "inference"}
    assert {cell.length for cell in found} == set(LENGTHS)
    assert set(measured(CLEAN_RAW)) == {cell.name for cell in found}  # whatever came out


@pytest.mark.parametrize("way", sorted(set(WAYS)))
def test_a_cell_is_the_product_s_own_case(way):
    cell = next(cell for cell in cells() if cell.way == way)
    case = case_of(cell)
    assert isinstance(case, Case)
    assert case.contract.max_length == cell.length
    assert case.contract.gradient_checkpointing == (way == "checkpointing")
    assert case.settings.get("quantization") == ("nf4" if way == "nf4" else None)


def test_an_architecture_is_judged_by_what_was_fitted_on_the_others(monkeypatch):
    """All take 10 more than predicted but one, which takes 20: nothing tells that of it."""

    def pair(architecture: str, more: int) -> Pair:
        plain = Estimate({"weights": 90}, 0, "load", "load")
        return Pair(Cell(architecture, "lora", 128, 1, 16), "load", Work(), plain, 90 + more)

    def predicted(values: object, work: Work, correction: Correction) -> Estimate:
        return Estimate({"weights": 90, "machine": correction.overhead_bytes}, 0, "load")

    monkeypatch.setattr(fit_accuracy, "predict", predicted)
    pairs = [*(pair("llama", 10) for _ in range(5)), *(pair("opt", 20) for _ in range(5))]
    found = errors(pairs, lambda each: each.cell.architecture)
    assert found[:5] == pytest.approx([10.0] * 5)  # by opt's
    assert found[5:] == pytest.approx([-100 / 11] * 5)  # by llama's


def test_with_both_left_out_nothing_of_either_is_fitted_on(monkeypatch):
    """What shares an architecture or a length with the judged pair takes 50 more, the rest 10."""

    def pair(architecture: str, length: int, more: int) -> Pair:
        plain = Estimate({"weights": 90}, 0, "load", "load")
        return Pair(Cell(architecture, "lora", length, 1, 16), "load", Work(), plain, 90 + more)

    monkeypatch.setattr(
        fit_accuracy,
        "predict",
        lambda values, work, correction: Estimate(
            {"weights": 90, "machine": correction.overhead_bytes}, 0, "load"
        ),
    )
    near = [pair("llama", 256, 50), pair("llama", 512, 50), pair("opt", 128, 50)] * 3
    pairs = [pair("llama", 128, 10), *near, *(pair("opt", 256, 10) for _ in range(4))]
    levels = (lambda p: p.cell.architecture, lambda p: p.cell.length)
    assert errors(pairs, *levels)[0] == pytest.approx(0)
    assert errors(pairs, levels[1])[0] > 0
