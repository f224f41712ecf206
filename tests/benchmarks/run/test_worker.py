"""A worker tells what it does while it does it, and what an exception means for its case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch import OutOfMemoryError

from benchmarks.run.case import Case, Limits
from benchmarks.run.worker import (
    CaseLog,
    is_out_of_memory,
    run_case,
    status_of,
)
from benchmarks.study.contract import Contract
from benchmarks.workloads.optimisation import NanLoss
from benchmarks.workloads.workload import WORKLOADS, oom_status
from model_registry.candidate import Candidate
from model_registry.errors import BadTrainingRow, LoadError, first_line
from model_registry.records import Loss
from model_registry.statuses import STATUSES
from tests.support.tiny_models import FREE

pytestmark = pytest.mark.usefixtures("frozen_libraries")


@pytest.fixture
def told() -> list[tuple]:
    return []


@pytest.fixture
def log(told) -> CaseLog:
    return CaseLog(told.append, "cpu")


def test_a_worker_tells_phases_progress_losses_and_replies_as_they_come(small_case, told, log):
    result = run_case(small_case("fine-tune", {"rank": 2}), log)
    assert result.status == "ok"
    stages = [event[1] for event in told if event[0] == "stage"]
    assert stages == list(result.seconds) == list(result.peaks)
    assert stages[0] == "load" and "training" in stages
    kinds = {event[0] for event in told}
    assert kinds == {"stage", "phase", "progress", "loss", "reply"}
    steps = [event for event in told if event[0] == "progress"]
    assert ("progress", 1, 1) in steps


def test_a_result_carries_what_makes_its_figures_comparable(small_case, log):
    case = small_case("fine-tune", {"rank": 2})
    result = run_case(case, log)
    assert result.contract == case.contract.hash
    assert result.settings == {"rank": 2}
    assert result.weights == "path"
    assert result.machine["device"] == "cpu"
    assert {"python", "torch", "transformers", "peft"} <= set(result.versions)
    assert result.started_at


def test_a_failed_case_keeps_the_phases_that_went_well(small_case, told, log, monkeypatch):
    def fail(case, loaded, log):
        with log.phase("warm_up"):
            pass
        with log.phase("inference"):
            raise RuntimeError("[enforce fail] can't allocate memory: you tried 9 bytes\nand more")

    monkeypatch.setitem(WORKLOADS, "inference", replace(WORKLOADS["inference"], work=fail))
    result = run_case(small_case(), log)
    assert (result.status, result.stage) == ("oom_inference", "inference")
    assert result.message.startswith("RuntimeError: [enforce fail] can't allocate memory")
    assert "\n" not in result.message
    assert set(result.seconds) == {"load", "warm_up"}
    assert ("failed", "inference") in told


def test_a_candidate_that_can_not_be_loaded_has_the_status_of_its_error(log):
    needs = Candidate("moe", FREE, hub_id="a/moe", traits=("remote-code",))
    result = run_case(Case(needs, "inference", Contract(weights="hub")), log)
    assert (result.status, result.stage) == ("needs_remote_code", "load")


@pytest.mark.parametrize(
    ("error", "stage", "workload", "status"),
    [
        (LoadError("gated", "x", "x"), "load", "inference", "gated"),
        (NanLoss("x", "x"), "training", "fine-tune", "nan_loss"),
        (MemoryError(), "load", "fine-tune", "oom_load"),
        (MemoryError(), "start", "fine-tune", "oom_load"),
        (OutOfMemoryError("CUDA"), "training", "fine-tune", "oom_training"),
        (OutOfMemoryError("CUDA"), "warm_up", "fine-tune", "oom_training"),
        (OutOfMemoryError("CUDA"), "warm_up", "inference", "oom_inference"),
        (OutOfMemoryError("CUDA"), "replies", "fine-tune", "oom_inference"),
        (RuntimeError("CUDA error: out of memory"), "inference", "inference", "oom_inference"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"),
            "training", "fine-tune", "oom_training",
        ),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling cublasCreate"),
            "warm_up", "inference", "oom_inference",
        ),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "training", "fine-tune",
         "oom_training"),
        (
            RuntimeError("CUBLAS_STATUS_NOT_SUPPORTED when calling cublasGemmEx"),
            "inference", "inference", "unsupported_device",
        ),
        (
            RuntimeError('"addmm_impl_cpu_" not implemented for \'Half\''),
            "inference", "inference", "unsupported_device",
        ),
        (BadTrainingRow("row 3", "3행"), "start", "fine-tune", "error"),
        (KeyError("x"), "training", "fine-tune", "error"),
    ],
)  # fmt: skip
def test_what_was_raised_and_where_is_one_status(error, stage, workload, status):
    assert status_of(error, stage, workload) == status
    assert status in STATUSES


def test_validation_and_replies_of_a_tune_run_out_of_memory_by_their_own_names():
    assert oom_status("validation_before", "fine-tune") == "oom_training"
    assert oom_status("replies", "fine-tune") == "oom_inference"


def test_an_ordinary_error_is_no_want_of_memory():
    assert not is_out_of_memory(ValueError("memory_limit must be a number"))


def test_an_error_is_told_by_its_class_and_first_line():
    assert first_line(ValueError("\n\n first \nsecond")) == "ValueError: first"
    assert first_line(KeyError()) == "KeyError"


def test_a_phase_that_fails_is_told_before_the_worker_can_die(told, log):
    with pytest.raises(ValueError, match="x"), log.phase("load"):
        raise ValueError("x")
    assert told == [("stage", "load"), ("failed", "load")]


def test_every_workload_has_a_status_for_running_out_of_memory():
    for workload in WORKLOADS:
        assert oom_status("warm_up", workload) in STATUSES


def test_a_case_is_named_by_candidate_workload_and_settings(small_case):
    case = replace(small_case("fine-tune", {"rank": 2}), limits=Limits(1, 1.0))
    assert case.id == "tiny/fine-tune/rank=2"
    assert Loss(case.id, 1, 0.5).key == (case.id, "train", 1)
