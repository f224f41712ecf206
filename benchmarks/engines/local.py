"""The default engine: each case in a process of its own on this machine, one after another.

The worker is watched from outside: its time and its memory are limited, and whatever happens to
it is a row. Workers are forked from a server that has imported the heavy modules once; where that
server has touched CUDA, each worker starts fresh instead and the cost of that is reported.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from benchmarks.engines import fork_server
from benchmarks.engines.engine import CaseOutcome, Engine, Event, Listener, unheard
from benchmarks.engines.forking import become_worker, end_group, sweep
from benchmarks.run.case import Case
from benchmarks.run.measure import resident_bytes
from benchmarks.workloads.workload import oom_status
from model_registry.records import Loss, Peak, Reply, Result

_TICK_SECONDS = 0.01


class LocalEngine(Engine):
    """Runs cases here, one at a time.

    Args:
        start_method: "forkserver" or "spawn"; None picks fork server unless it touches CUDA.
        work: what a worker calls with its case and its connection, instead of `worker.main`.
    """

    def __init__(
        self,
        start_method: str | None = None,
        work: Callable[[Case, Connection], None] | None = None,
    ) -> None:
        self.start_method = start_method or "forkserver"
        self._work = work or _worker_main

    def start(self, device: str = "cpu") -> float:
        """Start the fork server and return how long that took. The first case does it otherwise.

        Raises:
            NotReady: it is not up after `fork_server.READY_SECONDS`.
        """
        begin = time.perf_counter()
        self._starter(device)
        return time.perf_counter() - begin

    def run(self, case: Case, listen: Listener = unheard) -> CaseOutcome:
        """Do one case; returns however it ends.

        Args:
            case: what to do.
            listen: is told every event of the worker, for a progress display.

        Raises:
            NotReady: no worker could be started in time.
            ServerDied: what workers are started from is ended again and again.
        """
        starter, process, receive, begin = self._start_worker(case)
        watch = _Watch(case, process, receive, listen)
        try:
            outcome = watch.follow()
        except BaseException:  # Ctrl+C among them: nobody waits for this worker any more
            process.kill()
            raise
        finally:
            _end(process)
            receive.close()
        outcome.wall_seconds = time.perf_counter() - begin
        start = {
            "start_method": starter.start_method,
            "start_seconds": None if watch.hello_at is None else watch.hello_at - begin,
        }
        outcome.result = replace(outcome.result, figures=outcome.result.figures | start)
        return outcome

    def _start_worker(self, case: Case) -> tuple[Starter, Process, Connection, float]:
        """A worker at work; a server that dies before there is one costs no case."""
        for left in range(fork_server.TRIES, 0, -1):
            starter = self._starter(case.contract.device)
            begin = time.perf_counter()
            try:
                return starter, *starter.start_worker(self._work, case), begin
            except fork_server.ServerDied:
                if left == 1:
                    raise
        raise AssertionError("the last try returns or raises")

    def _starter(self, device: str) -> Starter:
        """What is safe for a device: what has touched CUDA still serves the CPU's cases."""
        if self.start_method == "forkserver":
            server = fork_server.running()
            if device != "cuda" or not server.touched_cuda:
                return server
        return Spawning()

    def close(self) -> None:
        """End the fork server of this process.

        What a server left that had no time to tidy up is removed.
        """
        sweep()


class Process(Protocol):
    """What is watched of a worker, as `multiprocessing` names it."""

    @property
    def pid(self) -> int | None:
        """Its process id."""

    @property
    def sentinel(self) -> int:
        """What becomes readable when it ends."""

    @property
    def exitcode(self) -> int | None:
        """Negative for a signal; None where nobody is left who knows."""

    def is_alive(self) -> bool:
        """Whether it has not ended yet."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended."""

    def kill(self) -> None:
        """End it."""


class Starter(Protocol):
    """What makes workers."""

    start_method: str

    def start_worker(self, target: Any, case: Case, /) -> tuple[Process, Connection]:
        """A process that calls `target(case, connection)`, and our end of that."""


class Spawning:
    """Starts each worker as a fresh interpreter, which imports everything itself."""

    start_method = "spawn"

    def start_worker(self, target: Any, case: Case, /) -> tuple[Process, Connection]:
        """A fresh interpreter that calls `target(case, connection)`, and our end of that."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_spawned, args=(target, case, theirs), daemon=True)
        process.start()
        theirs.close()
        return process, ours


def _spawned(target: Any, case: Case, connection: Connection) -> None:
    become_worker()
    target(case, connection)


def _worker_main(case: Case, connection: Connection) -> None:
    # Imported here, where a spawned worker pays for it and a forked one finds it done.
    from benchmarks.engines import preload  # noqa: F401
    from benchmarks.run import worker

    worker.main(case, connection)


def _end(process: Process) -> None:
    """Make sure that the worker, and what it started, is gone before the next one starts."""
    process.join(timeout=5)
    if process.is_alive():
        process.kill()
        process.join()
    if process.pid is not None:
        end_group(process.pid)


class _Watch:
    """Follows one worker: takes what it sends, holds it to its limits, says how it ended."""

    def __init__(self, case: Case, process: Process, pipe: Connection, listen: Listener) -> None:
        self.case, self.process, self.pipe, self.listen = case, process, pipe, listen
        self.stage = "start"
        self.seconds: dict[str, float] = {}
        self.peaks: dict[str, Peak] = {}
        self.replies: list[Reply] = []
        self.losses: list[Loss] = []
        self.result: Result | None = None
        self.baseline: int | None = None
        self.highest = 0
        self.stage_over: str | None = None  # the phase whose own peak was over the limit
        self.hello_at: float | None = None
        self.began = time.perf_counter()
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.kernel_kills = _oom_kills()

    def follow(self) -> CaseOutcome:
        """Until the worker has said its result, has died, or was ended by us."""
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
        return CaseOutcome(self.result, self.replies, self.losses)

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
            case ("stage" | "failed", name):
                self.stage = name
            case ("phase", name, seconds, peak):
                self.seconds[name], self.peaks[name] = seconds, peak
                self._note_peak(name, peak)
            case ("reply", reply):
                self.replies.append(reply)
            case ("loss", loss):
                self.losses.append(loss)
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
        used = (resident_bytes(self.process.pid) or 0) - self.baseline
        self.highest = max(self.highest, used)
        # On CUDA the allocator itself holds the limit: host memory is not what it speaks of.
        if self._on_cuda or limits.memory_bytes is None or self.highest <= limits.memory_bytes:
            return None
        self.stage = self.stage_over or self.stage
        return self._oom(
            f"held {_mib(self.highest)} MiB, the limit is {_mib(limits.memory_bytes)} MiB"
        )

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
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _mib(count: int) -> int:
    return round(count / 2**20)
