"""A fair lock on a model: streams generate a few steps each, in order of arrival.

A plain lock would let the second visitor wait until the first answer is done, and threads left
to themselves slow each other down; with turns, one step runs at a time and nobody is passed over.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds a turn lasts where others wait. Shorter ones cost more in changing hands than they give.
SLICE = 0.02


class FairLock:
    """A lock that is granted in the order in which it was requested."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False
        self._since = 0.0

    @property
    def due(self) -> bool:
        """Whether somebody waits and the holder has had its slice: it should yield."""
        return bool(self._waiting) and time.monotonic() - self._since >= SLICE

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the lock; waits for it first."""
        self._take()
        try:
            yield
        finally:
            self._give()

    def pass_on(self) -> None:
        """Let everybody who waits go first; returns with the lock held again."""
        with self._mutex:
            if not self._waiting:
                return
            mine = self._line_up()
            self._waiting.popleft().release()
        mine.acquire()
        self._since = time.monotonic()

    def _take(self) -> None:
        with self._mutex:
            if not self._taken:
                self._taken, self._since = True, time.monotonic()
                return
            mine = self._line_up()
        mine.acquire()
        self._since = time.monotonic()

    def _line_up(self) -> threading.Lock:
        mine = threading.Lock()
        mine.acquire()
        self._waiting.append(mine)
        return mine

    def _give(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
