"""Time limit for an evaluator: one that hangs loses its own scores, not the run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BASE_SECONDS = 60.0  # to load what it needs
REPLY_SECONDS = 5.0  # a model behind a network as judge takes one to three


class TookTooLong(BaseException):
    """Not an Exception: code that hangs must not catch it on the way."""


def patience(replies: int) -> float:
    """Seconds that judging so many replies may take."""
    return BASE_SECONDS + REPLY_SECONDS * replies


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer. Only in the main thread, where signals arrive; else no limit.

    Raises:
        TookTooLong: it was broken off.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(
        signal, "setitimer"
    ):
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise TookTooLong(f"no answer after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, left, interval)  # of whoever else counts time
