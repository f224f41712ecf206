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
from multiprocessing.connection import Connection

from benchmarks.engines import fork_server
from benchmarks.engines.engine import CaseOutcome, Engine, Listener, ignore_event
from benchmarks.engines.forking import become_worker, end_group, sweep
from benchmarks.engines.worker_watch import Process, WorkerWatch
from benchmarks.run.case import Case


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

    def run(self, case: Case, listen: Listener = ignore_event) -> CaseOutcome:
        """Do one case; returns however it ends.

        Args:
            case: what to do.
            listen: is told every event of the worker, for a progress display.

        Raises:
            NotReady: no worker could be started in time.
            ServerDied: what workers are started from is ended again and again.
        """
        starter, process, receive, begin = self._start_worker(case)
        watch = WorkerWatch(case, process, receive, listen)
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


class Spawning:
    """Starts each worker as a fresh interpreter, which imports everything itself."""

    start_method = "spawn"

    def start_worker(
        self, target: Callable[..., object], work: object, /
    ) -> tuple[Process, Connection]:
        """A fresh interpreter that calls `target(work, connection)`, and our end of that."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_spawned, args=(target, work, theirs), daemon=True)
        process.start()
        theirs.close()
        return process, ours


#: What makes workers.
Starter = fork_server.ForkServer | Spawning


def _spawned(target: Callable[..., object], work: object, connection: Connection) -> None:
    become_worker()
    target(work, connection)


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
