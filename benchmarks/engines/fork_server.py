"""The server that workers are forked from: it has imported the heavy modules once for all.

A case then starts in a few hundredths of a second instead of as long as its imports.
"""

from __future__ import annotations

import multiprocessing.forkserver
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from model_registry.errors import OhloraError
from model_registry.language import text

READY_SECONDS = 600.0  # for its imports: seconds on a quiet machine, minutes on a crowded one
_ROOT = Path(__file__).resolve().parents[2]


class NotReady(OhloraError):
    """This machine could not get ready for cases in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            text(
                f"The libraries that cases need were not imported after {seconds:g} s: this "
                "machine is too crowded, or its disk too slow. Free it, then go on with --resume.",
                f"{seconds:g}초가 지나도 라이브러리를 불러오지 못했습니다: 장비가 너무 바쁘거나 "
                "디스크가 느립니다. 여유를 만든 뒤 --resume으로 이어가세요.",
            )
        )
        self.seconds = seconds

    def __reduce__(self) -> tuple[type[NotReady], tuple[float]]:
        """Travels between processes by what it was made of."""
        return NotReady, (self.seconds,)


def start(context: Any) -> None:
    """Start the fork server where it finds our modules, whatever the working directory.

    It imports before it is told our sys.path and passes over what it can't find: every case
    would then import for seconds.
    """
    context.set_forkserver_preload(["benchmarks.engines.preload"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), before]))
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def is_safe(context: Any, device: str) -> bool:
    """Whether cases of a device can be forked from the server: CUDA must be untouched there.

    Raises:
        NotReady: it had not imported everything after `READY_SECONDS`.
    """
    return _in_time(lambda: _ask_child(context, device))


def _in_time(ask: Callable[[], bool]) -> bool:
    """The fork server's answer: it gives none while it imports, and reading one has no timeout."""
    answers: list[bool | BaseException] = []

    def wait_for_it() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # noqa: BLE001 - raised again below, where it is waited for
            answers.append(error)

    waiting = threading.Thread(target=wait_for_it, daemon=True)
    waiting.start()
    waiting.join(READY_SECONDS)
    if not answers:
        raise NotReady(READY_SECONDS)
    if isinstance(answers[0], BaseException):
        raise answers[0]
    return answers[0]


def _ask_child(context: Any, device: str) -> bool:
    """Ask a child of the fork server whether CUDA is still untouched there."""
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_tell_touched, args=(send,), daemon=True)
    process.start()
    send.close()
    try:
        touched = bool(receive.recv())
    except EOFError:
        touched = True
    process.join()
    return device != "cuda" or not touched


def _tell_touched(connection: Connection) -> None:
    from benchmarks.engines.preload import touched_cuda

    connection.send(touched_cuda())
