"""Stops a run on signals (SIGTERM, SIGHUP) as on Ctrl+C, leaving nothing behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ASKED_BY = ("SIGTERM", "SIGHUP")  # a job that is cancelled, a terminal that is closed


class Stopped(KeyboardInterrupt):
    """A signal asked the command to stop."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        self.number = number


def exit_status(stopped: KeyboardInterrupt) -> int:
    """As shells count it: 128 and the signal."""
    return 128 + (stopped.number if isinstance(stopped, Stopped) else signal.SIGINT)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise `Stopped` for these signals; one that is ignored (nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _ASKED_BY if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _stop(number: int, frame: object) -> None:
    raise Stopped(number)
