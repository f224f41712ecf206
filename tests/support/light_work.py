"""Workers that need no model: they say what a worker says, so that hundreds of faults are cheap.

As `fork_server.PRELOAD` it stands for the heavy imports too.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.engines.local import LocalEngine
from model_registry.records import Loss, Reply

REPLIES, LOSSES = 12, 8


def touched_cuda() -> bool:
    """No: nothing here knows of it."""
    return False


def engine_that_takes(seconds: float) -> LocalEngine:
    """The real engine; each of its cases takes so long."""
    return LocalEngine(work=partial(work, seconds=seconds))


def work(case, connection, seconds: float = 0.0) -> None:
    """Tell what a worker tells."""
    connection.send(("hello", os.getpid(), 0))
    connection.send(("stage", "inference"))
    name = case.candidate.name
    for n in range(REPLIES):
        time.sleep(seconds / REPLIES)
        connection.send(("reply", Reply(case.id, name, f"질문 {n}", f"{case.id}의 답 {n} " * 20,
                                        "greedy", None, 3, "stop")))  # fmt: skip
    for n in range(LOSSES):
        connection.send(("loss", Loss(case.id, n, 1 / (n + 1))))
    connection.send(("done", case.result("ok", seconds={"inference": seconds})))


def stop_like_the_command(do: Callable[[], object]) -> None:
    """Signals end it as they end `ohlora run`."""
    from commands.shared.stopping import exit_status, stopped_by_signals

    try:
        with stopped_by_signals():
            do()
    except KeyboardInterrupt as stopped:
        sys.exit(exit_status(stopped))
