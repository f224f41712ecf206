"""Measures one phase: seconds and peak bytes, on CPU and CUDA.

A peak is a peak: on CUDA the allocator's own maximum since a reset, on the CPU the kernel's
high-water mark of this process since a reset. "Allocated after the run" is never reported.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_registry import cuda
from model_registry.records import Peak

_SAMPLE_SECONDS = 0.01


@dataclass(slots=True)
class Measurement:
    """What one phase took; filled in when the phase ends, also when it ends by an exception."""

    seconds: float = 0.0
    peak: Peak | None = None


@contextmanager
def measured(device: str) -> Iterator[Measurement]:
    """Time a phase and find its peak, waiting for the device at both ends.

    Args:
        device: "cpu" or "cuda".
    """
    measurement = Measurement()
    meter = _CudaMeter() if device == "cuda" else _cpu_meter()
    begin = time.perf_counter()
    try:
        yield measurement
        # Not after a failure: a card that ran out of memory may answer with that for ever, and
        # the first error is the one to tell.
        wait_for(device)
    finally:
        measurement.seconds = time.perf_counter() - begin
        measurement.peak = meter.stop()


def wait_for(device: str) -> None:
    """Synchronise: wait until the device has finished its queued work."""
    if device == "cuda":
        cuda.synchronise()


def resident_bytes(pid: int | str = "self") -> int | None:
    """Resident memory of a process; None once it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def high_water_mark(pid: int | str = "self") -> int | None:
    """The kernel's mark of the most memory that was resident; None once the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    marks = (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return next(marks, None)


def _return_freed_pages() -> None:
    """Give memory that Python and the allocator keep back to the kernel.

    Without it a warm process hides what the next phase needs: it grows into pages it kept.
    """
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # another C library: the baseline still tells what was kept
        return


def _cpu_meter() -> _KernelMeter | _SamplingMeter:
    """The kernel's high-water mark where it may be reset, else samples."""
    _return_freed_pages()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, takes about 30 µs
    except OSError:
        return _SamplingMeter()
    return _KernelMeter()


class _KernelMeter:
    def __init__(self) -> None:
        self.baseline = resident_bytes()

    def stop(self) -> Peak:
        return Peak(None, None, high_water_mark(), self.baseline, "VmHWM, reset before the phase")


class _SamplingMeter:
    """For kernels that do not let the mark be reset: samples, and the all-time mark if it rose."""

    def __init__(self) -> None:
        self.baseline = resident_bytes()
        self.highest = self.baseline or 0
        self.mark = _all_time_mark()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)
        self.thread.start()

    def _sample(self) -> None:
        while not self.done.wait(_SAMPLE_SECONDS):
            self.highest = max(self.highest, resident_bytes() or 0)

    def stop(self) -> Peak:
        self.done.set()
        self.thread.join()
        self.highest = max(self.highest, resident_bytes() or 0)
        mark = _all_time_mark()
        if mark > self.mark:  # the process never held as much before: the kernel's figure is exact
            return Peak(None, None, mark, self.baseline, "ru_maxrss, which rose in the phase")
        return Peak(None, None, self.highest, self.baseline, "sampled every 10 ms")


def _all_time_mark() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _CudaMeter:
    def __init__(self) -> None:
        self.baseline = cuda.reset_peaks()

    def stop(self) -> Peak:
        allocated, reserved = cuda.peaks()
        return Peak(
            allocated_bytes=allocated,
            reserved_bytes=reserved,
            process_bytes=cuda.process_bytes(),
            baseline_bytes=self.baseline,
            method="torch.cuda peaks, reset before the phase",
        )
