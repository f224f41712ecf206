"""Seconds and peaks of a phase agree with what somebody else sees."""

from __future__ import annotations

import multiprocessing
import time

import pytest

from benchmarks.run import measure
from benchmarks.run.measure import _SamplingMeter, measured, resident_bytes

MIB = 2**20
HELD = 96 * MIB


def _touch(count: int) -> bytearray:
    """Memory that is really there: each page is written to."""
    held = bytearray(count)
    held[::4096] = b"x" * len(held[::4096])
    return held


def _allocate_and_measure(pipe) -> None:
    """In a process of its own: measure a phase that holds HELD, as long as the other side looks."""
    with measured("cpu") as measurement:
        held = _touch(HELD)
        pipe.send("holding")
        pipe.recv()
        del held
    pipe.send(measurement.peak)


def test_the_peak_agrees_with_an_observer_outside_the_process():
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_allocate_and_measure, args=(theirs,))
    process.start()
    assert ours.recv() == "holding"
    seen = resident_bytes(process.pid)
    ours.send("seen")
    peak = ours.recv()
    process.join()
    assert peak.process_bytes == pytest.approx(seen, abs=4 * MIB)
    assert peak.process_bytes - peak.baseline_bytes == pytest.approx(HELD, abs=4 * MIB)


def test_a_peak_is_seen_although_it_is_gone_when_the_phase_ends():
    with measured("cpu") as measurement:
        held = _touch(HELD)
        del held
    grown = measurement.peak.process_bytes - measurement.peak.baseline_bytes
    assert grown == pytest.approx(HELD, abs=8 * MIB)


def test_the_peak_of_one_phase_does_not_reach_into_the_next():
    with measured("cpu") as first:
        held = _touch(HELD)
        del held
    with measured("cpu") as second:
        pass
    if "VmHWM" not in second.peak.method:
        pytest.skip("this kernel does not let the high-water mark be reset")
    assert first.peak.process_bytes - second.peak.process_bytes > HELD // 2


def test_memory_that_a_phase_leaves_behind_is_the_baseline_of_the_next():
    with measured("cpu") as first:
        held = _touch(HELD)
    with measured("cpu") as second:
        pass
    assert len(held) == HELD
    assert second.peak.baseline_bytes == pytest.approx(first.peak.process_bytes, abs=8 * MIB)


def test_where_the_mark_can_not_be_reset_samples_find_the_peak():
    meter = _SamplingMeter()
    held = _touch(HELD)
    until = time.monotonic() + 60
    while meter.highest < (meter.baseline or 0) + HELD - 8 * MIB and time.monotonic() < until:
        time.sleep(0.01)  # until a sample was taken
    del held
    peak = meter.stop()
    assert peak.process_bytes - peak.baseline_bytes >= HELD - 8 * MIB
    assert "sampled" in peak.method or "ru_maxrss" in peak.method


def test_a_kernel_that_refuses_the_reset_is_measured_by_samples(monkeypatch, tmp_path):
    def refuse(path, *_):
        raise PermissionError(path)

    monkeypatch.setattr(measure.Path, "write_text", refuse)
    with measured("cpu") as measurement:
        pass
    assert "VmHWM" not in measurement.peak.method


def test_seconds_are_those_of_the_block():
    began = time.perf_counter()
    with measured("cpu") as measurement:
        time.sleep(0.05)
    assert 0.05 <= measurement.seconds <= time.perf_counter() - began


def test_a_phase_that_raises_is_measured_all_the_same():
    with pytest.raises(ZeroDivisionError), measured("cpu") as measurement:
        held = _touch(HELD)
        del held
        _ = 1 / 0
    assert measurement.seconds > 0
    assert measurement.peak.process_bytes - measurement.peak.baseline_bytes > HELD // 2


def test_a_card_that_fails_for_good_does_not_hide_what_failed_first(monkeypatch):
    def poisoned(device):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(measure, "wait_for", poisoned)
    with pytest.raises(MemoryError), measured("cpu") as measurement:
        raise MemoryError
    assert measurement.peak is not None


def test_a_process_that_is_gone_holds_no_known_memory():
    assert resident_bytes(2**22 + 1) is None
