"""Watches one worker from outside: takes its events, enforces its limits, reports how it ended."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.engines.engine import CaseOutcome, Event, Listener
from benchmarks.engines.fork_server import Worker
from benchmarks.run.case import Case
from benchmarks.run.measure import high_water_mark, resident_bytes
from benchmarks.workloads.workload import oom_status
from model_registry.records import Loss, Peak, Reply, Result, TaskSample

_TICK_SECONDS = 0.01

#: A worker that was started fresh, or one that the fork server made.
Process = BaseProcess | Worker


class WorkerWatch:
    """Follows one worker: takes what it sends, holds it to its limits, says how it ended."""

    def __init__(self, case: Case, process: Process, pipe: Connection, listen: Listener) -> None:
        self.case, self.process, self.pipe, self.listen = case, process, pipe, listen
        self.stage = "start"
        self.seconds: dict[str, float] = {}
        self.peaks: dict[str, Peak] = {}
        self.replies: list[Reply] = []
        self.losses: list[Loss] = []
        self.samples: list[TaskSample] = []
        self.result: Result | None = None
        self.baseline: int | None = None
        self.highest = 0
        self.first_mark = 0  # the kernel's, of the worker's start
        self.stage_over: str | None = None  # the phase whose own peak was over the limit
        self.hello_at: float | None = None
        self.began = time.perf_counter()
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.kernel_kills = _oom_kills()

    def follow(self) -> CaseOutcome:
        """Follow the worker until it reports its result, dies, or is killed for its limits."""
        verdict: tuple[str, str] | None = None
        while self.result is None and verdict is None:
            ready = wait([self.pipe, self.process.sentinel], timeout=_TICK_SECONDS)
            told = self.pipe in ready and self._drain()
            # Asked after every message too: a worker that tells much must not outrun its limits.
            verdict = self._over_limit()
            if self.process.sentinel in ready and not told:
                break
        if verdict is not None:
            self.process.kill()
        else:
            self._drain()
        if self.result is None or verdict is not None:
            self.result = self._result_of_the_dead(verdict)
        return CaseOutcome(self.result, self.replies, self.losses, samples=self.samples)

    def _drain(self) -> bool:
        """Take all messages that are there; False where the pipe is closed or silent."""
        took = False
        try:
            while self.pipe.poll():
                self._take(self.pipe.recv())
                took = True
        except (EOFError, OSError):  # closed, or closed in the middle of a message
            return False
        return took

    def _take(self, event: Event) -> None:
        match event:
            case ("hello", _, baseline):
                self.baseline, self.hello_at = baseline, time.perf_counter()
                self.first_mark = high_water_mark(self.process.pid or "self") or 0
            case ("stage" | "failed", name):
                self.stage = name
            case ("phase", name, seconds, peak):
                self.seconds[name], self.peaks[name] = seconds, peak
                self._note_peak(name, peak)
            case ("reply", reply):
                self.replies.append(reply)
            case ("loss", loss):
                self.losses.append(loss)
            case ("sample", sample):
                self.samples.append(sample)
            case ("done", result):
                self.result = result
        self.listen(event)

    def _note_peak(self, phase: str, peak: Peak) -> None:
        """The kernel's mark tells of a peak that came and went between two looks."""
        if peak.process_bytes is None or self.baseline is None or self._on_cuda:
            return
        self.highest = max(self.highest, peak.process_bytes - self.baseline)
        limit = self.case.limits.memory_bytes
        if limit is not None and self.highest > limit and self.stage_over is None:
            self.stage_over = phase

    @property
    def _on_cuda(self) -> bool:
        return self.case.contract.device == "cuda"

    def _over_limit(self) -> tuple[str, str] | None:
        """(status, message) if the worker uses, or used, more than it may."""
        limits = self.case.limits
        elapsed = time.perf_counter() - self.began
        late = limits.seconds is not None and elapsed > limits.seconds
        if late and self.result is None:
            return "timeout", f"stopped after {elapsed:.1f} s, the limit is {limits.seconds:g} s"
        if self.process.pid is None or self.baseline is None:
            return None
        self.highest = max(self.highest, self._held() - self.baseline)
        # On CUDA the allocator itself holds the limit: host memory is not what it speaks of.
        if self._on_cuda or limits.memory_bytes is None or self.highest <= limits.memory_bytes:
            return None
        self.stage = self.stage_over or self.stage
        return self._oom(
            f"held {_mib(self.highest)} MiB, the limit is {_mib(limits.memory_bytes)} MiB"
        )

    def _held(self) -> int:
        """Resident bytes; the kernel's mark, which knows what came and went between two looks,
        as soon as it is above that of the start."""
        pid = self.process.pid or "self"
        mark = 0 if self.stage == "start" else high_water_mark(pid) or 0
        return mark if mark > self.first_mark else resident_bytes(pid) or 0

    def _oom(self, message: str) -> tuple[str, str]:
        return oom_status(self.stage, self.case.workload), message

    def _result_of_the_dead(self, verdict: tuple[str, str] | None) -> Result:
        """A row for a worker that did not live to write its own."""
        self.process.join()
        if verdict is None:
            verdict = self._why_dead()
        peaks = dict(self.peaks)
        if self.stage not in peaks and self.baseline is not None:
            high = self.baseline + self.highest
            peaks[self.stage] = Peak(None, None, high, self.baseline, "seen from outside")
        return self.case.result(
            verdict[0],
            stage=self.stage,
            message=verdict[1],
            seconds=self.seconds,
            peaks=peaks,
            weights=self.case.contract.weights,
            started_at=self.started_at,
        )

    def _why_dead(self) -> tuple[str, str]:
        code = self.process.exitcode
        if code == -9 and _oom_kills() > self.kernel_kills:
            return self._oom("the kernel ended the worker: the machine's memory ran out")
        if code is None:
            return "killed", "ended with the process that it was started from"
        if code < 0:
            return "killed", f"ended by signal {-code}, which was not ours"
        return "error", f"the worker ended without a result (exit code {code})"


def _oom_kills() -> int:
    """How many processes this machine's kernel has ended for want of memory."""
    try:
        counts = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    except OSError:
        return 0
    return int(counts.get("oom_kill", 0))


def _mib(count: int) -> int:
    return round(count / 2**20)
